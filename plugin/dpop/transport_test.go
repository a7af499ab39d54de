package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/dpop"
)

func TestKeys(t *testing.T) {
	for name, signer := range map[string]crypto.Signer{
		"P-256":                    key,
		"Ed25519":                  ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
		"RSA":                      must(rsa.GenerateKey(rand.Reader, 2048)),
		"one that stays elsewhere": struct{ crypto.Signer }{key},
	} {
		s := newServer(t)
		client := newClient(t, signer)
		s.get(t, client, "/", 2)
		if got, want := *s.lastKey.Load(), client.Transport.(*dpop.Transport).Thumbprint(); got != want {
			t.Errorf("%s: the server saw the key %s, not %s", name, got, want)
		}
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	for name, signer := range map[string]crypto.Signer{
		"none":               nil,
		"P-384":              must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"RSA with 1024 bits": must(rsa.GenerateKey(rand.Reader, 1024)),
		"of another kind":    odd{},
	} {
		if _, err := dpop.New(signer, nil); err == nil || !strings.HasPrefix(err.Error(), "dpop: ") || strings.Contains(err.Error(), "go-jose") {
			t.Errorf("a key that is %s: %v", name, err)
		}
	}
}

type odd struct{ crypto.Signer }

func (odd) Public() crypto.PublicKey { return "public" }

// TestTarget: the proof names the URL as the server sees it.
func TestTarget(t *testing.T) {
	s := newServer(t)
	client := newClient(t, key)
	requests := int64(1)
	for _, path := range []string{"", "/", "/a/b?c=d", "/a%2Fb/caf%C3%A9?x#top", "/~me//x/", "/a b"} {
		requests++
		s.get(t, client, path, requests)
	}
	parsed := must(url.Parse(s.URL + "/me"))
	parsed.User = url.UserPassword("alice", "secret")
	recorded := &recorder{}
	send(t, &http.Client{Transport: must(dpop.New(key, recorded))}, get(parsed.String()))
	request := get(s.URL)
	request.Host = "api.example.com"
	send(t, &http.Client{Transport: must(dpop.New(key, recorded))}, request)
	for i, want := range []string{s.URL + "/me", "http://api.example.com/"} {
		if got := claim(recorded.sent[i].Header.Get("DPoP"), "htu"); got != want {
			t.Errorf("htu is %s, want %s", got, want)
		}
	}
}

// TestRedirect signs for each URL on the way.
func TestRedirect(t *testing.T) {
	s := newServer(t)
	first := httptest.NewServer(http.RedirectHandler(s.URL+"/moved", http.StatusTemporaryRedirect))
	defer first.Close()
	if status, _ := send(t, newClient(t, key), post(first.URL, strings.NewReader("body"))); status != http.StatusOK || *s.lastBody.Load() != "body" {
		t.Errorf("%d for the body %q", status, *s.lastBody.Load())
	}
}

// TestErrors of the connection and of the key reach the caller.
func TestErrors(t *testing.T) {
	s := newServer(t)
	s.Close()
	if err := fail(newClient(t, key), get(s.URL)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("no server: %v", err)
	}
	body := &closes{Reader: strings.NewReader("body")}
	err := fail(newClient(t, broken{key}), post(s.URL, body))
	if !errors.Is(err, errBroken) || !body.closed {
		t.Errorf("a key that doesn't sign: %v; the body is closed: %t", err, body.closed)
	}
}

var errBroken = errors.New("the key is gone")

type broken struct{ crypto.Signer }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errBroken }

// TestConcurrency: 50 requests at once, and no proof is used twice.
func TestConcurrency(t *testing.T) {
	s := newServer(t)
	client := newClient(t, key)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if err := fail(client, post(s.URL, strings.NewReader("body"))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := s.accepted.Load(); got != 50 {
		t.Errorf("%d of 50 requests were accepted", got)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	client := &http.Client{Transport: must(dpop.New(key, &recorder{}))}
	b.ReportAllocs()
	for b.Loop() {
		send(b, client, get("https://api.example.com/v1/me"))
	}
}
