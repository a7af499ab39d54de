package browsertest_test

import (
	"testing"
	"time"
)

// TestLostAnswer loses the answer of a refresh after the app has rotated the token. The page tries again and stays signed in.
func TestLostAnswer(t *testing.T) {
	for name, how := range map[string]fate{"before it begins": lost, "in its middle": cut} {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, m mode) {
				s := newSite(t)
				_, tab := newUser(t, s, m, ada)
				old := tab.refreshToken(s, m)
				s.forget()
				s.loseNext(m.refresh(), how, 2) // Chromium itself may try once more
				tab.press("#refresh-now")
				tab.waitUntil(`document.documentElement.dataset.view === "home"`)
				waitFor(t, "another try", func() bool { return len(s.seen(m.refresh())) > 2 })
				waitFor(t, "its token", func() bool { return tab.refreshToken(s, m) != old })
				tab.reload()
				tab.awaitView("home")
				if n := s.sessions(); n != 1 {
					t.Errorf("%d sessions, want 1", n)
				}
				if n := s.events("refreshed"); n != 1 {
					t.Errorf("%d rotations, want 1", n)
				}
				tab.noProblems()
			})
		})
	}
}

// TestRestart restarts the server while the page is open. The page shows that it waits, and goes on by itself.
func TestRestart(t *testing.T) {
	inEachMode(t, func(t *testing.T, m mode) {
		s := newSite(t, "ACCESS_TTL=4s")
		_, tab := newUser(t, s, m, ada)
		s.stop()
		tab.waitUntil(`document.documentElement.dataset.online === "false"`)
		tab.awaitView("home")
		s.start()
		tab.waitUntil(`document.documentElement.dataset.online === "true"`)
		tab.awaitAccess()
		tab.reload()
		tab.awaitView("home")
		if n := s.sessions(); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
		tab.noProblems()
	})
}

// TestOffline takes the browser off the network for longer than the access token lives.
func TestOffline(t *testing.T) {
	inEachMode(t, func(t *testing.T, m mode) {
		const accessTTL = 3 * time.Second
		s := newSite(t, "ACCESS_TTL="+accessTTL.String())
		_, tab := newUser(t, s, m, ada)
		tab.offline(true)
		tab.waitUntil(`document.documentElement.dataset.online === "false"`)
		pass(t, accessTTL)
		tab.awaitView("home")
		tab.offline(false)
		tab.waitUntil(`document.documentElement.dataset.online === "true"`)
		tab.awaitAccess()
		if n := s.sessions(); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
		tab.noProblems()
	})
}

// TestSleep is a laptop with four tabs that sleeps for longer than the access token lives. Once awake, it refreshes once.
func TestSleep(t *testing.T) {
	inEachMode(t, func(t *testing.T, m mode) {
		const accessTTL = 3 * time.Second
		s := newSite(t, "ACCESS_TTL="+accessTTL.String())
		w := openWindow(t, s, m, true, 4)
		w.openRest()
		w.each((*tab).sleep)
		s.forget()
		pass(t, accessTTL)
		if n := len(s.all()); n != 0 {
			t.Errorf("%d requests in its sleep", n)
		}
		w.tabs[0].age(s, m, time.Hour)
		w.beginRound()
		w.each((*tab).wake)
		w.each((*tab).awaitAccess)
		w.endRound()
	})
}
