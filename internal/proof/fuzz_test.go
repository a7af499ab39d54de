package proof_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

// FuzzCheck signs any header and claims with one key. What Check accepts must say the same to encoding/json, which takes the
// last of two members and doesn't look at their case: a reader like that must not be told anything else.
func FuzzCheck(f *testing.F) {
	good := header("ES256", ecKey)
	for _, seed := range [][2]string{
		{good.text(), claims.text()},
		{good.with(members{"kid": "1", "crit": []string{"b64"}, "b64": false}).text(), claims.text()},
		{strings.Replace(good.text(), `"alg":`, `"alg":"none","alg":`, 1), claims.text()},
		{good.text(), strings.Replace(claims.text(), `"htm":`, `"HTM":"GET","htm":`, 1)},
		{good.text(), claims.with(members{"htu": "HTTPS://api.example.com:443/v1/x/../auth/refresh-token%73#a"}).text()},
		{"{}", "[]"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, headerText, payload string) {
		checked, err := proof.Check(sign("ES256", ecKey, headerText, payload), expect)
		if err != nil {
			return
		}
		var h struct {
			Typ, Alg string
			JWK      map[string]any
			Crit     any
		}
		var c struct {
			Jti, Htm, Htu, Ath, Nonce string
			Iat                       float64
		}
		if err := json.Unmarshal([]byte(headerText), &h); err != nil {
			t.Fatalf("header: %v", err)
		}
		if err := json.Unmarshal([]byte(payload), &c); err != nil {
			t.Fatalf("claims: %v", err)
		}
		want := publicJWK(ecKey)
		for _, name := range []string{"kty", "crv", "x", "y"} {
			if !reflect.DeepEqual(h.JWK[name], want[name]) {
				t.Errorf("the jwk has %s %v", name, h.JWK[name])
			}
		}
		if h.Typ != "dpop+jwt" || h.Alg != "ES256" || h.Crit != nil || h.JWK["d"] != nil {
			t.Errorf("accepted the header %s", headerText)
		}
		if c.Jti != checked.ID || c.Jti == "" || c.Htm != "POST" || c.Ath != hash("an.access.token") || c.Nonce != fresh ||
			!strings.HasPrefix(strings.ToLower(c.Htu), "https://api.example.com") {
			t.Errorf("accepted the claims %s", payload)
		}
	})
}

// FuzzParse gives Check and the checks of DBSC any text.
func FuzzParse(f *testing.F) {
	f.Add(rfcTokenRequest)
	f.Add(chromiumRegistration)
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"ES256"}`)) + ".e30.AA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := proof.Check(text, expect); err == nil {
			t.Errorf("accepted %q", text)
		}
		if checked, err := proof.CheckRegistration(text, challenge("challenge-1")); err == nil {
			t.Errorf("registered %q for %q", checked.Key.Thumbprint(), text)
		}
	})
}
