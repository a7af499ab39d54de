package proof_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-2f82c0fd/refreshtokens/internal/nonce"
	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

// TestAlgorithms accepts each algorithm, and names the key as go-jose does.
func TestAlgorithms(t *testing.T) {
	for alg, key := range map[string]crypto.Signer{"ES256": ecKey, "EdDSA": edKey, "Ed25519": edKey, "RS256": rsaKey, "PS256": rsaKey} {
		checked, err := proof.Check(sign(alg, key, header(alg, key).text(), claims.text()), expect)
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		want := base64.RawURLEncoding.EncodeToString(must((&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)))
		if checked.Key.Thumbprint() != want {
			t.Errorf("%s: thumbprint is %s, want %s", alg, checked.Key.Thumbprint(), want)
		}
		if !slices.Contains(strings.Fields(proof.Algorithms), alg) {
			t.Errorf("%s is accepted and not in %q", alg, proof.Algorithms)
		}
	}
}

// TestHeader has headers that are wrong, each validly signed.
func TestHeader(t *testing.T) {
	good := header("ES256", ecKey)
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	accept(t, "the header that the others are made from", sign("ES256", ecKey, good.text(), claims.text()), expect)
	accept(t, "kid", sign("ES256", ecKey, good.with(members{"kid": "../../etc/passwd"}).text(), claims.text()), expect)
	accept(t, "kid, use and alg in the jwk", sign("ES256", ecKey, good.with(members{
		"jwk": publicJWK(ecKey).with(members{"kid": "' OR 1=1", "use": "sig", "alg": "RS256"}),
	}).text(), claims.text()), expect)

	for name, text := range map[string]string{
		"no typ":                     good.with(members{"typ": nil}).text(),
		"typ JWT":                    good.with(members{"typ": "JWT"}).text(),
		"typ of DBSC":                good.with(members{"typ": "dbsc+jwt"}).text(),
		"typ in another case":        good.with(members{"typ": "DPoP+JWT"}).text(),
		"typ not a string":           good.with(members{"typ": raw(`["dpop+jwt"]`)}).text(),
		"no alg":                     good.with(members{"alg": nil}).text(),
		"alg es256":                  good.with(members{"alg": "es256"}).text(),
		"alg not a string":           good.with(members{"alg": raw(`null`)}).text(),
		"alg of another kind of key": good.with(members{"alg": "RS256"}).text(),
		"alg EdDSA with a P-256 key": good.with(members{"alg": "EdDSA"}).text(),
		"alg Ed25519 with P-256":     good.with(members{"alg": "Ed25519"}).text(),
		"no jwk":                     good.with(members{"jwk": nil}).text(),
		"jwk null":                   good.with(members{"jwk": raw(`null`)}).text(),
		"jwk a string":               good.with(members{"jwk": "key"}).text(),
		"jwk empty":                  good.with(members{"jwk": members{}}).text(),
		"jwk of another key":         good.with(members{"jwk": publicJWK(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))}).text(),
		"x5u":                        good.with(members{"x5u": "http://127.0.0.1:1/"}).text(),
		"jku":                        good.with(members{"jku": "http://127.0.0.1:1/"}).text(),
		"x5c":                        good.with(members{"x5c": []string{"AA=="}}).text(),
		"crit":                       good.with(members{"crit": []string{"exp"}, "exp": 1}).text(),
		"crit with b64":              good.with(members{"crit": []string{"b64"}, "b64": true}).text(),
		"b64 false":                  good.with(members{"b64": false}).text(),
		"typ twice":                  strings.Replace(good.text(), `"typ":`, `"typ":"JWT","typ":`, 1),
		"alg twice":                  strings.Replace(good.text(), `"alg":`, `"alg":"none","alg":`, 1),
		"ALG":                        good.with(members{"ALG": "none"}).text(),
		"an escaped alg":             strings.Replace(good.text(), `"alg":`, `"\u0061lg":"none","alg":`, 1),
		"null":                       "null",
		"a list":                     "[" + good.text() + "]",
		"bytes after the object":     good.text() + "{}",
		"a private jwk":              good.with(members{"jwk": privateJWK(ecKey)}).text(),
	} {
		refuse(t, name, sign("ES256", ecKey, text, claims.text()), expect)
	}
	for _, name := range []string{"none", "HS256", "HS384", "ES384", "ES512", "RS512", "PS384"} {
		_, err := proof.Check(sign("ES256", ecKey, good.with(members{"alg": name}).text(), claims.text()), expect)
		if err == nil || !strings.Contains(err.Error(), "alg is not one that is accepted") {
			t.Errorf("alg %s: %v", name, err)
		}
	}
	refuse(t, "P-384 for ES256", sign("ES256", p384, header("ES256", p384).text(), claims.text()), expect)
	refuse(t, "PS256 signed as RS256", sign("RS256", rsaKey, header("PS256", rsaKey).text(), claims.text()), expect)
	refuse(t, "Ed25519 with another key", sign("Ed25519", edKey, header("Ed25519", edKey).with(members{"jwk": publicJWK(must(newEd25519()))}).text(), claims.text()), expect)
}

// TestClaims has claims that are wrong, each validly signed.
func TestClaims(t *testing.T) {
	good := header("ES256", ecKey).text()
	for _, row := range []struct {
		name string
		text string
		err  error // nil where it is accepted
	}{
		{name: "the claims that the others are made from", text: claims.text()},
		{name: "further claims", text: claims.with(members{"exp": 1, "nbf": now.Unix() + 3600, "sub": "alice"}).text()},
		{name: "no jti", text: claims.with(members{"jti": nil}).text(), err: proof.ErrInvalid},
		{name: "an empty jti", text: claims.with(members{"jti": ""}).text(), err: proof.ErrInvalid},
		{name: "jti a number", text: claims.with(members{"jti": 1}).text(), err: proof.ErrInvalid},
		{name: "jti with 256 bytes", text: claims.with(members{"jti": strings.Repeat("x", 256)}).text()},
		{name: "jti with 257 bytes", text: claims.with(members{"jti": strings.Repeat("x", 257)}).text(), err: proof.ErrInvalid},
		{name: "no htm", text: claims.with(members{"htm": nil}).text(), err: proof.ErrInvalid},
		{name: "another method", text: claims.with(members{"htm": "GET"}).text(), err: proof.ErrInvalid},
		{name: "the method in another case", text: claims.with(members{"htm": "post"}).text(), err: proof.ErrInvalid},
		{name: "no htu", text: claims.with(members{"htu": nil}).text(), err: proof.ErrInvalid},
		{name: "another path", text: claims.with(members{"htu": "https://api.example.com/v1/auth/logout"}).text(), err: proof.ErrInvalid},
		{name: "no iat", text: claims.with(members{"iat": nil}).text(), err: proof.ErrInvalid},
		{name: "iat a string", text: claims.with(members{"iat": "1767323045"}).text(), err: proof.ErrInvalid},
		{name: "iat null", text: claims.with(members{"iat": raw(`null`)}).text(), err: proof.ErrInvalid},
		{name: "iat an object", text: claims.with(members{"iat": members{}}).text(), err: proof.ErrInvalid},
		{name: "iat out of range", text: claims.with(members{"iat": raw(`1e400`)}).text(), err: proof.ErrInvalid},
		{name: "iat of a phone whose clock is a day off", text: claims.with(members{"iat": now.Unix() + 86400}).text()},
		{name: "iat with a fraction", text: claims.with(members{"iat": raw(`1767323045.25`)}).text()},
		{name: "no ath", text: claims.with(members{"ath": nil}).text(), err: proof.ErrInvalid},
		{name: "ath of another token", text: claims.with(members{"ath": hash("another.access.token")}).text(), err: proof.ErrInvalid},
		{name: "ath the token itself", text: claims.with(members{"ath": "an.access.token"}).text(), err: proof.ErrInvalid},
		{name: "no nonce", text: claims.with(members{"nonce": nil}).text(), err: proof.ErrNonce},
		{name: "nonce a number", text: claims.with(members{"nonce": 1}).text(), err: proof.ErrNonce},
		{name: "a forged nonce", text: claims.with(members{"nonce": strings.Repeat("A", 24)}).text(), err: proof.ErrNonce},
		{name: "a stale nonce", text: claims.with(members{"nonce": nonces.Issue(now.Add(-4*time.Minute), "")}).text(), err: proof.ErrNonce},
		{name: "a stale nonce and another method", text: claims.with(members{"nonce": "x", "htm": "GET"}).text(), err: proof.ErrInvalid},
		{name: "a nonce of another purpose", text: claims.with(members{"nonce": otherNonce("dbsc-refresh")}).text(), err: proof.ErrNonce},
		{name: "a nonce of another process", text: claims.with(members{"nonce": otherNonce("dpop")}).text()},
		{name: "htm twice", text: strings.Replace(claims.text(), `"htm":`, `"htm":"GET","htm":`, 1), err: proof.ErrInvalid},
		{name: "HTU", text: claims.with(members{"HTU": "https://api.example.com/"}).text(), err: proof.ErrInvalid},
		{name: "null", text: "null", err: proof.ErrInvalid},
		{name: "a list", text: "[]", err: proof.ErrInvalid},
		{name: "bytes after the object", text: claims.text() + " {}", err: proof.ErrInvalid},
		{name: "invalid UTF-8", text: strings.Replace(claims.text(), "e1j3", "\xff", 1), err: proof.ErrInvalid},
		{name: "nested deeply", text: strings.Replace(claims.text(), "{", `{"a":`+strings.Repeat("[", 1500)+strings.Repeat("]", 1500)+",", 1)},
	} {
		_, err := proof.Check(sign("ES256", ecKey, good, row.text), expect)
		if !errors.Is(err, row.err) || (err == nil) != (row.err == nil) {
			t.Errorf("%s: error is %v, want %v", row.name, err, row.err)
		}
	}
}

// otherNonce returns a nonce of another process with the same secret.
func otherNonce(purpose string) string {
	return must(nonce.New(purpose, 2*time.Minute, []byte("an example of a secret with 32 bytes and more"))).Issue(now, "")
}

// TestReplay: a proof is worth nothing after its nonce's time, or for another access token.
func TestReplay(t *testing.T) {
	token := sign("ES256", ecKey, header("ES256", ecKey).text(), claims.text())
	later := expect
	later.Nonce = func(n string) bool { return nonces.Check(n, now.Add(4*time.Minute), "") }
	if _, err := proof.Check(token, later); !errors.Is(err, proof.ErrNonce) {
		t.Errorf("after the nonce's time: %v, want %v", err, proof.ErrNonce)
	}
	stolen := expect
	stolen.AccessToken = "a.stolen.token"
	refuse(t, "with another access token", token, stolen)
	refresh := expect
	refresh.AccessToken = ""
	accept(t, "without an access token", token, refresh)
}

// TestIssuedAt is judged only where there is no nonce.
func TestIssuedAt(t *testing.T) {
	e := expect
	e.Nonce = nil
	for offset, ok := range map[int64]bool{0: true, -60: true, 60: true, -61: false, 61: false, -1e9: false} {
		token := sign("ES256", ecKey, header("ES256", ecKey).text(), claims.with(members{"iat": now.Unix() + offset}).text())
		if _, err := proof.Check(token, e); (err == nil) != ok || err != nil && !errors.Is(err, proof.ErrInvalid) {
			t.Errorf("signed %d s from now: %v", offset, err)
		}
	}
}

// TestForm has proofs that are no compact JWS.
func TestForm(t *testing.T) {
	good := sign("ES256", ecKey, header("ES256", ecKey).text(), claims.text())
	parts := strings.Split(good, ".")
	last := len(parts[2]) - 1
	for name, token := range map[string]string{
		"empty":                       "",
		"one segment":                 parts[0],
		"two segments":                parts[0] + "." + parts[1],
		"four segments":               good + ".AA",
		"dots":                        strings.Repeat(".", 7<<10),
		"no signature":                parts[0] + "." + parts[1] + ".",
		"no payload":                  parts[0] + ".." + parts[2],
		"padding":                     good + "==",
		"standard base64":             parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 43),
		"a line break":                good[:len(good)-4] + "\n" + good[len(good)-4:],
		"a space":                     " " + good,
		"a scheme":                    "DPoP " + good,
		"quotes":                      `"` + good + `"`,
		"stray bits":                  parts[0] + "." + parts[1] + "." + parts[2][:last] + next(parts[2][last]),
		"two proofs":                  good + "," + good,
		"JSON":                        `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"10 KiB, validly signed":      sign("ES256", ecKey, header("ES256", ecKey).text(), claims.with(members{"pad": strings.Repeat("x", 10<<10)}).text()),
		"another payload":             parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(claims.with(members{"jti": "2"}).text())) + "." + parts[2],
		"a signature of another text": strings.TrimSuffix(good, parts[2]) + base64.RawURLEncoding.EncodeToString(signature("ES256", ecKey, "text")),
	} {
		refuse(t, name, token, expect)
	}
}

// TestECDSA: (r, n-s) is as good as (r, s). ECDSA makes both, half of the devices' signatures have a high s, and no proof is
// known by its bytes.
func TestECDSA(t *testing.T) {
	input, _ := cutLast(sign("ES256", ecKey, header("ES256", ecKey).text(), claims.text()))
	sum := sha256.Sum256([]byte(input))
	der := must(ecKey.Sign(rand.Reader, sum[:], crypto.SHA256))
	r, s := parseDER(der)
	n, zero := elliptic.P256().Params().N, new(big.Int)
	withSignature := func(r, s *big.Int) string {
		return input + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
	accept(t, "(r, s)", withSignature(r, s), expect)
	accept(t, "(r, n-s)", withSignature(r, new(big.Int).Sub(n, s)), expect)
	refuse(t, "r is zero", withSignature(zero, s), expect)
	refuse(t, "s is zero", withSignature(r, zero), expect)
	refuse(t, "both are zero", withSignature(zero, zero), expect)
	refuse(t, "(n, s)", withSignature(n, s), expect)
	refuse(t, "DER", input+"."+base64.RawURLEncoding.EncodeToString(der), expect)
}

// refuse fails the test if the error is not ErrInvalid, or quotes from the proof.
func refuse(t *testing.T, name, token string, e proof.Expect) {
	t.Helper()
	_, err := proof.Check(token, e)
	if !errors.Is(err, proof.ErrInvalid) {
		t.Errorf("%s: error is %v, want %v", name, err, proof.ErrInvalid)
	} else if strings.Contains(err.Error(), "e1j3V_bKic8") || strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("%s: the error quotes from the proof: %v", name, err)
	}
}

func cutLast(token string) (input, signature string) {
	i := strings.LastIndexByte(token, '.')
	return token[:i], token[i+1:]
}

// next returns the base64url character after c: the same for the bits that count, where c is the last of 64 bytes' encoding.
func next(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)+1])
}

func newEd25519() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}
