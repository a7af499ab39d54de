package browsertest_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. It is long because two cores may be shared with other work.
const patience = time.Minute

// app is the example app as a process of its own, on a SQLite file.
type app struct {
	t       *testing.T
	addr    string
	scheme  string
	env     []string
	log     string
	client  *http.Client
	command *exec.Cmd
}

// startApp starts the app. Each setting is NAME=value.
func startApp(t *testing.T, settings ...string) *app {
	t.Helper()
	a := &app{t: t, addr: fmt.Sprintf("127.0.0.1:%d", freePort(t)), scheme: "http", log: filepath.Join(t.TempDir(), "app.log")}
	a.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: certificate.pool, ServerName: "localhost"},
		DisableKeepAlives: true, // an app that was stopped is noticed at once
	}}
	a.env = append(os.Environ(), "ADDR="+a.addr, "DATABASE_URL="+filepath.Join(t.TempDir(), "app.db"),
		"JWT_SECRET="+secret)
	a.env = append(a.env, settings...)
	for _, setting := range settings {
		if strings.HasPrefix(setting, "TLS_CERT_FILE=") {
			a.scheme = "https"
		}
	}
	a.start()
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			a.showLog()
		}
	})
	return a
}

// start starts the process and waits until it answers. After stop, it serves the same database under the same address.
func (a *app) start() {
	a.t.Helper()
	log, err := os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	a.command = exec.Command(binary)
	a.command.Env = a.env
	a.command.Stderr = log
	if err := a.command.Start(); err != nil {
		a.t.Fatal(err)
	}
	waitFor(a.t, "the app", func() bool {
		response, err := a.client.Get(a.scheme + "://" + a.addr + "/healthz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (a *app) stop() {
	_ = a.command.Process.Kill()
	_ = a.command.Wait()
}

// showLog prints the last lines that the app logged.
func (a *app) showLog() {
	text, err := os.ReadFile(a.log)
	if err != nil {
		a.t.Log(err)
		return
	}
	lines := strings.SplitAfter(string(text), "\n")
	a.t.Logf("the app's last lines:\n%s", strings.Join(lines[max(0, len(lines)-40):], ""))
}

// waitFor asks again and again until ready says yes.
func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !ready() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
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
