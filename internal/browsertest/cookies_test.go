package browsertest_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// TestSecureCookies serves https. The cookies have the attributes that keep them from scripts, other sites and other paths.
func TestSecureCookies(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "ACCESS_COOKIE=true")
	_, tab := newUser(t, s, cookie, ada)
	tab.press("#refresh-now")
	waitFor(t, "the refresh", func() bool { return len(s.seen(cookie.refresh())) > 0 })
	tab.reload()
	tab.awaitView("home")
	tab.wantCookie(s, "__Secure-refresh-token", "/web/auth", network.CookieSameSiteStrict, true)
	tab.wantCookie(s, "__Host-access-token", "/", network.CookieSameSiteLax, true)
	tab.wantSecrets(s)
	tab.press("#log-out")
	tab.awaitView("sign-in")
	if jar := tab.jar(s); len(jar) != 0 {
		t.Errorf("after the log-out, the profile has %s", jar)
	}
	tab.noProblems()
}

// TestLocalhostCookies serves http://localhost, as in development.
func TestLocalhostCookies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, tab := newUser(t, s, cookie, ada)
	tab.reload()
	tab.awaitView("home")
	tab.wantCookie(s, "refresh-token", "/web/auth", network.CookieSameSiteStrict, false)
	tab.wantSecrets(s)
	tab.press("#log-out")
	tab.awaitView("sign-in")
	if jar := tab.jar(s); len(jar) != 0 {
		t.Errorf("after the log-out, the profile has %s", jar)
	}
}

// TestAccessCookie keeps the access token in a cookie too: the page sends no Authorization header, and no script sees a token.
func TestAccessCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t, "ACCESS_COOKIE=true")
	_, tab := newUser(t, s, cookie, ada)
	tab.wantCookie(s, "access-token", "/", network.CookieSameSiteLax, false)
	tab.wantText("#user-email", ada)
	tab.awaitDevices(1)
	tab.press("#refresh-now")
	waitFor(t, "the refresh", func() bool { return len(s.seen(cookie.refresh())) > 0 })
	tab.reload()
	tab.awaitDevices(1)
	other := newProfile(t).open(s.origin + cookie.page)
	other.signIn(ada)
	other.awaitDevices(2)
	other.press("#log-out-others")
	other.awaitDevices(1)
	tab.press("#refresh-now")
	tab.awaitView("sign-in")
	for _, e := range s.all() {
		if header := e.request.Get("Authorization"); header != "" {
			t.Errorf("%s %s has the header Authorization: %s", e.method, e.path, header)
		}
	}
	for _, secret := range s.tokensInAnswers() {
		t.Errorf("a script can read the token %s", secret)
	}
}

func (tab *tab) wantCookie(s *site, name, path string, sameSite network.CookieSameSite, secure bool) {
	tab.t.Helper()
	for _, c := range tab.cookies(s.origin + "/web/auth/refresh-tokens") {
		if c.Name != name {
			continue
		}
		if c.Path != path || c.SameSite != sameSite || c.Secure != secure || !c.HTTPOnly || c.Domain != "localhost" {
			tab.t.Errorf("the cookie is %+v", c)
		}
		return
	}
	tab.t.Errorf("there is no cookie %s", name)
}

// wantSecrets fails the test if a script could read the refresh token, or if the browser sends it to other paths.
func (tab *tab) wantSecrets(s *site) {
	tab.t.Helper()
	readable := evaluate[string](tab, `[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)].join(" ")`)
	for _, token := range jwt.FindAllString(readable, -1) {
		tab.t.Errorf("a script can read the token %s", token)
	}
	for _, token := range s.tokensInAnswers() {
		if tab.claims(token)["type"] == "refresh" {
			tab.t.Errorf("a script can read the token %s", token)
		}
	}
	for _, e := range s.all() {
		if strings.Contains(e.request.Get("Cookie"), "refresh-token=") && !strings.HasPrefix(e.path, "/web/auth/") {
			tab.t.Errorf("the refresh token is sent to %s", e.path)
		}
	}
}

var jwt = regexp.MustCompile(`[\w-]+\.[\w-]{20,}\.[\w-]{20,}`)

// tokensInAnswers returns the tokens in the bodies of the answers so far.
func (s *site) tokensInAnswers() []string {
	var tokens []string
	for _, e := range s.all() {
		tokens = append(tokens, jwt.FindAllString(e.body, -1)...)
	}
	return tokens
}
