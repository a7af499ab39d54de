package browsertest_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// site is what a browser sees: the app behind a proxy that remembers each request, and that can lose or delay answers.
type site struct {
	*app
	origin string

	mu        sync.Mutex
	exchanges []*exchange
	tamper    func(*exchange) fate
}

// newSite starts an app with the settings, each NAME=value, at http://localhost and a port of its own.
func newSite(t *testing.T, settings ...string) *site {
	t.Helper()
	return start(t, "http", settings)
}

// newTLSSite starts an app at https://localhost.
func newTLSSite(t *testing.T, settings ...string) *site {
	t.Helper()
	needBrowser(t)
	return start(t, "https", append(settings, "TLS_CERT_FILE="+certificate.certificateFile, "TLS_KEY_FILE="+certificate.keyFile))
}

func start(t *testing.T, scheme string, settings []string) *site {
	t.Helper()
	needBrowser(t)
	s := new(site)
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.relay))
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.origin = scheme + "://localhost:" + port
	s.app = startApp(t, append([]string{"BASE_URL=" + s.origin}, settings...)...)
	if scheme == "https" {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate.pair}}
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.show()
		}
		s.setTamper(nil)
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// all returns the requests so far.
func (s *site) all() []exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []exchange
	for _, e := range s.exchanges {
		all = append(all, *e)
	}
	return all
}

// seen returns the requests so far whose method and path are those of route, such as "POST /v1/auth/login".
func (s *site) seen(route string) []exchange {
	return slices.DeleteFunc(s.all(), func(e exchange) bool { return !e.is(route) })
}

// forget makes all and seen start anew.
func (s *site) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchanges = nil
}

// show prints the last requests.
func (s *site) show() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	for _, e := range s.exchanges[max(0, len(s.exchanges)-60):] {
		fmt.Fprintf(&text, "%s %d %s %s\n", e.arrived.Format("05.000"), e.status, e.method, e.path)
	}
	s.t.Logf("the last requests:\n%s", text.String())
}

// post sends a JSON body past the proxy. The headers are given as name, value, name, value and so on.
func (s *site) post(path, content string, headers ...string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.scheme+"://"+s.addr+path, strings.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	_, request.Host, _ = strings.Cut(s.origin, "://")
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// sessions returns how many live sessions Ada has, by the app's own command.
func (s *site) sessions() int {
	s.t.Helper()
	command := exec.CommandContext(s.t.Context(), binary, "sessions", "list", "--user", ada)
	command.Env = s.env
	output, err := command.Output()
	if err != nil {
		s.t.Fatalf("list the sessions: %v", err)
	}
	return strings.Count(string(output), "\n") - 1 // without the heading
}

// events returns how often something has happened to sessions since the app started, by its metrics.
func (s *site) events(kind string) int {
	s.t.Helper()
	response, err := s.client.Get(s.scheme + "://" + s.addr + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	total := 0
	for _, match := range regexp.MustCompile(`(?m)^refreshtokens_session_events_total\{[^}]*="`+kind+`"[^}]*\} (\d+)$`).FindAllSubmatch(text, -1) {
		count, err := strconv.Atoi(string(match[1]))
		if err != nil {
			s.t.Fatal(err)
		}
		total += count
	}
	return total
}
