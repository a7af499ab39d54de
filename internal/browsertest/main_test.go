package browsertest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// What TestMain prepares once for all tests.
var (
	browser     context.Context // a running Chromium
	keyBrowser  context.Context // another one, which binds sessions to the device
	binary      string          // the example app
	certificate keyPair         // for localhost; Chromium trusts it
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(enable) == "" {
		return m.Run() // the tests that need a browser skip themselves
	}
	dir, err := os.MkdirTemp("", "refreshtokens-browser")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	binary = filepath.Join(dir, "example_app")
	build := exec.Command("go", "build", "-o", binary, "./example_app")
	build.Dir = filepath.Join("..", "..")
	if output, err := build.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("build the example app: %w: %s", err, output))
	}
	if certificate, err = newKeyPair(dir); err != nil {
		return fail(err)
	}

	for _, launched := range []struct {
		name     string
		browser  *context.Context
		features string
	}{
		{"profile", &browser, ""},
		{"device-profile", &keyBrowser, deviceFeatures},
	} {
		ctx, stop, err := launch(dir, launched.name, launched.features)
		defer stop()
		if err != nil {
			return fail(fmt.Errorf("start Chromium: %w", err))
		}
		*launched.browser = ctx
	}
	return m.Run()
}

// deviceFeatures make Chromium bind sessions to the device, with keys in memory where there is no TPM.
const deviceFeatures = "DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting"

// launch starts a Chromium with a directory of its own for its profile.
func launch(dir, profile, features string) (context.Context, context.CancelFunc, error) {
	options := []chromedp.ExecAllocatorOption{
		chromedp.UserDataDir(filepath.Join(dir, profile)),
		chromedp.Env("TMPDIR=" + dir), // what Chromium leaves there goes with it
		chromedp.Flag("headless", "new"),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("force-prefers-reduced-motion", true), // thirty windows that animate are slow without a GPU
		chromedp.Flag("disable-dev-shm-usage", true),        // containers give /dev/shm little room
		chromedp.Flag("ignore-certificate-errors-spki-list", certificate.keyHash),
	}
	if features != "" {
		options = append(options, chromedp.Flag("enable-features", features))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	return ctx, func() { closeBrowser(); stop() }, chromedp.Do(ctx)
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

const enable = "REFRESHTOKENS_BROWSER"

// needBrowser skips the test where nobody has asked for a browser.
func needBrowser(t *testing.T) {
	t.Helper()
	if browser == nil {
		t.Skipf("%s is not set", enable)
	}
}
