package conformance_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// keyHeader returns the JOSE header of a key, written here without the plugin's code.
func keyHeader(algorithm, typ, kid string) string {
	return `{"alg":"` + algorithm + `","typ":"` + typ + `","kid":"` + kid + `"}`
}

// signWith signs with a private key. The header and the payload are not encoded yet. An ES256 signature is the lower one.
func signWith(t *testing.T, key crypto.Signer, header, payload string) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch key := key.(type) {
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(input))
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, key, digest[:]); err == nil {
			if n := elliptic.P256().Params().N; s.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
				s.Sub(n, s)
			}
			signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	default:
		signature, err = key.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestHostileTokensOfKeys sends bad access tokens to a host with an access key: those of TestHostileTokens, signed with the right
// key where that is not what is wrong with them, and those that only a key with a kid can meet.
func TestHostileTokensOfKeys(t *testing.T) {
	for _, algorithm := range testhost.Algorithms {
		t.Run(algorithm, func(t *testing.T) {
			host := testhost.New(t, openSQLite(t), testhost.WithAccessKey(algorithm))
			key := testhost.AccessKey(algorithm)
			good := host.Login("alice").Access.Token
			head, payload := decoded(t, good, 0), decoded(t, good, 1)
			kid := host.Service().PublicKeys()[0].ID
			if head != keyHeader(algorithm, "JWT", kid) {
				t.Fatalf("the header is %s", head)
			}
			another, otherPublic := testhost.NewAccessKey(t, algorithm), ""
			if der, err := x509.MarshalPKIXPublicKey(key.Public()); err == nil {
				otherPublic = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			}
			encode := base64.RawURLEncoding.EncodeToString

			hostile := map[string]string{
				"signature: of another key":                   signWith(t, another, head, payload),
				"signature: HS256 with the secret":            testhost.Sign(testhost.Header, payload, []byte(testhost.Secret)),
				"signature: HS256 with the refresh key":       testhost.Sign(testhost.Header, payload, testhost.RefreshKey(t)),
				"signature: HS256 with the public PEM":        testhost.Sign(testhost.Header, payload, []byte(otherPublic)),
				"signature: HMAC with the public PEM":         testhost.Sign(encode([]byte(head)), payload, []byte(otherPublic)),
				"signature: HMAC with the secret":             testhost.Sign(encode([]byte(head)), payload, []byte(testhost.Secret)),
				"signature: HS256 with the PEM, and a kid":    testhost.Sign(encode([]byte(keyHeader("HS256", "JWT", kid))), payload, []byte(otherPublic)),
				"header: kid 1 MiB":                           signWith(t, key, keyHeader(algorithm, "JWT", strings.Repeat("x", 1<<20)), payload),
				"header: kid 2 KiB":                           signWith(t, key, keyHeader(algorithm, "JWT", strings.Repeat("x", 2<<10)), payload),
				"header: kid a path":                          signWith(t, key, keyHeader(algorithm, "JWT", "../../../../dev/null"), payload),
				"header: kid a URL":                           signWith(t, key, keyHeader(algorithm, "JWT", "http://127.0.0.1:1/key"), payload),
				"header: kid empty":                           signWith(t, key, keyHeader(algorithm, "JWT", ""), payload),
				"header: kid another's":                       signWith(t, key, keyHeader(algorithm, "JWT", thumbprintOf(t, another)), payload),
				"header: kid with another key's, signed well": signWith(t, another, keyHeader(algorithm, "JWT", thumbprintOf(t, another)), payload),
				"header: no kid":                              signWith(t, key, `{"alg":"`+algorithm+`","typ":"JWT"}`, payload),
				"header: no typ":                              signWith(t, key, `{"alg":"`+algorithm+`","kid":"`+kid+`"}`, payload),
				"header: typ in capitals":                     signWith(t, key, keyHeader(algorithm, "AT+JWT", kid), payload),
				"header: typ application/at+jwt":              signWith(t, key, keyHeader(algorithm, "application/at+jwt", kid), payload),
				"header: typ dpop+jwt":                        signWith(t, key, keyHeader(algorithm, "dpop+jwt", kid), payload),
				"header: crit":                                signWith(t, key, strings.Replace(head, "{", `{"crit":["exp"],`, 1), payload),
				"header: jku":                                 signWith(t, key, strings.Replace(head, "{", `{"jku":"http://127.0.0.1:1/",`, 1), payload),
				"header: another order":                       signWith(t, key, `{"kid":"`+kid+`","alg":"`+algorithm+`","typ":"JWT"}`, payload),
				"header: kid twice":                           signWith(t, key, strings.Replace(head, "{", `{"kid":"x",`, 1), payload),
				"claims: a refresh token's":                   signWith(t, key, head, decoded(t, host.Login("alice").Refresh.Token, 1)),
			}
			for name, token := range hostileForms(good) {
				hostile["form: "+name] = token
			}
			for name, header := range hostileHeaders() {
				hostile["header: "+name] = signWith(t, key, header, payload)
				hostile["header with a kid: "+name] = signWith(t, key, strings.Replace(header, "{", `{"kid":"`+kid+`",`, 1), payload)
			}
			for _, other := range append([]string{"none", "HS256", "PS256", "ES384", "Ed25519"}, testhost.Algorithms...) {
				if other != algorithm {
					hostile["header: alg "+other] = signWith(t, key, keyHeader(other, "JWT", kid), payload)
				}
			}
			for name, claims := range hostileClaims(host.Claims(good), host.Clock.Now().Unix(), "") {
				if !strings.HasPrefix(name, "gen ") {
					hostile["claims: "+name] = signWith(t, key, head, claims)
				}
			}
			if algorithm == "ES256" {
				maps.Copy(hostile, hostileES256(t, good))
			}

			for _, typ := range []string{"JWT", "at+jwt"} {
				untwisted := signWith(t, key, keyHeader(algorithm, typ, kid), payload)
				testhost.WantAnswer(t, host.Bearer(http.MethodGet, testhost.MePath, untwisted), http.StatusOK, "alice")
			}
			before := host.Rows()
			for _, round := range []string{"first", "again"} { // the second time, the good token is remembered
				for _, name := range slices.Sorted(maps.Keys(hostile)) {
					recorder := host.Bearer(http.MethodGet, testhost.MePath, hostile[name])
					if recorder.Code != http.StatusUnauthorized || recorder.Body.String() != testhost.UnauthorizedBody {
						t.Errorf("%s, %s: answered %d %s", name, round, recorder.Code, recorder.Body)
					}
				}
				testhost.WantAnswer(t, host.Bearer(http.MethodGet, testhost.MePath, good), http.StatusOK, "alice")
			}
			wantRows(t, host, before)
		})
	}
}

// hostileES256 returns signatures in other forms, and out of range.
func hostileES256(t *testing.T, good string) map[string]string {
	t.Helper()
	end := strings.LastIndexByte(good, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(good[end:])
	if err != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	zero := new(big.Int)
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	pair := func(r, s *big.Int) []byte {
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	hostile := map[string]string{}
	for name, bytes := range map[string][]byte{
		"(r, n-s)":                pair(r, new(big.Int).Sub(n, s)),
		"r zero":                  pair(zero, s),
		"s zero":                  pair(r, zero),
		"both zero":               pair(zero, zero),
		"s is n":                  pair(r, n),
		"r is n":                  pair(n, s),
		"swapped":                 pair(s, r),
		"DER":                     der,
		"a byte more":             append([]byte{0}, signature...),
		"a byte less":             signature[:63],
		"r and s of 33 bytes":     slices.Concat([]byte{0}, signature[:32], []byte{0}, signature[32:]),
		"the signature and again": append(slices.Clone(signature), signature...),
	} {
		hostile["signature: "+name] = good[:end] + base64.RawURLEncoding.EncodeToString(bytes)
	}
	return hostile
}

// decoded returns a part of a token.
func decoded(t *testing.T, token string, part int) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[part])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// thumbprintOf computes RFC 7638's without the plugin's code.
func thumbprintOf(t *testing.T, key crypto.Signer) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	var members map[string]string // JSON sorts them, as the RFC has it
	switch public := key.Public().(type) {
	case ed25519.PublicKey:
		members = map[string]string{"crv": "Ed25519", "kty": "OKP", "x": encode(public)}
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		members = map[string]string{"crv": "P-256", "kty": "EC", "x": encode(point[1:33]), "y": encode(point[33:])}
	case *rsa.PublicKey:
		members = map[string]string{"e": encode(big.NewInt(int64(public.E)).Bytes()), "kty": "RSA", "n": encode(public.N.Bytes())}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(text)
	return encode(digest[:])
}

// TestForgedByAService: a service that verifies access tokens can't sign one. With a secret it can, which is why there are keys.
func TestForgedByAService(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db, testhost.WithAccessKey("EdDSA"))
		token := host.Login("alice").Access.Token
		forged := strings.Replace(decoded(t, token, 1), "alice", "admin", 1)
		public := host.Service().PublicKeys()[0].Key.(ed25519.PublicKey)
		for name, key := range map[string][]byte{"raw": public, "nothing": nil} {
			for _, header := range []string{testhost.Header, strings.Split(token, ".")[0]} {
				answer := host.Bearer(http.MethodGet, testhost.MePath, testhost.Sign(header, forged, key))
				testhost.WantUnauthorized(t, answer, testhost.InvalidToken)
				if t.Failed() {
					t.Fatal(name)
				}
			}
		}
	})
}
