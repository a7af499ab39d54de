package browsertest_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
)

// foreign is a server of somebody else's pages. The page at / is empty; /refresh.js is a copy of the example's.
type foreign struct {
	crossSite string // its origin by a name that is another site than the app's
	sameSite  string // its origin by the app's name: another origin of the same site
}

func newForeign(t *testing.T) foreign {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>Another origin</title>"))
	})
	mux.HandleFunc("GET /refresh.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("..", "..", "example_app", "web", "refresh.js"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return foreign{crossSite: "http://127.0.0.1:" + port, sameSite: "http://localhost:" + port}
}
