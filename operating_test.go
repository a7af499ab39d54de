package refreshtokens_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// TestVerifyingService builds the service of docs/operating.md, runs it as a process of its own that holds no secret, and sends it tokens.
func TestVerifyingService(t *testing.T) {
	service := buildListing(t, "docs/operating.md")

	var host *testhost.Host
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { host.Router.ServeHTTP(w, r) }))
	issuer := "http://" + server.Listener.Addr().String()
	newHost := func(audience, key string) *testhost.Host {
		return testhost.New(t, openSQLite(t), testhost.RealTime, func(config *refreshtokens.Config) {
			config.AccessKey = testhost.AccessKey(key)
			config.Issuer, config.Audience = issuer, audience
		})
	}
	host = newHost("reports", "EdDSA")
	host.RegisterJWKS(host.Router)
	server.Start()
	defer server.Close()

	url := start(t, service, "ISSUER="+issuer) + "/reports"
	access := host.Login("alice").Access.Token
	payload := strings.Split(access, ".")[1]
	for name, row := range map[string]struct {
		token  string
		status int
		body   string
	}{
		"good":                {access, http.StatusOK, `{"reportsOf":"alice"}`},
		"good again":          {access, http.StatusOK, `{"reportsOf":"alice"}`},
		"a changed signature": {access[:len(access)-4] + "AAAA", http.StatusUnauthorized, testhost.UnauthorizedBody},
		"unsigned":            {strings.Split(access, ".")[0] + "." + payload + ".", http.StatusUnauthorized, testhost.UnauthorizedBody},
		"a refresh token":     {host.Login("alice").Refresh.Token, http.StatusUnauthorized, testhost.UnauthorizedBody},
		"for another service": {newHost("billing", "EdDSA").Login("alice").Access.Token, http.StatusUnauthorized, testhost.UnauthorizedBody},
		"of another's key":    {newHost("reports", "ES256").Login("alice").Access.Token, http.StatusUnauthorized, testhost.UnauthorizedBody},
	} {
		if status, body := get(t, url, row.token); status != row.status || body != row.body {
			t.Errorf("%s: answered %d %s", name, status, body)
		}
	}
	server.Close()
	later := host.Login("bob").Access.Token
	if status, body := get(t, url, later); status != http.StatusOK || body != `{"reportsOf":"bob"}` {
		t.Errorf("while the issuer is down: answered %d %s", status, body)
	}
}

// buildListing builds the first whole program in a document, and returns the executable.
func buildListing(t *testing.T, document string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, listing, ok := strings.Cut(string(text), "```go\npackage main\n")
	if !ok {
		t.Fatalf("%s has no program", document)
	}
	listing, _, _ = strings.Cut(listing, "```\n")
	source, executable := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "service")
	if err := os.WriteFile(source, []byte("package main\n"+listing), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", executable, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, dependency := range compiled(t, source) {
		if isDatabase(dependency) {
			t.Errorf("a service that verifies compiles %s", dependency)
		}
	}
	return executable
}

// start runs a service on a free port until the test ends, and returns its URL. Its environment has nothing but what is given.
func start(t *testing.T, service string, environment ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, service)
	command.Env = append([]string{"PORT=" + port, "GIN_MODE=release"}, environment...)
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = command.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	for range 200 {
		connection, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			_ = connection.Close()
			return "http://127.0.0.1:" + port
		}
		<-time.After(50 * time.Millisecond) // another process gives no event to wait for
	}
	t.Fatal("the service does not listen")
	return ""
}

func get(t *testing.T, url, token string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}
