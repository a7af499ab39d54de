package conformance_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/nonce"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// forge signs a proof for a refresh with the prover's key, after change had its way with it.
func (p *prover) forge(t *testing.T, change func(header, claims map[string]any)) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"jti": rand.Text(), "htm": http.MethodPost, "htu": "http://example.com" + boundRefresh, "iat": 1, "nonce": p.nonce,
	})
	jwk := map[string]any{}
	maps.Copy(jwk, p.jwk)
	token.Header["typ"], token.Header["jwk"] = "dpop+jwt", jwk
	change(token.Header, token.Claims.(jwt.MapClaims))
	signed, err := token.SignedString(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestProofsWrongInOneField sends proofs that are right but for one thing. Each is refused on every database, touches no row, and
// tells the host nothing: a request with a bad proof does not reach the session.
func TestProofsWrongInOneField(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		reported := 0
		host := boundHost(t, db, plugin.BindingIfOffered, unproven(&reported))
		client := newProver(t, host)
		tokens := client.login()
		body, err := json.Marshal(map[string]string{"refreshToken": tokens.Refresh.Token})
		if err != nil {
			t.Fatal(err)
		}
		send := func(proof string) *httptest.ResponseRecorder {
			return host.Do(http.MethodPost, boundRefresh, strings.NewReader(string(body)), "Content-Type", "application/json", "DPoP", proof)
		}
		header := func(name string, value any) string {
			return client.forge(t, func(header, _ map[string]any) { set(header, name, value) })
		}
		jwk := func(name string, value any) string {
			return client.forge(t, func(header, _ map[string]any) { set(header["jwk"].(map[string]any), name, value) })
		}
		claim := func(name string, value any) string {
			return client.forge(t, func(_, claims map[string]any) { set(claims, name, value) })
		}
		private, err := client.key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		foreign, err := nonce.New("dpop", time.Minute, []byte("another example of a secret, with 32 bytes"))
		if err != nil {
			t.Fatal(err)
		}
		good := claim("more", "than is asked for")
		cut := strings.LastIndexByte(good, '.')
		before := fmt.Sprint(host.Rows())
		for name, row := range map[string]struct{ proof, challenge string }{
			"typ":                            {header("typ", "JWT"), badProof},
			"alg none":                       {header("alg", "none"), badProof},
			"symmetric alg":                  {header("alg", "HS256"), badProof},
			"symmetric alg, keyed with jwk":  {symmetric(client), badProof},
			"another alg":                    {header("alg", "RS256"), badProof},
			"no jwk":                         {header("jwk", nil), badProof},
			"the private key":                {jwk("d", base64.RawURLEncoding.EncodeToString(private)), badProof},
			"a symmetric key":                {header("jwk", map[string]any{"kty": "oct", "k": "c2VjcmV0"}), badProof},
			"another's key":                  {header("jwk", newProver(t, host).jwk), badProof},
			"crit":                           {header("crit", []string{"exp"}), badProof},
			"no jti":                         {claim("jti", nil), badProof},
			"htm":                            {claim("htm", http.MethodGet), badProof},
			"no htm":                         {claim("htm", nil), badProof},
			"htu":                            {claim("htu", "http://example.com"+boundLogout), badProof},
			"htu of another host":            {claim("htu", "http://example.org"+boundRefresh), badProof},
			"no htu":                         {claim("htu", nil), badProof},
			"no iat":                         {claim("iat", nil), badProof},
			"iat a string":                   {claim("iat", "1"), badProof},
			"no nonce":                       {claim("nonce", nil), useNonce},
			"a nonce that was made up":       {claim("nonce", strings.Repeat("A", 24)), useNonce},
			"a nonce of another secret":      {claim("nonce", foreign.Issue(host.Clock.Now(), "")), useNonce},
			"10 KiB, with a right signature": {claim("more", strings.Repeat("x", 10<<10)), badProof},
			"no signature":                   {good[:cut+1], badProof},
			"another's signature":            {good[:cut] + header("typ", "dpop+jwt")[cut:], badProof},
		} {
			t.Run(name, func(t *testing.T) {
				testhost.WantUnauthorized(t, send(row.proof), row.challenge)
			})
		}
		if after := fmt.Sprint(host.Rows()); after != before || reported > 0 {
			t.Errorf("reported %d; the row was\n%s\nand is\n%s", reported, before, after)
		}
		testhost.WantAnswer(t, send(good), http.StatusOK, "")

		// The same proof again, as long as its nonce lives: it gets what the first one got. Then it is worth nothing.
		testhost.WantAnswer(t, send(good), http.StatusOK, "")
		host.Clock.Advance(2 * time.Minute)
		testhost.WantUnauthorized(t, send(good), useNonce)
		client.mustRefresh(tokens.Refresh.Token)
	})
}

// set sets a member, or removes it where value is nil.
func set(members map[string]any, name string, value any) {
	if value == nil {
		delete(members, name)
		return
	}
	members[name] = value
}

// symmetric signs a proof with HMAC, keyed with the public key that everybody knows.
func symmetric(p *prover) string {
	jwk, err := json.Marshal(p.jwk)
	if err != nil {
		panic(err)
	}
	header := `{"typ":"dpop+jwt","alg":"HS256","jwk":` + string(jwk) + `}`
	claims := `{"jti":"1","htm":"POST","htu":"http://example.com` + boundRefresh + `","iat":1,"nonce":"` + p.nonce + `"}`
	return testhost.Sign(base64.RawURLEncoding.EncodeToString([]byte(header)), claims, jwk)
}
