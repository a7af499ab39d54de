package browsertest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

// TestLogOutOfDevice checks that a log-out ends the browser's session too: it does not go on trying to refresh.
func TestLogOutOfDevice(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "BINDING=if-offered")
	tab := newBoundUser(t, s)
	tab.navigate(s.origin + cookie.page)
	tab.awaitView("home")
	s.forget()
	tab.press("#log-out")
	tab.awaitView("sign-in")
	if jar := tab.jar(s); len(jar) != 0 {
		t.Errorf("after the log-out, the profile has %d cookies", len(jar))
	}
	tab.leaveScripts(s)
	for range 5 {
		tab.wantStatus(me, http.StatusUnauthorized)
	}
	if n := len(s.browserRefreshes()); n > 1 {
		t.Errorf("the browser has tried to refresh %d times, want at most one", n)
	}
	if n := s.sessions(); n != 0 {
		t.Errorf("%d sessions live on", n)
	}
}

// TestLogInAgainOnDevice logs out and in again on one page. The browser keeps the first session until it has tried to refresh it.
func TestLogInAgainOnDevice(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "BINDING=if-offered")
	tab := newDeviceProfile(t).open(s.origin + cookie.page)
	tab.signUp("Ada Lovelace", ada)
	tab.awaitBound(s, 1)
	tab.endAccess(s)
	tab.reload() // the browser now has a proof of the first session's key, which would be no proof of the second one's
	tab.awaitView("home")
	tab.press("#log-out")
	tab.signIn(ada)
	tab.awaitBound(s, 2)
	tab.leaveScripts(s)
	for range 2 {
		tab.endAccess(s)
		tab.wantStatus(me, http.StatusOK)
	}
	if n := len(withStatus(s.browserRefreshes(), http.StatusUnauthorized)); n != 1 {
		t.Errorf("the browser has tried to refresh the first session %d times, want one", n)
	}
	s.wantNoTheft()
}

// TestStolenCookies copies a profile's cookies into another profile, which does not have the key. The thief even keeps the cookie of
// the access token for longer than a browser would.
func TestStolenCookies(t *testing.T) {
	t.Parallel()
	const accessTTL = 10 * time.Second
	s := newTLSSite(t, "BINDING=if-offered", "ACCESS_TTL="+accessTTL.String())
	thief := newDeviceProfile(t).open(s.origin + blankPage)
	victim := newBoundUser(t, s)
	victim.wantStatus(me, http.StatusOK)
	var stolen []*network.Cookie
	for _, name := range []string{accessCookie, "__Secure-refresh-token"} {
		stolen = append(stolen, victim.cookie(s, name))
		thief.putCookie(s, victim.cookie(s, name), time.Now().Add(time.Hour))
	}
	thief.wantStatus(me, http.StatusOK) // until the access token ends
	const refresh = `fetch("/web/auth/refresh-tokens", {method: "POST"}).then(answer => answer.status)`
	wantRefused := func() {
		t.Helper()
		if status := evaluate[int](thief, refresh); status != http.StatusForbidden {
			t.Errorf("the thief's refresh was answered with %d", status)
		}
	}
	wantRefused()
	pass(t, accessTTL)
	thief.wantStatus(me, http.StatusUnauthorized)
	wantRefused()

	// A program can say that it is the browser.
	id := thief.claims(stolen[1].Value)["sid"].(string)
	jar := fmt.Sprintf("%s=%s", stolen[1].Name, stolen[1].Value)
	if status := s.post("/web/auth/refresh-tokens", "", "Cookie", jar, sessionIDHeader, id); status != http.StatusForbidden {
		t.Errorf("the thief's program was answered with %d", status)
	}
	victim.awaitNoAccess(s)
	victim.wantStatus(me, http.StatusOK)
	if n := s.sessions(); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	s.wantNoTheft()
	thief.wantStatus(me, http.StatusUnauthorized)
}
