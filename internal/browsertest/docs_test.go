package browsertest_test

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDocsPage: the page at /docs has no barrier that axe-core finds, with every answer open, and is never wider than the window.
func TestDocsPage(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	axe := installAxe(t)
	s := newSite(t, "BINDING=if-offered")
	tab := newProfile(t).open(s.origin + "/docs")
	tab.waitUntil(`document.querySelectorAll("details").length > 40`)
	evaluate[chromedp.Void](tab, `document.querySelectorAll("details").forEach(details => details.open = true)`)
	evaluate[chromedp.Void](tab, axe)
	for _, look := range looks {
		tab.setLook(look)
		for _, finding := range evaluate[[]string](tab, findBarriers) {
			t.Errorf("%s: %s", look.name, finding)
		}
		if width := evaluate[int64](tab, `document.documentElement.scrollWidth`); width > look.width {
			t.Errorf("%s: the page is %d pixels wide, and the window %d", look.name, width, look.width)
		}
	}
	tab.noProblems()
}
