package browsertest_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
)

// The headers of device-bound sessions.
const (
	proofHeader     = "Secure-Session-Response"
	sessionIDHeader = "Sec-Secure-Session-Id" // of requests that the browser makes by itself
	skippedHeader   = "Secure-Session-Skipped"

	registrationRoute = "POST /web/auth/device-bound-session"
	me                = "/web/users/me"
)

// newDeviceProfile is newProfile in the Chromium that binds sessions to the device. Each profile has a quota of signatures of its own.
func newDeviceProfile(t *testing.T) *profile {
	t.Helper()
	needBrowser(t)
	return newProfileIn(t, keyBrowser)
}

// newBoundUser makes an account on the page and waits until the browser has bound the session to its key, which nobody has asked
// it to do but the app. Then it opens a page without any script.
func newBoundUser(t *testing.T, s *site) *tab {
	t.Helper()
	tab := newDeviceProfile(t).open(s.origin + cookie.page)
	tab.signUp("Ada Lovelace", ada)
	tab.awaitBound(s, 1)
	tab.leaveScripts(s)
	return tab
}

// awaitBound waits until the browser has bound so many sessions.
func (tab *tab) awaitBound(s *site, count int) {
	tab.t.Helper()
	waitFor(tab.t, "the registration of a key", func() bool { return len(withStatus(s.seen(registrationRoute), http.StatusOK)) == count })
}

// leaveScripts opens a page of the site that has no script: what is done from now on, the browser does by itself.
func (tab *tab) leaveScripts(s *site) {
	tab.t.Helper()
	tab.navigate(s.origin + blankPage)
}

// get makes a request as any page would, and returns the status of the answer.
func (tab *tab) get(path string) int {
	tab.t.Helper()
	return evaluate[int](tab, fmt.Sprintf(`fetch(%q).then(answer => answer.status)`, path))
}

func (tab *tab) wantStatus(path string, want int) {
	tab.t.Helper()
	if status := tab.get(path); status != want {
		tab.t.Errorf("%s was answered with %d, want %d", path, status, want)
	}
}

// cookie returns a cookie of the profile.
func (tab *tab) cookie(s *site, name string) *network.Cookie {
	tab.t.Helper()
	c := tab.findCookie(s, name)
	if c == nil {
		tab.t.Fatalf("there is no cookie %s", name)
	}
	return c
}

func (tab *tab) findCookie(s *site, name string) *network.Cookie {
	tab.t.Helper()
	for _, c := range tab.cookies(s.origin + "/web/auth/refresh-tokens") {
		if c.Name == name {
			return c
		}
	}
	return nil
}

const accessCookie = "__Host-access-token"

// endAccess makes the access token's cookie end early, and waits until it has.
func (tab *tab) endAccess(s *site) {
	tab.t.Helper()
	tab.putCookie(s, tab.cookie(s, accessCookie), time.Now().Add(time.Second))
	tab.awaitNoAccess(s)
}

// awaitNoAccess waits until the access token's cookie has ended.
func (tab *tab) awaitNoAccess(s *site) {
	tab.t.Helper()
	waitFor(tab.t, "the end of the access token's cookie", func() bool { return tab.findCookie(s, accessCookie) == nil })
}

// putCookie copies a cookie into the profile. It ends at the given time.
func (tab *tab) putCookie(s *site, c *network.Cookie, ends time.Time) {
	tab.t.Helper()
	call(tab, network.SetCookie, network.SetCookieParams{
		Name: c.Name, Value: c.Value, URL: s.origin, Path: c.Path, Secure: &c.Secure, HTTPOnly: &c.HTTPOnly,
		SameSite: c.SameSite, Expires: cdp.TimeSinceEpoch(float64(ends.UnixMilli()) / 1000),
	})
}

// browserRefreshes returns the refreshes so far that the browser has made by itself.
func (s *site) browserRefreshes() []exchange {
	return slices.DeleteFunc(s.seen(cookie.refresh()), func(e exchange) bool { return e.request.Get(sessionIDHeader) == "" })
}

// signatures returns how many different proofs the browser has sent so far.
func (s *site) signatures() int {
	proofs := map[string]bool{}
	for _, e := range s.all() {
		if proof := e.request.Get(proofHeader); proof != "" {
			proofs[proof] = true
		}
	}
	return len(proofs)
}

func withStatus(exchanges []exchange, status int) []exchange {
	return slices.DeleteFunc(exchanges, func(e exchange) bool { return e.status != status })
}

// wantNoTheft fails the test if the app has taken anything for theft.
func (s *site) wantNoTheft() {
	s.t.Helper()
	for _, kind := range []string{"reuse_detected", "unproven"} {
		if n := s.events(kind); n != 0 {
			s.t.Errorf("%d events %s, want none", n, kind)
		}
	}
}
