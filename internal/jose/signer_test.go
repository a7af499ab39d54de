package jose_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
)

// remote is a key that is elsewhere.
type remote struct {
	crypto.Signer
	sign func(digest []byte, options crypto.SignerOpts) ([]byte, error)
}

func (r remote) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	if r.sign == nil {
		return r.Signer.Sign(random, digest, options)
	}
	return r.sign(digest, options)
}

// obedient is one that can be told to give up.
type obedient struct {
	remote
	told chan struct{}
}

func (o obedient) SignContext(ctx context.Context, _ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	<-ctx.Done()
	close(o.told)
	return nil, ctx.Err()
}

func newKeys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"EdDSA": ed, "ES256": ec, "RS256": rs}
}

// TestSignersAndVerifiersAgree, for keys in memory and elsewhere, often enough that ES256 draws both signatures.
func TestSignersAndVerifiersAgree(t *testing.T) {
	for algorithm, key := range newKeys(t) {
		for name, key := range map[string]crypto.Signer{"in memory": key, "elsewhere": remote{Signer: key}} {
			signer, err := jose.NewSigner(key, jose.TypJWT)
			if err != nil {
				t.Fatal(err)
			}
			ring := jose.NewRing(nil, []*jose.PublicKey{signer.PublicKey}, nil)
			for range 16 {
				token, err := signer.Sign(t.Context(), []byte(`{"a":1}`))
				if err != nil {
					t.Fatal(err)
				}
				payload, by, err := ring.Verify(token)
				if err != nil || string(payload) != `{"a":1}` || by != signer.PublicKey || !ring.Holds(by) {
					t.Errorf("%s %s: %s, %v", algorithm, name, payload, err)
				}
			}
		}
	}
}

// TestKeysElsewhereThatFail: each fault is an error that says what happened, and none is a token.
func TestKeysElsewhereThatFail(t *testing.T) {
	keys := newKeys(t)
	n := elliptic.P256().Params().N
	pair := func(r, s *big.Int) func([]byte, crypto.SignerOpts) ([]byte, error) {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		return func([]byte, crypto.SignerOpts) ([]byte, error) { return der, err }
	}
	returns := func(signature []byte, err error) func([]byte, crypto.SignerOpts) ([]byte, error) {
		return func([]byte, crypto.SignerOpts) ([]byte, error) { return signature, err }
	}
	errDown := errors.New("the service is down")
	for _, row := range []struct {
		name, algorithm string
		sign            func([]byte, crypto.SignerOpts) ([]byte, error)
		says            string
	}{
		{"an error", "EdDSA", returns(nil, errDown), "the service is down"},
		{"a panic", "EdDSA", func([]byte, crypto.SignerOpts) ([]byte, error) { panic("lost") }, "the key panicked: lost"},
		{"nothing", "EdDSA", returns(nil, nil), "does not verify"},
		{"another key's signature", "EdDSA", returns(make([]byte, 64), nil), "does not verify"},
		{"r and s, not in ASN.1", "ES256", returns(make([]byte, 64), nil), "not in ASN.1"},
		{"ASN.1 with more after it", "ES256", returns([]byte{0x30, 6, 2, 1, 1, 2, 1, 1, 0}, nil), "not in ASN.1"},
		{"r zero", "ES256", pair(new(big.Int), big.NewInt(1)), "out of range"},
		{"s negative", "ES256", pair(big.NewInt(1), big.NewInt(-1)), "out of range"},
		{"s is n", "ES256", pair(big.NewInt(1), n), "out of range"},
		{"r of 300 bits", "ES256", pair(new(big.Int).Lsh(n, 44), big.NewInt(1)), "out of range"},
		{"another key's, in range", "ES256", pair(big.NewInt(1), big.NewInt(1)), "does not verify"},
		{"PSS", "RS256", func(digest []byte, _ crypto.SignerOpts) ([]byte, error) {
			return keys["RS256"].Sign(rand.Reader, digest, &rsa.PSSOptions{Hash: crypto.SHA256})
		}, "does not verify"},
	} {
		signer, err := jose.NewSigner(remote{keys[row.algorithm], row.sign}, jose.TypJWT)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signer.Sign(t.Context(), []byte("{}"))
		if err == nil || !strings.Contains(err.Error(), row.says) || token != "" {
			t.Errorf("%s: %q, %v", row.name, token, err)
		}
		if errors.Is(err, jose.ErrInvalid) {
			t.Errorf("%s: the error is one of a token: %v", row.name, err)
		}
	}
}

// TestKeyElsewhereThatHangs: Sign returns when its context ends, and what waits is bounded.
func TestKeyElsewhereThatHangs(t *testing.T) {
	release := make(chan struct{})
	key := newKeys(t)["EdDSA"]
	hanging := remote{key, func(digest []byte, options crypto.SignerOpts) ([]byte, error) {
		<-release
		return key.Sign(rand.Reader, digest, options)
	}}
	signer, err := jose.NewSigner(hanging, jose.TypJWT)
	if err != nil {
		t.Fatal(err)
	}
	const slots = 256
	for i := range slots + 1 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err := signer.Sign(ctx, []byte("{}"))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || (i == slots) != strings.Contains(err.Error(), "256 signatures are under way") {
			t.Fatalf("%d: %v", i, err)
		}
	}
	close(release)
	if _, err := signer.Sign(t.Context(), []byte("{}")); err != nil {
		t.Errorf("once the key answers again: %v", err)
	}
}

func TestKeyElsewhereIsToldToGiveUp(t *testing.T) {
	key := obedient{remote{Signer: newKeys(t)["EdDSA"]}, make(chan struct{})}
	signer, err := jose.NewSigner(key, jose.TypJWT)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := signer.Sign(ctx, []byte("{}")); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	<-key.told
}

// TestRefusedKeys: each with what to do about it.
func TestRefusedKeys(t *testing.T) {
	keys := newKeys(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, large := new(big.Int).Lsh(big.NewInt(1), 1023), new(big.Int).Lsh(big.NewInt(1), 16383)
	even := new(big.Int).Lsh(big.NewInt(1), 2047)
	odd := new(big.Int).Add(even, big.NewInt(1))
	for _, row := range []struct {
		name string
		key  crypto.PublicKey
		says string
	}{
		{"nil", nil, "is nil"},
		{"a secret", []byte("0123456789abcdef0123456789abcdef"), "is a []uint8 and must be"},
		{"a private key", keys["EdDSA"], "is a private key"},
		{"a private ECDSA key", keys["ES256"], "is a private key"},
		{"a private RSA key", keys["RS256"], "is a private key"},
		{"a private key elsewhere", remote{Signer: keys["RS256"]}, "is a private key"},
		{"a cut Ed25519 key", ed25519.PublicKey(make([]byte, 31)), "of 31 bytes and must have 32"},
		{"no Ed25519 key", ed25519.PublicKey(nil), "of 0 bytes"},
		{"P-384", &p384.PublicKey, "on the curve P-384 and must be on P-256"},
		{"a nil ECDSA key", (*ecdsa.PublicKey)(nil), "empty ECDSA key"},
		{"an empty ECDSA key", &ecdsa.PublicKey{}, "empty ECDSA key"},
		{"no point", &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, "no point on P-256"},
		{"a point beyond the field", &ecdsa.PublicKey{Curve: elliptic.P256(), X: large, Y: large}, "no point on P-256"},
		{"the point at infinity", &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}, "no point on P-256"},
		{"a nil RSA key", (*rsa.PublicKey)(nil), "empty RSA key"},
		{"an empty RSA key", &rsa.PublicKey{}, "empty RSA key"},
		{"RSA-1024", &rsa.PublicKey{N: small, E: 65537}, "of 1024 bits and must have 2048 to 8192"},
		{"RSA-16384", &rsa.PublicKey{N: large, E: 65537}, "of 16384 bits"},
		{"an even modulus", &rsa.PublicKey{N: even, E: 65537}, "must be odd"},
		{"exponent 1", &rsa.PublicKey{N: odd, E: 1}, "must be odd"},
		{"exponent 2", &rsa.PublicKey{N: odd, E: 2}, "must be odd"},
		{"a negative modulus", &rsa.PublicKey{N: new(big.Int).Neg(odd), E: 65537}, "must be odd"},
	} {
		if _, err := jose.NewPublicKey(row.key); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	for name, key := range map[string]crypto.Signer{
		"nil": nil, "a nil ECDSA key": (*ecdsa.PrivateKey)(nil), "a nil RSA key": (*rsa.PrivateKey)(nil),
		"no Ed25519 key": ed25519.PrivateKey(nil), "P-384": p384, "an empty ECDSA key": &ecdsa.PrivateKey{}, "an empty RSA key": &rsa.PrivateKey{},
	} {
		if _, err := jose.NewSigner(key, jose.TypJWT); err == nil {
			t.Errorf("a private key that is %s was accepted", name)
		}
	}
}
