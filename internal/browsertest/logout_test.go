package browsertest_test

import (
	"testing"
)

// TestLogOutEverywhere logs out in one tab. The other tabs of the profile are signed out at once, with no request of theirs.
func TestLogOutEverywhere(t *testing.T) {
	inEachMode(t, func(t *testing.T, m mode) {
		s := newSite(t)
		w := openWindow(t, s, m, true, 3)
		w.openRest()
		s.forget()
		w.tabs[0].press("#log-out")
		w.each(func(tab *tab) {
			tab.awaitView("sign-in")
			tab.awaitMessage("signed out")
			tab.noProblems()
		})
		if n := len(s.seen(m.refresh())); n != 0 {
			t.Errorf("%d refreshes, want none", n)
		}
		w.each((*tab).reload)
		w.each(func(tab *tab) { tab.awaitView("sign-in") })
	})
}

// TestLateAnswer delays the answer of a refresh until after the log-out. It brings nothing back.
func TestLateAnswer(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, m mode, locks bool) {
		s := newSite(t)
		w := openWindow(t, s, m, locks, 2)
		w.openRest()
		answered, release := s.holdNext(m.refresh())
		w.tabs[0].press("#refresh-now")
		<-answered
		w.tabs[1].press("#log-out")
		w.tabs[1].awaitView("sign-in")
		release()
		w.tabs[0].awaitView("sign-in")
		w.each(func(tab *tab) {
			if token := evaluate[string](tab, storedToken); token != "" {
				t.Error("a token is back in the page's storage")
			}
			tab.reload()
			tab.awaitView("sign-in")
			tab.noProblems()
		})
		if n := s.sessions(); n != 0 {
			t.Errorf("%d sessions live on", n)
		}
	})
}
