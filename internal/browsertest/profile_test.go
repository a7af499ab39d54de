package browsertest_test

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// profile is a fresh browser profile: its tabs share cookies and storage with each other and with nobody else.
type profile struct {
	t      *testing.T
	ctx    context.Context
	script string // runs in each page before the page's own scripts
	tabs   []*tab
}

func newProfile(t *testing.T) *profile {
	t.Helper()
	needBrowser(t)
	return newProfileIn(t, browser)
}

func newProfileIn(t *testing.T, browser context.Context) *profile {
	t.Helper()
	ctx, closeProfile := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeProfile)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a profile: %v", err)
	}
	p := &profile{t: t, ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			p.show()
		}
	})
	return p
}

// tab is one tab of a profile.
type tab struct {
	t        *testing.T
	ctx      context.Context
	close    context.CancelFunc
	problems chan string // what the page has logged as an error
}

// open opens a tab in a window of its own, so that its page is visible.
func (p *profile) open(url string) *tab {
	p.t.Helper()
	tab := p.newTab(true)
	tab.navigate(url)
	return tab
}

// newTab opens an empty tab: in a window of its own, or in that of the profile, where only the newest tab is visible.
func (p *profile) newTab(newWindow bool) *tab {
	p.t.Helper()
	tab := &tab{t: p.t, problems: make(chan string, 1000)}
	tab.ctx, tab.close = chromedp.NewContext(p.ctx, chromedp.WithListener(tab.hear), chromedp.WithNewWindow(newWindow))
	p.tabs = append(p.tabs, tab)
	if err := chromedp.Do(tab.ctx); err != nil {
		p.t.Fatalf("open a tab: %v", err)
	}
	if p.script != "" {
		call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: p.script})
	}
	return tab
}

// hear keeps what goes wrong in the page: uncaught exceptions, and what the browser refuses, such as a script that the page's
// Content-Security-Policy forbids. Requests that fail are not among it, because many tests are about these.
func (tab *tab) hear(event any) {
	problem := ""
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = describe(event.ExceptionDetails)
	case *log.EventEntryAdded:
		if event.Entry.Level == log.EntryLevelError && event.Entry.Source != log.EntrySourceNetwork {
			problem = event.Entry.Text
		}
	}
	if problem != "" {
		select {
		case tab.problems <- problem:
		default: // the first thousand will do
		}
	}
}

// noProblems fails the test if anything went wrong in the page so far.
func (tab *tab) noProblems() {
	tab.t.Helper()
	for {
		select {
		case problem := <-tab.problems:
			tab.t.Errorf("the page has a problem: %s", problem)
		default:
			return
		}
	}
}

func (tab *tab) navigate(url string) {
	tab.t.Helper()
	tab.do("open "+url, chromedp.Navigate(url))
}

func (tab *tab) reload() {
	tab.t.Helper()
	tab.do("reload", chromedp.Reload())
}

// do runs actions, and gives up when they take too long.
func (tab *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		tab.t.Fatalf("%s: %v", what, err)
	}
}

// try evaluates a JavaScript expression in the page. If that is a promise, it waits for the result.
func try[T any](tab *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// evaluate is try, and an error ends the test.
func evaluate[T any](tab *tab, expression string) T {
	tab.t.Helper()
	value, err := try[T](tab, expression)
	if err != nil {
		tab.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// waitUntil waits until a JavaScript expression is true. The page may load anew meanwhile.
func (tab *tab) waitUntil(expression string) {
	tab.t.Helper()
	deadline := time.Now().Add(patience)
	for pause := 10 * time.Millisecond; ; pause = min(pause*3/2, 200*time.Millisecond) {
		ok, err := try[bool](tab, "Boolean("+expression+")")
		if ok {
			return
		}
		if time.Now().After(deadline) {
			tab.t.Fatalf("waited in vain until %s: %v", expression, err)
		}
		select {
		case <-tab.ctx.Done():
			tab.t.Fatalf("wait until %s: %v", expression, tab.ctx.Err())
		case <-time.After(pause): // thirty tabs that ask more often would slow each other down
		}
	}
}

// cookies returns the cookies that the profile has for a URL, HttpOnly ones too.
func (tab *tab) cookies(url string) []*network.Cookie {
	tab.t.Helper()
	return call(tab, network.GetCookies, network.GetCookiesParams{URLs: []string{url}}).Cookies
}

func describe(details *runtime.ExceptionDetails) string {
	if details.Exception != nil && details.Exception.Description != "" {
		return details.Exception.Description
	}
	return details.Text
}

// show prints where the tabs are.
func (p *profile) show() {
	tabs := map[string]int{}
	for _, tab := range p.tabs {
		state, err := try[string](tab, `[location, document.documentElement.dataset.view, document.querySelector("#message")?.textContent].join(" ")`)
		if err != nil {
			state = err.Error()
		}
		tabs[state]++
	}
	p.t.Logf("the profile's tabs: %v", tabs)
}
