package proof_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

// TestParseKey has the JWKs of clients. Each key that is refused for its size or kind is a real one.
func TestParseKey(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	rsaOf := func(bits int) members { return publicJWK(must(rsa.GenerateKey(rand.Reader, bits))) }
	ofBits := func(bits int) members {
		return publicJWK(rsaKey).with(members{"n": base64.RawURLEncoding.EncodeToString(append([]byte{1 << ((bits - 1) % 8)}, make([]byte, (bits-1)/8)...))})
	}
	ec, zero := publicJWK(ecKey), strings.Repeat("A", 43)
	for _, row := range []struct {
		name string
		text string
		ok   bool
	}{
		{name: "P-256", text: ec.text(), ok: true},
		{name: "Ed25519", text: publicJWK(edKey).text(), ok: true},
		{name: "RSA with 2048 bits", text: publicJWK(rsaKey).text(), ok: true},
		{name: "RSA with 4096 bits", text: ofBits(4096).text(), ok: true},
		{name: "with kid, use, alg and key_ops", text: ec.with(members{"kid": "' OR 1=1", "use": "sig", "alg": "RS256", "key_ops": []string{"verify"}}).text(), ok: true},
		{name: "RSA with 1024 bits", text: rsaOf(1024).text()},
		{name: "RSA with 2047 bits", text: ofBits(2047).text()},
		{name: "RSA with 4097 bits", text: ofBits(4097).text()},
		{name: "P-384", text: publicJWK(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))).text()},
		{name: "P-521", text: publicJWK(must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))).text()},
		{name: "X25519", text: members{"kty": "OKP", "crv": "X25519", "x": zero}.text()},
		{name: "Ed25519 of a low order", text: members{"kty": "OKP", "crv": "Ed25519", "x": "AQ" + strings.Repeat("A", 41)}.text()},
		{name: "secp256k1", text: ec.with(members{"crv": "secp256k1"}).text()},
		{name: "not on the curve", text: ec.with(members{"x": zero}).text()},
		{name: "the point at infinity", text: ec.with(members{"x": zero, "y": zero}).text()},
		{name: "symmetric", text: members{"kty": "oct", "k": "c2VjcmV0"}.text()},
		{name: "no kty", text: ec.with(members{"kty": nil}).text()},
		{name: "kty in another case", text: ec.with(members{"kty": "ec"}).text()},
		{name: "no y", text: ec.with(members{"y": nil}).text()},
		{name: "x twice", text: strings.Replace(ec.text(), `"x":`, `"x":"AA","x":`, 1)},
		{name: "X", text: ec.with(members{"X": "AA"}).text()},
		{name: "D", text: ec.with(members{"D": "c2VjcmV0"}).text()},
		{name: "d null", text: ec.with(members{"d": raw(`null`)}).text()},
		{name: "k", text: ec.with(members{"k": "c2VjcmV0"}).text()},
		{name: "x5u", text: ec.with(members{"x5u": "http://127.0.0.1:1/"}).text()},
		{name: "x5c", text: ec.with(members{"x5c": []string{}}).text()},
		{name: "null", text: `null`},
		{name: "a string", text: `"key"`},
		{name: "empty", text: ``},
	} {
		if _, err := proof.ParseKey([]byte(row.text)); (err == nil) != row.ok || err != nil && !errors.Is(err, proof.ErrInvalid) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	for kind, key := range map[string]crypto.Signer{"P-256": ecKey, "Ed25519": edKey, "RSA": rsaKey} {
		public := publicJWK(key)
		for name, value := range privateJWK(key) {
			if _, ok := public[name]; ok {
				continue
			}
			if _, err := proof.ParseKey([]byte(public.with(members{name: value}).text())); !errors.Is(err, proof.ErrInvalid) {
				t.Errorf("%s with the private member %s: %v", kind, name, err)
			}
		}
	}
}

// TestKeyRoundTrip: a key survives being stored.
func TestKeyRoundTrip(t *testing.T) {
	for alg, key := range map[string]crypto.Signer{"ES256": ecKey, "EdDSA": edKey, "RS256": rsaKey} {
		checked := must(proof.Check(sign(alg, key, header(alg, key).text(), claims.text()), expect))
		if !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(checked.Key.Public()) {
			t.Errorf("%s: another key", alg)
		}
		stored := must(json.Marshal(checked.Key))
		again, err := proof.ParseKey(stored)
		if err != nil || again.Thumbprint() != checked.Key.Thumbprint() || string(must(json.Marshal(again))) != string(stored) {
			t.Errorf("%s: %s came back as %s, %v", alg, stored, must(json.Marshal(again)), err)
		}
	}
}
