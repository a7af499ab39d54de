package browsertest_test

import (
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// sleep hides the tab and freezes it: no script in it runs, as when a laptop sleeps.
func (tab *tab) sleep() {
	tab.t.Helper()
	tab.setWindow("minimized")
	tab.waitUntil(`document.visibilityState === "hidden"`)
	call(tab, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen})
}

// wake is the end of sleep.
func (tab *tab) wake() {
	tab.t.Helper()
	call(tab, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateActive})
	tab.setWindow("normal")
	tab.waitUntil(`document.visibilityState === "visible"`)
}

func (tab *tab) setWindow(state cdpbrowser.WindowState) {
	tab.t.Helper()
	id := chromedp.FromContext(tab.ctx).Target.TargetID
	window, err := chromedp.CallBrowser(tab.ctx, cdpbrowser.GetWindowForTarget, cdpbrowser.GetWindowForTargetParams{TargetID: id})
	if err == nil {
		_, err = chromedp.CallBrowser(tab.ctx, cdpbrowser.SetWindowBounds, cdpbrowser.SetWindowBoundsParams{
			WindowID: window.WindowID, Bounds: &cdpbrowser.Bounds{WindowState: state},
		})
	}
	if err != nil {
		tab.t.Fatalf("set the window to %s: %v", state, err)
	}
}

// awaitAccess waits until the page has an access token that lives.
func (tab *tab) awaitAccess() {
	tab.t.Helper()
	tab.waitUntil(`document.documentElement.dataset.view === "home" && Date.parse(document.querySelector("#access-life").dataset.expires) > Date.now()`)
}

// pass lets real time pass: the life of a token that the app has issued. The app has no clock that a test could turn.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
