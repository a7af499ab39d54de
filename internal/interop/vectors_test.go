package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	jose4 "github.com/go-jose/go-jose/v4"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
)

// vector is a test of Wycheproof's. JWS is set in the file of JSON web signatures, Msg and Sig in the others.
type vector struct {
	ID      int `json:"tcId"`
	Comment string
	Result  string
	JWS     json.RawMessage
	Msg     string
	Sig     string
}

type group struct {
	Public    json.RawMessage // a JWK
	PublicKey struct {
		PK, Uncompressed, Modulus, PublicExponent string
	}
	Tests []vector
}

func groups(t *testing.T, file string) []group {
	t.Helper()
	text, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var content struct{ TestGroups []group }
	if err := json.Unmarshal(text, &content); err != nil || len(content.TestGroups) == 0 {
		t.Fatalf("%s: %v", file, err)
	}
	return content.TestGroups
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	decoded, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// isHigh tells whether an ES256 signature of 64 bytes is the higher of two. This module accepts the lower one alone.
func isHigh(signature []byte) bool {
	half := new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	return len(signature) == 64 && new(big.Int).SetBytes(signature[32:]).Cmp(half) > 0
}

// count counts the vectors that were accepted and refused.
type count struct{ accepted, refused, high int }

// check verifies one signature, and compares the result with what Wycheproof says.
func (c *count) check(t *testing.T, key *jose.PublicKey, v vector, input string, signature []byte) {
	t.Helper()
	err := key.Verify(input, signature)
	want := v.Result == "valid"
	if want && key.Algorithm() == "ES256" && isHigh(signature) {
		want = false
		c.high++
	}
	if (err == nil) != want && v.Result != "acceptable" {
		t.Errorf("%d, %s: is %s, and Verify says %v", v.ID, v.Comment, v.Result, err)
	}
	if err == nil {
		c.accepted++
	} else {
		c.refused++
	}
	if err != nil && !errors.Is(err, jose.ErrInvalid) {
		t.Errorf("%d: %v", v.ID, err)
	}
}

// TestWycheproofSignatures: hundreds of signatures that are good, or that other code has taken for good.
func TestWycheproofSignatures(t *testing.T) {
	for _, row := range []struct {
		file string
		key  func(t *testing.T, g group) crypto.PublicKey
	}{
		{"ed25519_test.json", func(t *testing.T, g group) crypto.PublicKey { return ed25519.PublicKey(unhex(t, g.PublicKey.PK)) }},
		{"ecdsa_secp256r1_sha256_p1363_test.json", func(t *testing.T, g group) crypto.PublicKey {
			key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), unhex(t, g.PublicKey.Uncompressed))
			if err != nil {
				t.Fatal(err)
			}
			return key
		}},
		{"rsa_signature_2048_sha256_test.json", rsaKey},
		{"rsa_signature_3072_sha256_test.json", rsaKey},
		{"rsa_signature_4096_sha256_test.json", rsaKey},
	} {
		t.Run(row.file, func(t *testing.T) {
			var c count
			for _, g := range groups(t, row.file) {
				key, err := jose.NewPublicKey(row.key(t, g))
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range g.Tests {
					c.check(t, key, v, string(unhex(t, v.Msg)), unhex(t, v.Sig))
				}
			}
			t.Logf("accepted %d, refused %d, of which %d were the higher of two", c.accepted, c.refused, c.high)
			if c.accepted == 0 || c.refused == 0 {
				t.Error("the vectors prove nothing")
			}
		})
	}
}

func rsaKey(t *testing.T, g group) crypto.PublicKey {
	exponent := new(big.Int).SetBytes(unhex(t, g.PublicKey.PublicExponent))
	return &rsa.PublicKey{N: new(big.Int).SetBytes(unhex(t, g.PublicKey.Modulus)), E: int(exponent.Int64())}
}

// TestWycheproofTokens: none of the tokens is one of ours, so none is accepted as a whole; its signature is judged as Wycheproof judges it.
func TestWycheproofTokens(t *testing.T) {
	var c count
	for _, g := range groups(t, "json_web_signature_test.json") {
		var jwk jose4.JSONWebKey
		if g.Public == nil || json.Unmarshal(g.Public, &jwk) != nil {
			continue // a secret, or a key that go-jose doesn't know
		}
		key, err := jose.NewPublicKey(jwk.Key)
		if err != nil || jwk.Algorithm != "" && jwk.Algorithm != key.Algorithm() {
			continue // another algorithm
		}
		ring := jose.NewRing(nil, []*jose.PublicKey{key}, nil)
		for _, v := range g.Tests {
			var token string
			if json.Unmarshal(v.JWS, &token) != nil {
				token = string(v.JWS) // the JSON serialisation
			}
			if _, _, err := ring.Verify(token); !errors.Is(err, jose.ErrInvalid) {
				t.Errorf("%d, %s: accepted as a whole: %v", v.ID, v.Comment, err)
			}
			parts := strings.Split(token, ".")
			if len(parts) != 3 || v.Result == "valid" && !strings.Contains(header(t, parts[0]), `"`+key.Algorithm()+`"`) {
				continue
			}
			signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
			if err != nil {
				continue
			}
			if v.Result != "valid" && key.Verify(parts[0]+"."+parts[1], signature) == nil {
				continue // what is wrong is in the header, which is refused as a whole
			}
			c.check(t, key, v, parts[0]+"."+parts[1], signature)
		}
	}
	t.Logf("signatures: accepted %d, refused %d, of which %d were the higher of two", c.accepted, c.refused, c.high)
	if c.accepted == 0 || c.refused == 0 {
		t.Error("the vectors prove nothing")
	}
}

func header(t *testing.T, part string) string {
	t.Helper()
	text, _ := base64.RawURLEncoding.DecodeString(part)
	return string(text)
}
