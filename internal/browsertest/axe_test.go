package browsertest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

const axeVersion = "4.14.1"

// TestAccessibility has axe-core look for barriers in each view of the page, light and dark, wide and narrow.
func TestAccessibility(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	axe := installAxe(t)
	eachView(t, func(view string, tab *tab) {
		evaluate[chromedp.Void](tab, axe)
		for _, look := range looks {
			tab.setLook(look)
			for _, finding := range evaluate[[]string](tab, findBarriers) {
				t.Errorf("%s, %s: %s", view, look.name, finding)
			}
		}
	})
}

// findBarriers has axe-core say what it finds, each with where it is.
const findBarriers = `axe.run().then(({violations}) => violations.flatMap(
	violation => violation.id + ": " + violation.help + ": " + violation.nodes.map(node => node.html.slice(0, 200)).join(" ")))`

// installAxe returns the text of axe-core's script.
func installAxe(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed, and axe-core comes from there")
	}
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", dir, "axe-core@"+axeVersion)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("install axe-core: %v: %s", err, output)
	}
	script, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// look is how a device shows the page.
type look struct {
	name          string
	scheme        string
	width, height int64
}

var looks = []look{
	{"light-wide", "light", 1440, 900},
	{"light-narrow", "light", 360, 740},
	{"dark-wide", "dark", 1440, 900},
	{"dark-narrow", "dark", 360, 740},
}

func (tab *tab) setLook(look look) {
	tab.t.Helper()
	tab.do("resize", chromedp.EmulateViewport(look.width, look.height))
	call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}},
	})
	// Colours may fade from one look to the other.
	tab.waitUntil(`document.getAnimations().every(animation => animation.playState !== "running" || animation.effect.getTiming().iterations === Infinity)`)
}

// eachView shows each state of the page in turn.
func eachView(t *testing.T, visit func(view string, tab *tab)) {
	const admin = "admin@example.com"
	s := newSite(t, "ADMIN_EMAIL="+admin)
	tab := newProfile(t).open(s.origin + cookie.page)
	tab.awaitView("sign-in")
	visit("sign-in", tab)
	tab.trySignIn(ada, "wrong horse 1")
	tab.awaitMessage("incorrect email or password")
	visit("sign-in-refused", tab)
	tab.press("#to-sign-up")
	tab.awaitView("sign-up")
	visit("sign-up", tab)
	tab.press("#to-sign-in")
	tab.signUp("Ada Lovelace", ada)
	tab.awaitDevices(1)
	s.signInElsewhere(ada)
	tab.reload()
	tab.awaitDevices(4)
	visit("home", tab)
	tab.offline(true)
	tab.waitUntil(`document.documentElement.dataset.online === "false"`)
	visit("offline", tab)
	tab.offline(false)
	tab.waitUntil(`document.documentElement.dataset.online === "true"`)
	tab.age(s, cookie, 2*freshness)
	tab.reload()
	tab.awaitView("home")
	tab.press("#delete-account")
	tab.waitUntil(`document.querySelector("#step-up").open`)
	visit("step-up", tab)
	tab.reload()
	tab.awaitView("home")
	tab.press("#log-out")
	tab.signUp("Grace Hopper", admin)
	tab.waitUntil(`document.querySelector("tr[data-user-id]")`)
	visit("admin", tab)
	tab.press(userRow(tab, ada) + " .impersonate")
	tab.waitUntil(`document.querySelector("#impersonation").checkVisibility()`)
	visit("impersonation", tab)
	tab.noProblems()
}

// signInElsewhere starts sessions on three other devices.
func (s *site) signInElsewhere(email string) {
	s.t.Helper()
	for _, userAgent := range []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
	} {
		s.post("/v1/auth/login", strings.NewReplacer("EMAIL", email, "PASSWORD", password).Replace(`{"email":"EMAIL","password":"PASSWORD"}`),
			"User-Agent", userAgent)
	}
}
