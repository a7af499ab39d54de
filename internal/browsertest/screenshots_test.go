package browsertest_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/page"
)

// TestScreenshots writes the pictures of the page into docs/, where REFRESHTOKENS_SCREENSHOTS is set (make screenshots).
func TestScreenshots(t *testing.T) {
	if os.Getenv("REFRESHTOKENS_SCREENSHOTS") == "" {
		t.Skip("REFRESHTOKENS_SCREENSHOTS is not set")
	}
	const limit = 150 << 10
	eachView(t, func(view string, tab *tab) {
		if !slices.Contains([]string{"sign-in", "home"}, view) {
			return
		}
		for _, look := range looks {
			tab.setLook(look)
			quality := int64(90)
			picture := call(tab, page.CaptureScreenshot, page.CaptureScreenshotParams{
				Format: page.CaptureScreenshotFormatWebp, Quality: &quality,
			}).Data
			name := "page-" + view + "-" + look.name + ".webp"
			if len(picture) > limit {
				t.Errorf("%s has %d bytes, want at most %d", name, len(picture), limit)
			}
			if err := os.WriteFile(filepath.Join("..", "..", "docs", name), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
}
