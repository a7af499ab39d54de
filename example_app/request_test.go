package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// connection is a TCP connection to a test server.
type connection struct {
	*net.TCPConn
	t *testing.T
}

func dial(t *testing.T, server *httptest.Server) connection {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return connection{conn.(*net.TCPConn), t}
}

// send sends a request, but holds back the last bytes of its body. missing says how many.
func (c connection) send(method, path, access, body string, missing int) {
	c.t.Helper()
	_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: example\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, access, len(body), body[:len(body)-missing])
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c connection) answer() answer {
	c.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{response.StatusCode, string(body), response.Header}
}

// TestHalfClosed checks that a client gets its answer if it closes its half of the connection after the request.
func TestHalfClosed(t *testing.T) {
	eachApp(t, func(c client) {
		server := httptest.NewServer(c.app.router)
		defer server.Close()
		ask := func(method, path, access, body string) answer {
			conn := dial(c.t, server)
			conn.send(method, path, access, body, 0)
			if err := conn.CloseWrite(); err != nil {
				c.t.Fatal(err)
			}
			return conn.answer()
		}
		first := c.account(ask("POST", "/v1/auth/register", "", ada), 201).Tokens
		for range 25 {
			c.want(ask("POST", "/v1/auth/login", "", adaLogin), 200, "")
			c.want(ask("POST", "/v1/auth/refresh-tokens", "", `{"refreshToken":"`+first.Refresh.Token+`"}`), 200, "")
		}
		access := first.Access.Token
		c.want(ask("GET", "/v1/users/me", access, ""), 200, "")
		c.want(ask("GET", "/v1/auth/refresh-tokens", access, ""), 200, "")
		c.want(ask("PATCH", "/v1/users/me", access, `{"password":"battery staple 2"}`), 200, "")
		c.want(ask("DELETE", "/v1/users/me", access, ""), 204, "")
	})
}

// lines is a log. Each value is one line.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// TestHangingUpIsNoError: a client that is gone, in the middle of its request or after it, leaves one line in the log beside
// the library's events, and it tells of no failure.
func TestHangingUpIsNoError(t *testing.T) {
	logs := make(lines, 1000)
	eachApp(t, func(c client) {
		c.want(c.do("POST", "/v1/auth/register", "", ada), 201, "")
		access := c.account(c.do("POST", "/v1/auth/login", "", adaLogin), 200).Tokens.Access.Token
		for len(logs) > 0 {
			<-logs
		}
		server := httptest.NewServer(c.app.router)
		defer server.Close()
		for _, row := range []struct {
			method, path, body string
			missing            int
		}{
			{method: "POST", path: "/v1/auth/login", body: adaLogin},
			{method: "POST", path: "/v1/auth/login", body: adaLogin, missing: 20},
			{method: "POST", path: "/v1/auth/register", body: strings.Replace(ada, "Ada@", "eve@", 1)},
			{method: "GET", path: "/v1/users/me"},
			{method: "PATCH", path: "/v1/users/me", body: `{"password":"battery staple 2"}`},
			{method: "GET", path: "/healthz"},
			{method: "DELETE", path: "/v1/users/me"},
		} {
			conn := dial(c.t, server)
			conn.send(row.method, row.path, access, row.body, row.missing)
			if err := conn.Close(); err != nil {
				c.t.Fatal(err)
			}
			line := <-logs
			for strings.Contains(line, `level=INFO msg="refreshtokens: `) { // an event of the request
				line = <-logs
			}
			if !strings.Contains(line, "msg=request") || strings.Contains(line, "ERROR") || strings.Contains(line, "error=") || strings.Contains(line, "status=5") {
				c.t.Errorf("%s %s: the log has %s", row.method, row.path, line)
			}
		}
		server.Close() // waits for the requests that are under way
		for len(logs) > 0 {
			c.t.Errorf("the log also has %s", <-logs)
		}
	}, logs)
}

func TestRequestID(t *testing.T) {
	logs := make(lines, 1000)
	eachApp(t, func(c client) {
		for len(logs) > 0 {
			<-logs
		}
		for _, row := range []struct {
			name, id string
			kept     bool
		}{
			{"a proxy's id", "0af7651916cd43dd8448eb211c80319c", true},
			{"every character", "aZ09._-", true},
			{"the longest", strings.Repeat("a", 64), true},
			{"too long", strings.Repeat("a", 65), false},
			{"30 KB", strings.Repeat("a", 30_000), false},
			{"none", "", false},
			{"a space", "a b", false},
			{"a line feed", "a\nb", false},
			{"a line feed at the end", "a\n", false},
			{"an escape sequence", "\x1b[31m", false},
			{"markup", "<script>", false},
			{"not ASCII", "é", false},
		} {
			request := httptest.NewRequest(http.MethodGet, "/healthz", http.NoBody)
			request.Header.Set("X-Request-Id", row.id)
			recorder := httptest.NewRecorder()
			c.app.router.ServeHTTP(recorder, request)
			got := recorder.Header().Get("X-Request-Id")
			if (got == row.id) != row.kept || len(got) < 7 || len(got) > 64 {
				c.t.Errorf("%s: the answer has the id %.100q", row.name, got)
			}
			if line := <-logs; !strings.Contains(line, "request_id="+got) {
				c.t.Errorf("%s: the log has %.200q", row.name, line)
			}
		}
	}, logs)
}
