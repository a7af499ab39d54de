package conformance_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/binding"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// TestGroupWithParameters checks that the host's group may have path parameters of any name, also one that the plugin uses.
func TestGroupWithParameters(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	host.Register(host.Router.Group("/orgs/:id"))
	host.Register(host.Router.Group("/teams/:team/:sid"))
	for _, prefix := range []string{"/orgs/7", "/teams/1/2"} {
		mine, other := host.Login("alice"), host.Login("alice")
		path := prefix + "/auth/refresh-tokens/" + host.SessionID(other)
		testhost.WantAnswer(t, host.Bearer(http.MethodDelete, path, mine.Access.Token), http.StatusNoContent, "")
		host.WantRefresh(other.Refresh.Token, http.StatusUnauthorized)
		host.WantRefresh(mine.Refresh.Token, http.StatusOK)
	}
}

// TestCleanedPaths checks that DELETE with an odd path after the route never logs out everywhere. A router that cleans such a path
// could turn it into the path that does.
func TestCleanedPaths(t *testing.T) {
	for name, configure := range map[string]func(*gin.Engine){
		"default":           func(*gin.Engine) {},
		"RemoveExtraSlash":  func(e *gin.Engine) { e.RemoveExtraSlash = true },
		"UseRawPath":        func(e *gin.Engine) { e.UseRawPath = true },
		"UseEscapedPath":    func(e *gin.Engine) { e.UseEscapedPath = true },
		"raw and escaped":   func(e *gin.Engine) { e.UseRawPath, e.UnescapePathValues = true, false },
		"raw, extra slash":  func(e *gin.Engine) { e.UseRawPath, e.RemoveExtraSlash = true, true },
		"without redirects": func(e *gin.Engine) { e.RedirectTrailingSlash = false },
	} {
		t.Run(name, func(t *testing.T) {
			host := testhost.New(t, openSQLite(t))
			router := testhost.NewRouter(t)
			configure(router)
			host.Register(router.Group("/v1"))
			host.Router = router
			tokens := host.Login("alice")
			for _, tail := range []string{"/x/..", "/x/../", "/.", "/./", "//", "/x%2F..", "/%2e", "/..%2Frefresh-tokens%2F", "/x/%2e%2e", "%2F", "/?except=current&", "/;"} {
				if status := host.Bearer(http.MethodDelete, testhost.RefreshPath+tail, tokens.Access.Token).Code; status < 300 {
					t.Errorf("%s answered %d", tail, status)
				}
			}
			host.MustRefresh(tokens.Refresh.Token)
			testhost.WantAnswer(t, host.Bearer(http.MethodDelete, testhost.RefreshPath, tokens.Access.Token), http.StatusNoContent, "")
			host.WantRefresh(tokens.Refresh.Token, http.StatusUnauthorized)
		})
	}
}

// TestNoBody checks that a request without body and content type is answered 400, because the token is missing, and not 415.
func TestNoBody(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	for _, path := range []string{testhost.RefreshPath, testhost.LogoutPath} {
		for _, body := range []io.Reader{nil, http.NoBody, strings.NewReader("")} {
			recorder := host.Do(http.MethodPost, path, body)
			if recorder.Code != http.StatusBadRequest || !strings.Contains(recorder.Body.String(), "refreshToken") {
				t.Errorf("%s answered %d %s", path, recorder.Code, recorder.Body)
			}
		}
	}
}

// TestBodyThatTheHostHasRead checks that the routes work if a middleware of the host has read the body with ShouldBindBodyWith.
// Gin keeps such a body in the context.
func TestBodyThatTheHostHasRead(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	router := testhost.NewRouter(t)
	router.Use(func(c *gin.Context) {
		var seen map[string]any
		_ = c.ShouldBindBodyWith(&seen, binding.JSON)
	})
	host.Register(router.Group("/v1"))
	host.Router = router
	host.WantRefresh(host.Login("alice").Refresh.Token, http.StatusOK)
	testhost.WantAnswer(t, host.Post(testhost.RefreshPath, `{"refreshToken":1}`), http.StatusBadRequest, "")
	testhost.WantAnswer(t, host.Post(testhost.RefreshPath, pad(`{"refreshToken":"x"}`, 8<<10+1)), http.StatusRequestEntityTooLarge, "")
}

// dial opens a connection, sends a request, and returns the connection and a reader of the answers.
func dial(t *testing.T, server *httptest.Server, request string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	return connection.(*net.TCPConn), bufio.NewReader(connection)
}

// TestExpectContinue checks that a body is refused before the client sends it, if its Content-Length is too large.
func TestExpectContinue(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	server := httptest.NewServer(host.Router)
	t.Cleanup(server.Close)
	for length, want := range map[int]string{8<<10 + 1: "HTTP/1.1 413", 8 << 10: "HTTP/1.1 100"} {
		_, answers := dial(t, server, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", testhost.RefreshPath, length))
		line, err := answers.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, want) {
			t.Errorf("%d bytes: %q, %v, want %s", length, line, err, want)
		}
	}
}

// TestHalfClosedConnection checks that a client gets its answer on every route if it closes its half of the connection after
// the request. net/http cancels the request's context then. The host's log must get no error.
func TestHalfClosedConnection(t *testing.T) {
	var logs syncBuffer
	host := testhost.New(t, openSQLite(t), func(config *refreshtokens.Config) {
		config.Logger = slog.New(slog.NewTextHandler(&logs, nil))
	})
	server := httptest.NewServer(host.Router)
	t.Cleanup(server.Close)
	for range 25 {
		tokens := host.Login("alice")
		body := `{"refreshToken":"` + tokens.Refresh.Token + `"}`
		bearer := "Authorization: Bearer " + tokens.Access.Token + "\r\n"
		for _, row := range []struct {
			request string
			status  int
		}{
			{fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", testhost.RefreshPath, len(body), body), 200},
			{"GET " + testhost.RefreshPath + " HTTP/1.1\r\nHost: x\r\n" + bearer + "\r\n", 200},
			{"DELETE " + testhost.RefreshPath + "?except=current HTTP/1.1\r\nHost: x\r\n" + bearer + "\r\n", 204},
			{fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", testhost.LogoutPath, len(body), body), 204},
		} {
			connection, answers := dial(t, server, row.request)
			if err := connection.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Errorf("%.30q: %v", row.request, err)
				continue
			}
			if _ = response.Body.Close(); response.StatusCode != row.status {
				t.Errorf("%.30q answered %d, want %d", row.request, response.StatusCode, row.status)
			}
		}
	}
	if strings.Contains(logs.String(), "level=ERROR") {
		t.Errorf("the log has an error: %s", logs.String())
	}
}

// TestUploadsAreCleanedUp checks that the temporary files of an upload are removed. net/http removes them, but only if the
// handler got net/http's own request, so RequireAuth must not replace it.
func TestUploadsAreCleanedUp(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	host := testhost.New(t, openSQLite(t))
	host.Router.POST("/upload", host.RequireAuth(), func(c *gin.Context) {
		if err := c.Request.ParseMultipartForm(1 << 10); err != nil {
			t.Error(err)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) == 0 {
			t.Errorf("the upload made no temporary file: %v", err)
		}
	})
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	file, err := writer.CreateFormFile("file", "large")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write(make([]byte, 1<<20))
	_ = writer.Close()

	server := httptest.NewServer(host.Router)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/upload", &form)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", writer.FormDataContentType())
	request.Header.Set("Authorization", "Bearer "+host.Login("alice").Access.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _ = response.Body.Close(); response.StatusCode != http.StatusOK {
		t.Fatalf("answered %d", response.StatusCode)
	}
	server.Close() // waits for the request to end
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the temporary directory still has %v, %v", left, err)
	}
}
