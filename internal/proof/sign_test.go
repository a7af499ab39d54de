package proof_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-2f82c0fd/refreshtokens/internal/nonce"
	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

var (
	now    = time.Unix(1767323045, 0)
	ecKey  = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rsaKey = must(rsa.GenerateKey(rand.Reader, 2048))
	edKey  = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// members are those of a JSON object: a header or a claims set.
type members map[string]any

// with returns a copy in which names have other values. nil removes a name.
func (m members) with(changes members) members {
	changed := members{}
	for _, from := range []members{m, changes} {
		for name, value := range from {
			changed[name] = value
			if value == nil {
				delete(changed, name)
			}
		}
	}
	return changed
}

func (m members) text() string { return string(must(json.Marshal(m))) }

// raw is a value that is written into the JSON as it is.
type raw = json.RawMessage

func publicJWK(key crypto.Signer) members {
	var m members
	text := must(json.Marshal(jose.JSONWebKey{Key: key.Public()}))
	must(0, json.Unmarshal(text, &m))
	return m
}

func privateJWK(key crypto.Signer) members {
	var m members
	text := must(json.Marshal(jose.JSONWebKey{Key: key}))
	must(0, json.Unmarshal(text, &m))
	return m
}

// header is that of a DPoP proof.
func header(alg string, key crypto.Signer) members {
	return members{"typ": "dpop+jwt", "alg": alg, "jwk": publicJWK(key)}
}

// sign returns the compact JWS of two texts, signed as alg says, whatever the header says.
func sign(alg string, key crypto.Signer, header, payload string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return input + "." + base64.RawURLEncoding.EncodeToString(signature(alg, key, input))
}

func signature(alg string, key crypto.Signer, input string) []byte {
	sum := sha256.Sum256([]byte(input))
	switch alg {
	case "ES256":
		r, s := parseDER(must(key.Sign(rand.Reader, sum[:], crypto.SHA256)))
		size := (key.Public().(*ecdsa.PublicKey).Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case "EdDSA", "Ed25519":
		return must(key.Sign(rand.Reader, []byte(input), crypto.Hash(0)))
	case "RS256":
		return must(key.Sign(rand.Reader, sum[:], crypto.SHA256))
	case "PS256":
		return must(key.Sign(rand.Reader, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}))
	}
	panic("no signature by " + alg)
}

func parseDER(der []byte) (r, s *big.Int) {
	var both struct{ R, S *big.Int }
	must(asn1.Unmarshal(der, &both))
	return both.R, both.S
}

// nonces are the server's, and fresh one of them.
var (
	nonces = must(nonce.New("dpop", 2*time.Minute, []byte("an example of a secret with 32 bytes and more")))
	fresh  = nonces.Issue(now, "")
)

func current(n string) bool { return nonces.Check(n, now, "") }

// expect and claims fit together.
var (
	expect = proof.Expect{
		Method: "POST", URL: "https://api.example.com/v1/auth/refresh-tokens", AccessToken: "an.access.token", Nonce: current, Now: now,
	}
	claims = members{
		"jti": "e1j3V_bKic8-LAEB", "htm": "POST", "htu": "https://api.example.com/v1/auth/refresh-tokens", "iat": now.Unix(),
		"ath": hash("an.access.token"), "nonce": fresh,
	}
)

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// accept fails the test if a proof is refused.
func accept(t *testing.T, name, token string, e proof.Expect) {
	t.Helper()
	if _, err := proof.Check(token, e); err != nil {
		t.Errorf("%s: refused: %v", name, err)
	}
}

func newP256() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// verifier returns a function that verifies an ES256 signature and does nothing else.
func verifier(text string) func() bool {
	sum := sha256.Sum256([]byte(text))
	der := must(ecKey.Sign(rand.Reader, sum[:], crypto.SHA256))
	return func() bool { return ecdsa.VerifyASN1(&ecKey.PublicKey, sum[:], der) }
}
