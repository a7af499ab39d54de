package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/nonce"
	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/dpop"
)

var key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// server answers 200 to a request whose proof is good in every respect, and tells the client the newest nonce.
type server struct {
	*httptest.Server
	t        testing.TB
	nonces   *nonce.Source
	elapsed  atomic.Int64 // on its clock, in seconds
	requests atomic.Int64
	accepted atomic.Int64
	token    string // that a request must carry; "" for none
	inBody   bool   // refuses as an authorization server does
	lastBody atomic.Pointer[string]
	lastKey  atomic.Pointer[string] // its thumbprint
	ids      sync.Map               // of the proofs
}

func newServer(t testing.TB) *server {
	s := &server{t: t, nonces: must(nonce.New("dpop", time.Minute, []byte(rand.Text())))}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) now() time.Time {
	return time.Unix(1767323040+s.elapsed.Load(), 0)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	w.Header().Set("DPoP-Nonce", s.nonces.Issue(s.now(), ""))
	proofs := r.Header.Values("DPoP")
	if len(proofs) != 1 {
		s.t.Errorf("%d proofs", len(proofs))
		return
	}
	checked, err := proof.Check(proofs[0], proof.Expect{
		Method: r.Method, URL: "http://" + r.Host + r.URL.RequestURI(), AccessToken: s.token,
		Nonce: func(n string) bool { return s.nonces.Check(n, s.now(), "") },
	})
	if got := r.Header.Get("Authorization"); s.token != "" && got != "DPoP "+s.token || s.token == "" && got != "" {
		err = fmt.Errorf("Authorization is %q", got)
	}
	if htu := claim(proofs[0], "htu"); strings.ContainsAny(htu, "?#@") {
		err = fmt.Errorf("htu is %s", htu)
	}
	if _, again := s.ids.LoadOrStore(checked.ID, true); again && err == nil {
		s.t.Errorf("the proof %s came twice", checked.ID)
	}
	switch {
	case errors.Is(err, proof.ErrNonce) && s.inBody:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"use_dpop_nonce"}`)
	case errors.Is(err, proof.ErrNonce):
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", algs="ES256"`)
		w.WriteHeader(http.StatusUnauthorized)
	case err != nil:
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		s.accepted.Add(1)
		body := string(must(io.ReadAll(r.Body)))
		s.lastBody.Store(&body)
		thumbprint := checked.Key.Thumbprint()
		s.lastKey.Store(&thumbprint)
	}
}

// claim returns a claim of a proof, or "".
func claim(proof, name string) string {
	var claims map[string]any
	must(0, json.Unmarshal(must(base64.RawURLEncoding.DecodeString(strings.Split(proof, ".")[1])), &claims))
	value, _ := claims[name].(string)
	return value
}

func newClient(t testing.TB, key crypto.Signer) *http.Client {
	t.Helper()
	transport, err := dpop.New(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: transport}
}

// send returns the status and the body of the answer.
func send(t testing.TB, client *http.Client, request *http.Request) (status int, body string) {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode, string(must(io.ReadAll(response.Body)))
}

func get(url string) *http.Request { return must(http.NewRequest(http.MethodGet, url, nil)) }

func post(url string, body io.Reader) *http.Request {
	return must(http.NewRequest(http.MethodPost, url, body))
}

// get expects 200, and how many requests the server has got in all.
func (s *server) get(t testing.TB, client *http.Client, path string, requests int64) {
	t.Helper()
	status, _ := send(t, client, get(s.URL+path))
	if got := s.requests.Load(); status != http.StatusOK || got != requests {
		t.Errorf("GET %s: %d after %d requests, want 200 after %d", path, status, got, requests)
	}
}

// fail returns the error of a request that must not be answered.
func fail(client *http.Client, request *http.Request) error {
	response, err := client.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	return err
}

// recorder keeps what is sent and answers 200.
type recorder struct{ sent []*http.Request }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.sent = append(r.sent, request)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
}

type closes struct {
	io.Reader
	closed bool
}

func (c *closes) Close() error {
	c.closed = true
	return nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
