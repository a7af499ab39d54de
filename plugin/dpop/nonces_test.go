package dpop_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/dpop"
)

// TestNonce: the first request is sent twice, and later ones once, until the nonce is stale.
func TestNonce(t *testing.T) {
	s := newServer(t)
	client := newClient(t, key)
	s.get(t, client, "/", 2)
	s.get(t, client, "/", 3)
	s.elapsed.Store(60) // the old nonce is still good, and the answer has a new one
	s.get(t, client, "/", 4)
	s.elapsed.Store(120)
	s.get(t, client, "/", 5)
	s.elapsed.Store(600)
	s.get(t, client, "/", 7)
}

// TestAuthorizationServer asks for the nonce in the body.
func TestAuthorizationServer(t *testing.T) {
	s := newServer(t)
	s.inBody = true
	s.get(t, newClient(t, key), "/token", 2)
}

// TestBody is sent again from its start where that can be had.
func TestBody(t *testing.T) {
	s := newServer(t)
	client := newClient(t, key)
	if status, _ := send(t, client, post(s.URL, strings.NewReader("the whole body"))); status != http.StatusOK || *s.lastBody.Load() != "the whole body" {
		t.Errorf("%d for the body %q", status, *s.lastBody.Load())
	}

	other := newServer(t)
	for _, want := range []int{http.StatusUnauthorized, http.StatusOK} { // the first request brings the nonce, the second uses it
		stream := &closes{Reader: strings.NewReader("a stream")}
		if status, _ := send(t, client, post(other.URL, stream)); status != want || !stream.closed {
			t.Errorf("a body that can't be read again: %d, want %d; closed: %t", status, want, stream.closed)
		}
	}
}

// TestRepeat sends all of the request again, and reads and closes the answer that the caller doesn't get.
func TestRepeat(t *testing.T) {
	refusal := &closes{Reader: strings.NewReader("refused")}
	var bodies []string
	base := roundTripper(func(request *http.Request) (*http.Response, error) {
		bodies = append(bodies, string(must(io.ReadAll(request.Body))))
		if refusal.Reader.(*strings.Reader).Len() == 0 { // it was read
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
		}
		return &http.Response{StatusCode: http.StatusUnauthorized, Body: refusal, Request: request, Header: http.Header{
			"Www-Authenticate": {`DPoP error="use_dpop_nonce"`}, "Dpop-Nonce": {"nonce"},
		}}, nil
	})
	request := post("http://api.example.com/", strings.NewReader("body"))
	if status, _ := send(t, &http.Client{Transport: must(dpop.New(key, base))}, request); status != http.StatusOK || !refusal.closed {
		t.Errorf("%d, and the refusal is closed: %t", status, refusal.closed)
	}
	if !slices.Equal(bodies, []string{"body", "body"}) {
		t.Errorf("sent the bodies %q", bodies)
	}
}

// TestUnreadable: the error of an answer that breaks off reaches the caller.
func TestUnreadable(t *testing.T) {
	base := roundTripper(func(request *http.Request) (*http.Response, error) {
		body := io.NopCloser(io.MultiReader(strings.NewReader(`{"error":`), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return &http.Response{StatusCode: http.StatusBadRequest, Body: body, Request: request, Header: http.Header{"Dpop-Nonce": {"nonce"}}}, nil
	})
	response, err := (&http.Client{Transport: must(dpop.New(key, base))}).Get("http://api.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); string(body) != `{"error":` || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q and %v", body, err)
	}
}

// TestGivesUp: a server that is never content gets two requests, and the caller its answer.
func TestGivesUp(t *testing.T) {
	for name, row := range map[string]struct {
		status    int
		challenge string
		nonce     func(request int64) string
		body      string
		requests  int64
	}{
		"always another nonce":      {401, `DPoP error="use_dpop_nonce"`, func(n int64) string { return fmt.Sprint("nonce-", n) }, "refused", 2},
		"no nonce":                  {401, `DPoP error="use_dpop_nonce"`, func(int64) string { return "" }, "refused", 1},
		"always the same nonce":     {401, `DPoP error="use_dpop_nonce"`, func(int64) string { return "nonce" }, "refused", 2},
		"a bad proof":               {401, `DPoP error="invalid_dpop_proof"`, func(n int64) string { return fmt.Sprint("nonce-", n) }, "refused", 1},
		"another error in the body": {400, "", func(n int64) string { return fmt.Sprint("nonce-", n) }, `{"error":"invalid_grant"}` + strings.Repeat(" ", 20<<10), 1},
		"no error":                  {200, "", func(n int64) string { return fmt.Sprint("nonce-", n) }, `{"error":"use_dpop_nonce"}`, 1},
		"a nonce that is too long":  {401, `DPoP error="use_dpop_nonce"`, func(int64) string { return strings.Repeat("x", 1025) }, "refused", 1},
	} {
		var requests atomic.Int64
		stubborn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n := requests.Add(1)
			w.Header().Set("WWW-Authenticate", row.challenge)
			w.Header().Set("DPoP-Nonce", row.nonce(n))
			w.WriteHeader(row.status)
			_, _ = io.WriteString(w, row.body)
		}))
		status, body := send(t, newClient(t, key), get(stubborn.URL))
		if status != row.status || body != row.body || requests.Load() != row.requests {
			t.Errorf("%s: %d with a body of %d bytes after %d requests, want %d", name, status, len(body), requests.Load(), row.requests)
		}
		stubborn.Close()
	}
}

// TestTwoNonces in one answer are no nonce (RFC 9449 §8.2).
func TestTwoNonces(t *testing.T) {
	var nonces []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := proof.Check(r.Header.Get("DPoP"), proof.Expect{Method: "GET", URL: "http://" + r.Host, Nonce: func(n string) bool {
			nonces = append(nonces, n)
			return true
		}})
		if err == nil {
			t.Error("there is a nonce")
		}
		w.Header()["Dpop-Nonce"] = []string{"nonce-1", "nonce-2"}
	}))
	defer s.Close()
	client := newClient(t, key)
	for range 2 {
		send(t, client, get(s.URL))
	}
	if len(nonces) > 0 {
		t.Errorf("sent the nonces %q", nonces)
	}
}

// TestOrigins: the nonce of one server is not sent to another.
func TestOrigins(t *testing.T) {
	a, b, client := newServer(t), newServer(t), newClient(t, key)
	a.get(t, client, "/", 2)
	b.get(t, client, "/", 2)
	a.get(t, client, "/", 3)
	b.get(t, client, "/", 3)
}

// TestForgets the nonces of servers that it no longer goes to, so that its memory stays bounded.
func TestForgets(t *testing.T) {
	s := newServer(t)
	base := &many{server: s}
	client := &http.Client{Transport: must(dpop.New(key, base))}
	s.get(t, client, "/", 2)
	for i := range 1000 {
		send(t, client, get(fmt.Sprintf("http://host-%d.example/", i)))
	}
	s.get(t, client, "/", 4)
}

// many are the server and 1,000 others, which need no proof.
type many struct{ server *server }

func (m *many) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.HasSuffix(request.URL.Host, ".example") {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Dpop-Nonce": {"nonce"}}, Body: http.NoBody, Request: request}, nil
	}
	return http.DefaultTransport.RoundTrip(request)
}
