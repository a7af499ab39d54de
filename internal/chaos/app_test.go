package chaos_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// grace is the app's grace period. A server that was killed is back long before it ends, so a device whose answer got lost
// may send its token again.
const grace = 30 * time.Second

func needEnv(t *testing.T, variable string) {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("%s is not set", variable)
	}
}

// bin is where the app is built, once for all tests.
var bin string

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "refreshtokens-chaos"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(bin)
	os.Exit(code)
}

var buildApp = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(bin, "example_app")
	output, err := exec.Command("go", "build", "-o", binary, "../../example_app").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return binary, nil
})

// app is the example app as a process of its own.
type app struct {
	t           *testing.T
	addr        string
	databaseURL string
	log         string
	command     *exec.Cmd
}

func newApp(t *testing.T, databaseURL string) *app {
	t.Helper()
	a := &app{t: t, addr: fmt.Sprintf("127.0.0.1:%d", freePort(t)), databaseURL: databaseURL, log: filepath.Join(t.TempDir(), "app.log")}
	a.start()
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			a.showErrors()
		}
	})
	return a
}

func (a *app) base() string { return "http://" + a.addr }

func (a *app) start() {
	a.t.Helper()
	binary, err := buildApp()
	if err != nil {
		a.t.Fatal(err)
	}
	a.command = exec.Command(binary)
	a.command.Env = append(os.Environ(), "ADDR="+a.addr, "DATABASE_URL="+a.databaseURL,
		"GRACE_PERIOD="+grace.String(), "JWT_SECRET="+testhost.Secret)
	log, err := os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	a.command.Stderr = log
	if err := a.command.Start(); err != nil {
		a.t.Fatal(err)
	}
	waitFor(a.t, "the app", func() bool {
		response, err := http.Get(a.base() + "/healthz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// kill is SIGKILL: nothing is finished, nothing is closed.
func (a *app) kill() {
	_ = a.command.Process.Kill()
	_ = a.command.Wait()
}

// showErrors prints the last errors that the app logged.
func (a *app) showErrors() {
	text, err := os.ReadFile(a.log)
	if err != nil {
		a.t.Log(err)
		return
	}
	var failures []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"level":"ERROR"`) {
			failures = append(failures, line)
		}
	}
	a.t.Logf("the app's last errors:\n%s", strings.Join(failures[max(0, len(failures)-10):], ""))
}

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	for !ready() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s does not come up", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

func postgresURL(config *pgx.ConnConfig) string {
	query := url.Values{"sslmode": {"disable"}}
	for name, value := range config.RuntimeParams {
		query.Set(name, value)
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(config.User, config.Password),
		Host: fmt.Sprintf("%s:%d", config.Host, config.Port), Path: "/" + config.Database, RawQuery: query.Encode(),
	}
	return u.String()
}

func mysqlURL(config *mysqldriver.Config) string {
	u := url.URL{Scheme: "mysql", User: url.UserPassword(config.User, config.Passwd), Host: config.Addr, Path: "/" + config.DBName}
	return u.String()
}

func decode(t *testing.T, segment string) []byte {
	t.Helper()
	decoded, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		t.Error(err)
	}
	return decoded
}
