package browsertest_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

// Without the lock, all tabs may refresh at once. The script takes away what refresh.js has to prevent that.
const noLocks = `delete Navigator.prototype.locks; delete globalThis.BroadcastChannel;`

// inEachBrowser runs a test in both modes, in today's browsers and in one without Web Locks and BroadcastChannel.
func inEachBrowser(t *testing.T, test func(t *testing.T, m mode, locks bool)) {
	inEachMode(t, func(t *testing.T, m mode) {
		for name, locks := range map[string]bool{"locks": true, "no locks": false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, m, locks)
			})
		}
	})
}

// TestTenTabs wakes ten tabs at once. Their access tokens have ended, and the refresh token is due for rotation.
func TestTenTabs(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, m mode, locks bool) {
		const accessTTL = 3 * time.Second
		s := newSite(t, "ACCESS_TTL="+accessTTL.String())
		w := openWindow(t, s, m, locks, 10)
		w.openRest()
		for range 7 {
			w.each((*tab).sleep)
			pass(t, accessTTL)
			w.beginRound()
			w.each((*tab).wake)
			w.each((*tab).awaitAccess)
			w.endRound()
		}
	})
}

// TestThirtyTabs restores a window of thirty tabs over five seconds on a slow network.
func TestThirtyTabs(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, m mode, locks bool) {
		const size = 30
		s := newSite(t)
		w := openTabs(t, s, m, locks, size, false)
		w.each(func(tab *tab) {
			tab.setNetwork(network.Conditions{Latency: 100, DownloadThroughput: 200e3, UploadThroughput: 100e3})
		})
		for range 3 {
			w.beginRound()
			w.each(func(tab *tab) { tab.navigate("about:blank") })
			w.eachWith(func(i int, tab *tab) {
				pass(t, time.Duration(i)*5*time.Second/size)
				tab.navigate(s.origin + m.page)
				tab.awaitAccess()
			})
			w.endRound()
		}
	})
}

// window is the tabs of one profile, in which Ada is signed in.
type window struct {
	t         *testing.T
	site      *site
	mode      mode
	locks     bool
	tabs      []*tab
	rotations int // before the round
}

// openWindow signs Ada up in the first tab. The others are empty. Each is visible, in a window of its own.
func openWindow(t *testing.T, s *site, m mode, locks bool, size int) *window {
	t.Helper()
	return openTabs(t, s, m, locks, size, true)
}

// openTabs is openWindow where the tabs may be in one window. All but one are hidden then.
func openTabs(t *testing.T, s *site, m mode, locks bool, size int, visible bool) *window {
	t.Helper()
	w := &window{t: t, site: s, mode: m, locks: locks}
	p := newProfile(t)
	if !locks {
		p.script = noLocks
	}
	for i := range size {
		w.tabs = append(w.tabs, p.newTab(i == 0 || visible))
	}
	w.tabs[0].navigate(s.origin + m.page)
	if has := evaluate[bool](w.tabs[0], `"locks" in navigator && "BroadcastChannel" in globalThis`); has != locks {
		t.Fatalf("the page has locks: %t, want %t", has, locks)
	}
	w.tabs[0].signUp("Ada Lovelace", ada)
	return w
}

// openRest opens the page in the other tabs.
func (w *window) openRest() {
	w.t.Helper()
	w.eachWith(func(i int, tab *tab) {
		if i > 0 {
			tab.navigate(w.site.origin + w.mode.page)
			tab.awaitView("home")
		}
	})
}

// each does something in all tabs at once.
func (w *window) each(do func(*tab)) {
	w.t.Helper()
	w.eachWith(func(_ int, tab *tab) { do(tab) })
}

func (w *window) eachWith(do func(i int, tab *tab)) {
	w.t.Helper()
	var wait sync.WaitGroup
	for i, tab := range w.tabs {
		wait.Go(func() { do(i, tab) })
	}
	wait.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// beginRound makes the refresh token due for rotation.
func (w *window) beginRound() {
	w.t.Helper()
	w.tabs[0].age(w.site, w.mode, 2*gracePeriod)
	w.rotations = w.site.events("refreshed")
	w.site.forget()
}

// endRound fails the test unless every tab is signed in to the one session, which has rotated once in this round.
func (w *window) endRound() {
	w.t.Helper()
	for i, tab := range w.tabs {
		if view := evaluate[string](tab, "document.documentElement.dataset.view"); view != "home" {
			w.t.Errorf("tab %d shows %s", i, view)
		}
		tab.noProblems()
	}
	if n := w.site.sessions(); n != 1 {
		w.t.Errorf("%d sessions, want 1", n)
	}
	if n := w.site.events("refreshed") - w.rotations; n != 1 {
		w.t.Errorf("%d rotations, want 1", n)
	}
	refreshes := w.site.seen(w.mode.refresh())
	for _, e := range refreshes {
		if e.status != http.StatusOK {
			w.t.Errorf("a refresh was answered with %d", e.status)
		}
	}
	w.t.Logf("%d refreshes", len(refreshes))
	// With the lock, they are one or two. On a busy machine, tabs hear from each other late.
	if w.locks && len(refreshes) > max(2, len(w.tabs)/3) {
		w.t.Errorf("%d refreshes, want about one for all tabs", len(refreshes))
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}
