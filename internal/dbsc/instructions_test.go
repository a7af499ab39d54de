package dbsc_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/dbsc"
)

// TestInstructions has the JSON that Chromium 156 was tried with.
func TestInstructions(t *testing.T) {
	credential, err := dbsc.CookieCredential(&http.Cookie{
		Name: "__Host-access", Value: "an.access.token", Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
		MaxAge: 900, Expires: time.Unix(1767323045, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		value any
		want  string
	}{
		"an origin": {dbsc.Instructions{SessionID: sessionID, RefreshURL: "/web/auth/refresh-tokens", Credentials: []dbsc.Credential{credential}},
			`{"session_identifier":"` + sessionID + `","refresh_url":"/web/auth/refresh-tokens","scope":{"include_site":false},` +
				`"credentials":[{"type":"cookie","name":"__Host-access","attributes":"Path=/; HttpOnly; Secure; SameSite=Lax"}]}`},
		"rules": {dbsc.Scope{IncludeSite: true, Rules: []dbsc.Rule{{Type: "exclude", Domain: "*.example.com", Path: "/static"}, {Type: "include"}}},
			`{"include_site":true,"scope_specification":[{"type":"exclude","domain":"*.example.com","path":"/static"},{"type":"include"}]}`},
		"the end": {dbsc.End{SessionID: sessionID}, `{"session_identifier":"` + sessionID + `","continue":false}`},
	} {
		got, err := json.Marshal(row.value)
		if string(got) != row.want || err != nil {
			t.Errorf("%s: %s, %v, want %s", name, got, err, row.want)
		}
	}
}

func TestCookieCredential(t *testing.T) {
	for _, row := range []struct {
		cookie http.Cookie
		want   string // "" where it is refused
	}{
		{cookie: http.Cookie{Name: "a"}, want: ""},
		{cookie: http.Cookie{Name: "__Secure-a", Path: "/web", Domain: "example.com", Secure: true, SameSite: http.SameSiteStrictMode}, want: "Path=/web; Domain=example.com; Secure; SameSite=Strict"},
		{cookie: http.Cookie{Name: "a b", Path: "/"}},
		{cookie: http.Cookie{Name: "a", Path: "/;"}},
	} {
		credential, err := dbsc.CookieCredential(&row.cookie)
		refused := row.cookie.Name == "a b" || row.cookie.Path == "/;"
		if credential.Attributes != row.want || (err != nil) != refused {
			t.Errorf("%v: %q, %v, want %q", row.cookie, credential.Attributes, err, row.want)
		}
	}
}
