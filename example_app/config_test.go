package main

import (
	"bytes"
	"os"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// parse reads the settings as main does. It also returns what was printed.
func parse(t *testing.T, args ...string) (config, string) {
	t.Helper()
	var settings config
	var printed bytes.Buffer
	parser, err := kong.New(&settings, kong.Writers(&printed, &printed), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = parser.Parse(args) // -h gives an error here, because this Exit returns
	return settings, printed.String()
}

// TestDefaults checks the defaults of all settings, and that -h shows them.
func TestDefaults(t *testing.T) {
	for _, name := range []string{
		"ADDR", "DATABASE_URL", "JWT_SECRET", "ACCESS_TTL", "REFRESH_TTL", "SESSION_TTL", "GRACE_PERIOD", "MAX_SESSIONS", "ADMIN_EMAIL",
		"BASE_URL", "TLS_CERT_FILE", "TLS_KEY_FILE", "TRUSTED_ORIGINS", "ACCESS_COOKIE",
		"JWT_PREVIOUS_SECRETS", "ACCESS_KEY_FILE", "PREVIOUS_ACCESS_KEY_FILES", "BINDING",
	} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	settings, _ := parse(t)
	want := config{
		Addr: ":8080", DatabaseURL: "example.db",
		AccessTTL: 15 * time.Minute, RefreshTTL: 168 * time.Hour, SessionTTL: 720 * time.Hour, GracePeriod: 30 * time.Second,
		BaseURL: "http://localhost:8080", Binding: "off",
	}
	if !reflect.DeepEqual(settings, want) {
		t.Errorf("settings are %+v\nwant %+v", settings, want)
	}

	_, help := parse(t, "-h")
	for _, row := range []struct{ flag, value, variable string }{
		{"addr", `":8080"`, "ADDR"},
		{"database-url", `"example.db"`, "DATABASE_URL"},
		{"jwt-secret", "STRING", "JWT_SECRET"},
		{"jwt-previous-secrets", "JWT-PREVIOUS-SECRETS,...", "JWT_PREVIOUS_SECRETS"},
		{"access-key-file", "STRING", "ACCESS_KEY_FILE"},
		{"previous-access-key-files", "PREVIOUS-ACCESS-KEY-FILES,...", "PREVIOUS_ACCESS_KEY_FILES"},
		{"base-url", `"http://localhost:8080"`, "BASE_URL"},
		{"tls-cert-file", "STRING", "TLS_CERT_FILE"},
		{"tls-key-file", "STRING", "TLS_KEY_FILE"},
		{"trusted-origins", "TRUSTED-ORIGINS,...", "TRUSTED_ORIGINS"},
		{"access-ttl", "15m", "ACCESS_TTL"},
		{"refresh-ttl", "168h", "REFRESH_TTL"},
		{"session-ttl", "720h", "SESSION_TTL"},
		{"grace-period", "30s", "GRACE_PERIOD"},
		{"binding", `"off"`, "BINDING"},
		{"max-sessions", "0", "MAX_SESSIONS"},
		{"admin-email", "STRING", "ADMIN_EMAIL"},
	} {
		if !regexp.MustCompile(`(?s)--` + row.flag + `=` + row.value + `\s.*\(\$` + row.variable + `\)`).MatchString(help) {
			t.Errorf("-h does not show %+v:\n%s", row, help)
		}
	}
}

// TestGracePeriodOff checks that zero turns the grace period off. For the library, zero means the default.
func TestGracePeriodOff(t *testing.T) {
	for _, grace := range []string{"0s", "-1s"} {
		settings, _ := parse(t, "--grace-period="+grace)
		if got := settings.plugin().GracePeriod; got >= 0 {
			t.Errorf("%s becomes %v, want a negative duration", grace, got)
		}
	}
}
