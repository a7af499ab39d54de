package browsertest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

const (
	gracePeriod = 30 * time.Second // the default

	// afterGrace is longer than a grace period of one second, in an app that counts whole seconds.
	afterGrace = 3 * time.Second

	sessionEnded = "session.*ended.*sign in"
)

// TestStolenToken copies a refresh token out of the browser. It comes back after the grace period, from a program. The session
// ends, and the user learns of it on the page.
func TestStolenToken(t *testing.T) {
	inEachMode(t, func(t *testing.T, m mode) {
		s := newSite(t, "GRACE_PERIOD=1s")
		p, first := newUser(t, s, m, ada)
		second := p.open(s.origin + m.page)
		second.awaitView("home")
		stolen := first.refreshToken(s, m)
		first.press("#refresh-now")
		waitFor(t, "another token", func() bool { return first.refreshToken(s, m) != stolen })
		pass(t, afterGrace)

		if status := s.replay(m, stolen); status != http.StatusUnauthorized {
			t.Errorf("the stolen token was answered with %d", status)
		}
		if n := s.events("reuse_detected"); n != 1 {
			t.Errorf("reuse was detected %d times, want 1", n)
		}
		first.press("#refresh-now")
		for _, tab := range []*tab{first, second} {
			tab.awaitView("sign-in")
			tab.awaitMessage(sessionEnded)
		}
		if n := s.sessions(); n != 0 {
			t.Errorf("%d sessions live on", n)
		}
		first.signIn(ada)
		first.noProblems()
	})
}

// replay sends a refresh token as a thief's program would.
func (s *site) replay(m mode, token string) int {
	s.t.Helper()
	route := m.prefix + "/auth/refresh-tokens"
	if m == body {
		return s.post(route, `{"refreshToken":"`+token+`"}`)
	}
	return s.post(route, "", "Cookie", "refresh-token="+token)
}

// TestStolenCookie puts a copy of a profile's cookie into another profile, which is then signed in too. Once both have used it,
// more than the grace period apart, both land on sign-in.
func TestStolenCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t, "GRACE_PERIOD=1s")
	_, victim := newUser(t, s, cookie, ada)
	stolen := victim.refreshCookie(s)
	thief := newProfile(t).open(s.origin + cookie.page)
	thief.awaitView("sign-in")
	call(thief, network.SetCookie, network.SetCookieParams{Name: stolen.Name, Value: stolen.Value, URL: s.origin, Path: stolen.Path})
	thief.reload()
	thief.awaitView("home")
	thief.wantText("#user-email", ada)
	pass(t, afterGrace)

	victim.press("#refresh-now")
	victim.awaitView("sign-in")
	victim.awaitMessage(sessionEnded)
	if n := s.events("reuse_detected"); n != 1 {
		t.Errorf("reuse was detected %d times, want 1", n)
	}
	thief.press("#refresh-now")
	thief.awaitView("sign-in")
	thief.awaitMessage(sessionEnded)
	if n := s.sessions(); n != 0 {
		t.Errorf("%d sessions live on", n)
	}
}
