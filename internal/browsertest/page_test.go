package browsertest_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// mode is how the page keeps its tokens.
type mode struct {
	name   string
	page   string // path of the page
	prefix string // of the API
}

var (
	body   = mode{"body", "/?mode=body", "/v1"}
	cookie = mode{"cookie", "/", "/web"}
)

func (m mode) refresh() string { return "POST " + m.prefix + "/auth/refresh-tokens" }

// inEachMode runs a test in body mode and in cookie mode.
func inEachMode(t *testing.T, test func(t *testing.T, m mode)) {
	t.Parallel()
	needBrowser(t)
	for _, m := range []mode{body, cookie} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			test(t, m)
		})
	}
}

const (
	ada      = "ada@example.com" // the user of most tests
	password = "correct horse 1" // everybody's
)

// awaitView waits until the page shows a view.
func (tab *tab) awaitView(view string) {
	tab.t.Helper()
	tab.waitUntil(fmt.Sprintf(`document.documentElement.dataset.view === %q`, view))
}

// awaitMessage waits until the page tells the user something that matches a regular expression.
func (tab *tab) awaitMessage(pattern string) {
	tab.t.Helper()
	tab.waitUntil(fmt.Sprintf(`/%s/i.test(document.querySelector("#message").textContent)`, pattern))
}

// awaitDevices waits until the list of devices is this long.
func (tab *tab) awaitDevices(count int) {
	tab.t.Helper()
	tab.waitUntil(`document.querySelectorAll("#devices li[data-session-id]").length === ` + strconv.Itoa(count))
}

// press clicks with the mouse on what a selector finds.
func (tab *tab) press(selector string) {
	tab.t.Helper()
	tab.do("click on "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible, chromedp.NodeEnabled))
}

// fill replaces the text of a field as a user would.
func (tab *tab) fill(selector, text string) {
	tab.t.Helper()
	tab.do("wait for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
	evaluate[chromedp.Void](tab, fmt.Sprintf(`document.querySelector(%q).focus(), document.querySelector(%q).select()`, selector, selector))
	call(tab, input.InsertText, input.InsertTextParams{Text: text})
}

// signUp makes an account on the page and waits until it is signed in.
func (tab *tab) signUp(name, email string) {
	tab.t.Helper()
	tab.awaitView("sign-in")
	tab.press("#to-sign-up")
	tab.awaitView("sign-up")
	tab.fill("#sign-up-name", name)
	tab.fill("#sign-up-email", email)
	tab.fill("#sign-up-password", password)
	tab.press("#sign-up [type=submit]")
	tab.awaitView("home")
}

// signIn signs in on the page and waits until that is done.
func (tab *tab) signIn(email string) {
	tab.t.Helper()
	tab.trySignIn(email, password)
	tab.awaitView("home")
}

func (tab *tab) trySignIn(email, password string) {
	tab.t.Helper()
	tab.awaitView("sign-in")
	tab.fill("#sign-in-email", email)
	tab.fill("#sign-in-password", password)
	tab.press("#sign-in [type=submit]")
}

// newUser opens the page in a profile of its own and makes an account there.
func newUser(t *testing.T, s *site, m mode, email string) (*profile, *tab) {
	t.Helper()
	p := newProfile(t)
	tab := p.open(s.origin + m.page)
	tab.signUp("Ada Lovelace", email)
	return p, tab
}
