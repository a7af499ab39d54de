package browsertest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTrustedOrigin is a single-page app on another origin of the same site, which the app trusts. It uses refresh.js.
func TestTrustedOrigin(t *testing.T) {
	t.Parallel()
	other := newForeign(t)
	s := newSite(t, "TRUSTED_ORIGINS="+other.sameSite)
	newUser(t, s, cookie, ada)
	s.forget()
	spa := newProfile(t).open(other.sameSite)
	type answer struct {
		Status int
		Email  string
	}
	evaluate[chromedp.Void](spa, fmt.Sprintf(`(async () => {
		const {Session} = await import("/refresh.js")
		window.api = %q
		window.session = new Session({url: api + "/auth"})
		const login = await fetch(api + "/auth/login", {
			method: "POST", credentials: "include", headers: {"Content-Type": "application/json"},
			body: JSON.stringify({email: %q, password: %q}),
		})
		if (!login.ok) throw new Error("login: " + login.status)
		session.start((await login.json()).tokens)
	})()`, s.origin+"/web", ada, password))
	if n := len(s.seen("OPTIONS /web/auth/login")); n != 1 {
		t.Errorf("%d preflights, want 1", n)
	}
	const me = `session.fetch(api + "/users/me").then(async answer => ({Status: answer.status, Email: (await answer.json()).email}))`
	if got := evaluate[answer](spa, me); got != (answer{http.StatusOK, ada}) {
		t.Errorf("the user is %v", got)
	}
	evaluate[chromedp.Void](spa, `session.refresh().then(() => {})`)
	refreshes := s.seen(cookie.refresh())
	if len(refreshes) != 1 || refreshes[0].status != http.StatusOK {
		t.Errorf("the refreshes are %v", refreshes)
	}
	if got := evaluate[answer](spa, me); got != (answer{http.StatusOK, ada}) {
		t.Errorf("after a refresh, the user is %v", got)
	}
	if status := evaluate[int](spa, `session.fetch(api + "/auth/refresh-tokens?except=current", {method: "DELETE"}).then(answer => answer.status)`); status != http.StatusNoContent {
		t.Errorf("the other devices were logged out with %d", status)
	}

	// The same server by a name of another site is trusted no more than others.
	stranger := newProfile(t).open(other.crossSite)
	if _, err := try[int](stranger, fetchJSON("POST", s.origin+"/web/auth/refresh-tokens", "")); err == nil {
		t.Error("a page of another site may read the answer")
	}

	evaluate[chromedp.Void](spa, `session.logOut()`)
	if n := s.sessions(); n != 0 {
		t.Errorf("%d sessions live on", n)
	}
	spa.noProblems()
}
