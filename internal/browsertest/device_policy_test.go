package browsertest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestRequiredBinding has a browser that binds no sessions where the app requires it. Its session lasts as long as its access token,
// and then the page asks to sign in. A browser that binds its session goes on.
func TestRequiredBinding(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "BINDING=required", "ACCESS_TTL=3s")
	_, plain := newUser(t, s, cookie, ada)
	plain.wantText("#user-email", ada)
	plain.awaitNoAccess(s)
	plain.reload()
	plain.awaitView("sign-in")
	plain.awaitMessage("sign in again")
	plain.wantStatus(me, http.StatusUnauthorized)
	s.forget()
	plain.reload()
	plain.awaitView("sign-in")
	refused := s.seen(cookie.refresh())
	if len(refused) == 0 || len(withStatus(refused, http.StatusForbidden)) != len(refused) {
		t.Errorf("%d refreshes, want some, and all answered with 403", len(refused))
	}
	for _, e := range refused {
		if e.request.Get(sessionIDHeader) != "" || e.header.Get("Secure-Session-Registration") == "" {
			t.Errorf("the refusal of %v asks for no registration", e.request)
		}
	}
	plain.signIn(ada)

	tab := newDeviceProfile(t).open(s.origin + cookie.page)
	tab.signIn(ada)
	tab.awaitBound(s, 1)
	tab.awaitNoAccess(s)
	tab.reload()
	tab.awaitView("home")
	tab.leaveScripts(s)
	tab.awaitNoAccess(s)
	tab.wantStatus(me, http.StatusOK)
	s.wantNoTheft()
}

// TestOfferedBinding has a browser that binds no sessions where the app offers it. It goes on as before.
func TestOfferedBinding(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "BINDING=if-offered", "ACCESS_TTL=3s")
	_, tab := newUser(t, s, cookie, ada)
	tab.awaitAccess()
	waitFor(t, "two refreshes of the page", func() bool { return len(withStatus(s.seen(cookie.refresh()), http.StatusOK)) >= 2 })
	tab.reload()
	tab.awaitView("home")
	if n := len(s.seen(registrationRoute)) + len(s.browserRefreshes()); n != 0 {
		t.Errorf("%d requests of the browser's own", n)
	}
	s.wantNoTheft()
	tab.noProblems()
}

// TestQuota uses up the signatures that the browser may make in nine minutes. Its requests then go without the access token. Nobody
// is logged out, and nothing is taken for theft.
func TestQuota(t *testing.T) {
	t.Parallel()
	const quota = 6
	s := newTLSSite(t, "BINDING=if-offered")
	tab := newBoundUser(t, s)
	for i := 1; i < quota; i++ {
		if status := evaluate[int](tab, logIn); status != http.StatusOK {
			t.Fatalf("login %d was answered with %d", i, status)
		}
		tab.awaitBound(s, i+1)
	}
	tab.endAccess(s)
	s.forget()
	tab.wantStatus(me, http.StatusUnauthorized)
	for _, e := range s.seen("GET " + me) {
		if skipped := e.request.Get(skippedHeader); !strings.HasPrefix(skipped, "quota_exceeded") {
			t.Errorf("the request has %s: %q", skippedHeader, skipped)
		}
	}
	if n := s.sessions(); n != quota {
		t.Errorf("%d sessions, want %d", n, quota)
	}
	tab.refreshCookie(s)
	tab.navigate(s.origin + cookie.page)
	tab.waitUntil(`document.querySelector("#loading-failed").checkVisibility()`) // with a button to try again
	s.wantNoTheft()
}

var logIn = fmt.Sprintf(`fetch("/web/auth/login", {
	method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({email: %q, password: %q}),
}).then(answer => answer.status)`, ada, password)
