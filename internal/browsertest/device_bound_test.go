package browsertest_test

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestBrowserBinds signs in on two devices. Each browser makes its key without any code in the page.
func TestBrowserBinds(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "BINDING=if-offered")
	newBoundUser(t, s)
	tab := newDeviceProfile(t).open(s.origin + cookie.page)
	tab.signIn(ada)
	tab.awaitBound(s, 2)
	const bound = `fetch("/web/auth/refresh-tokens").then(answer => answer.json()).then(list => list.sessions.map(session => session.bound))`
	if list := evaluate[[]bool](tab, bound); !slices.Equal(list, []bool{true, true}) {
		t.Errorf("the sessions are bound: %v, want two that are", list)
	}
	tab.press("#refresh-now")
	tab.waitUntil(`/renewed by your browser/i.test(document.querySelector("#access-life").textContent)`)
	tab.awaitView("home")
	tab.noProblems()
	s.wantNoTheft()
}

// TestBrowserRefreshes lets the access token end again and again. The browser holds the next request until it has another one.
func TestBrowserRefreshes(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "BINDING=if-offered", "ACCESS_TTL=3s")
	tab := newBoundUser(t, s)
	for range 3 {
		tab.awaitNoAccess(s)
		s.forget()
		tab.wantStatus(me, http.StatusOK)
		all := s.all()
		request := slices.IndexFunc(all, func(e exchange) bool { return e.is("GET " + me) })
		refresh := slices.IndexFunc(all, func(e exchange) bool { return e.is(cookie.refresh()) && e.status == http.StatusOK })
		if refresh < 0 || refresh > request {
			t.Errorf("the request is number %d and the refresh number %d, want the refresh first", request, refresh)
		}
		if n := len(s.seen(cookie.refresh())) - len(s.browserRefreshes()); n != 0 {
			t.Errorf("%d refreshes are not the browser's own", n)
		}
	}
	if n := s.sessions(); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	s.wantNoTheft()
}

// TestParallelRequests makes ten requests at once when the cookie of the access token has ended. All wait for one refresh.
func TestParallelRequests(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "BINDING=if-offered")
	tab := newBoundUser(t, s)
	tab.endAccess(s)
	s.forget()
	statuses := evaluate[[]int](tab, `Promise.all([...Array(10).keys()].map(i => fetch("`+me+`?" + i).then(answer => answer.status)))`)
	if len(statuses) != 10 || slices.ContainsFunc(statuses, func(status int) bool { return status != http.StatusOK }) {
		t.Errorf("the answers are %v, want ten times 200", statuses)
	}
	refreshes := s.browserRefreshes()
	if n := len(withStatus(refreshes, http.StatusOK)); n != 1 || len(refreshes) > 2 {
		t.Errorf("%d of %d refreshes were answered with 200, want one, and at most one that asks for the challenge", n, len(refreshes))
	}
	if n := len(s.seen("GET " + me)); n != 10 {
		t.Errorf("%d requests, want 10", n)
	}
	s.wantNoTheft()
}

// TestRestartWithDevices restarts the server while the access token ends. Requests fail meanwhile, and then the browser goes on.
func TestRestartWithDevices(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "BINDING=if-offered", "ACCESS_TTL=3s")
	tab := newBoundUser(t, s)
	tab.wantStatus(me, http.StatusOK)
	tab.awaitNoAccess(s)
	s.stop()
	for range 2 {
		if status, err := try[int](tab, `fetch("`+me+`").then(answer => answer.status)`); err == nil {
			t.Errorf("without a server, the request was answered with %d", status)
		}
	}
	s.start()
	for range 2 {
		tab.wantStatus(me, http.StatusOK)
		tab.awaitNoAccess(s)
	}
	if n := s.sessions(); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	s.wantNoTheft()
}

// TestTwoMinutes has a page without any code for tokens make requests for two minutes. The access token lives for 25 seconds.
func TestTwoMinutes(t *testing.T) {
	t.Parallel()
	s := newTLSSite(t, "BINDING=if-offered", "ACCESS_TTL=25s")
	tab := newBoundUser(t, s)
	evaluate[any](tab, `globalThis.answers = [],
		setInterval(() => fetch("`+me+`").then(answer => answer.status, String).then(answer => answers.push(answer)), 4000)`)
	pass(t, 2*time.Minute)
	answers := evaluate[[]any](tab, `answers`)
	if len(answers) < 25 {
		t.Errorf("%d answers in two minutes, want about 30", len(answers))
	}
	for i, answer := range answers {
		if answer != float64(http.StatusOK) {
			t.Errorf("answer %d of %d is %v", i+1, len(answers), answer)
		}
	}
	const quota = 6 // Chromium's, in nine minutes
	n := s.signatures()
	if n > quota {
		t.Errorf("the browser has made %d signatures, and may make %d", n, quota)
	}
	t.Logf("%d requests, %d refreshes, %d signatures", len(answers), len(s.browserRefreshes()), n)
	s.wantNoTheft()
}
