package jwks_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token/jwks"
)

// issuer serves a key set, without a network.
type issuer struct {
	mu     sync.Mutex
	answer func(request *http.Request) (*http.Response, error)
	asked  atomic.Int64
}

func (i *issuer) RoundTrip(request *http.Request) (*http.Response, error) {
	i.asked.Add(1)
	i.mu.Lock()
	answer := i.answer
	i.mu.Unlock()
	return answer(request)
}

func (i *issuer) does(answer func(*http.Request) (*http.Response, error)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func says(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(request *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: request}, nil
	}
}

func hangs(request *http.Request) (*http.Response, error) {
	<-request.Context().Done()
	return nil, request.Context().Err()
}

// set is the key set of the keys, as a well-behaved issuer writes it.
func set(t testing.TB, keys ...crypto.Signer) string {
	t.Helper()
	var list []jose.JSONWebKey
	for _, key := range keys {
		public := publicOf(t, key)
		list = append(list, jose.JSONWebKey{Key: public.Key, KeyID: public.ID, Algorithm: public.Algorithm, Use: "sig"})
	}
	body, err := json.Marshal(jose.JSONWebKeySet{Keys: list})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func publicOf(t testing.TB, key crypto.Signer) token.PublicKey {
	t.Helper()
	public, err := token.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func (i *issuer) keys(ctx context.Context, t testing.TB, logs io.Writer) *jwks.Keys {
	t.Helper()
	keys, err := jwks.New(ctx, jwks.Config{
		URL: "https://auth.example.com/.well-known/jwks.json", Client: &http.Client{Transport: i}, Logger: slog.New(slog.NewTextHandler(logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func has(keys *jwks.Keys, public token.PublicKey) bool {
	key, err := keys.PublicKey(public.ID)
	if err != nil && !errors.Is(err, token.ErrInvalid) {
		panic(err)
	}
	return err == nil && key.(interface{ Equal(crypto.PublicKey) bool }).Equal(public.Key)
}

// TestKeysFollowTheIssuer: a key is known within five minutes of its publication, and forgotten within five minutes of its end. That
// takes one request in five minutes, however many tokens there are.
func TestKeysFollowTheIssuer(t *testing.T) {
	first, second := testhost.NewAccessKey(t, "EdDSA"), testhost.NewAccessKey(t, "ES256")
	one, two := publicOf(t, first), publicOf(t, second)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		from := &issuer{answer: says(200, set(t, first))}
		keys := from.keys(ctx, t, io.Discard)
		for range 1000 {
			if !has(keys, one) {
				t.Fatal("the key is unknown")
			}
		}
		from.does(says(200, set(t, second)))
		time.Sleep(5*time.Minute + time.Second)
		if !has(keys, two) || from.asked.Load() != 2 {
			t.Errorf("the next key is unknown, or was asked for %d times", from.asked.Load())
		}
		if has(keys, one) {
			t.Error("the withdrawn key is known")
		}
		stop()
		before := from.asked.Load()
		time.Sleep(time.Hour)
		if asked := from.asked.Load() - before; asked > 0 {
			t.Errorf("asked %d times after the end", asked)
		}
	})
}

// TestUnknownKeyIsFetchedOnce, for all tokens that name it, and strangers can't cause more than one request in 30 seconds.
func TestUnknownKeyIsFetchedOnce(t *testing.T) {
	first, second := testhost.NewAccessKey(t, "EdDSA"), testhost.NewAccessKey(t, "EdDSA")
	two := publicOf(t, second)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		from := &issuer{answer: says(200, set(t, first))}
		keys := from.keys(ctx, t, io.Discard)
		from.does(func(request *http.Request) (*http.Response, error) {
			time.Sleep(time.Second) // the requests of the others wait for this one
			return says(200, set(t, first, second))(request)
		})
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				if !has(keys, two) {
					t.Error("the new key is unknown")
				}
			})
		}
		wait.Wait()
		if asked := from.asked.Load(); asked != 2 {
			t.Errorf("asked %d times", asked)
		}
		for i := range 600 { // for a minute
			if _, err := keys.PublicKey(fmt.Sprint("unknown ", i)); !errors.Is(err, token.ErrInvalid) {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if asked := from.asked.Load(); asked > 2+3 {
			t.Errorf("600 unknown kids in a minute: asked %d times", asked-2)
		}
	})
}

// TestStaleKeysWhileTheIssuerIsDown, or hangs, or answers nonsense, however long.
func TestStaleKeysWhileTheIssuerIsDown(t *testing.T) {
	key, other := testhost.NewAccessKey(t, "EdDSA"), testhost.NewAccessKey(t, "EdDSA")
	one, two := publicOf(t, key), publicOf(t, other)
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"down":           func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
		"hangs":          hangs,
		"500":            says(500, `{"error":"Internal Server Error"}`),
		"404":            says(404, set(t, other)),
		"HTML":           says(200, "<!doctype html><title>Log in</title>"),
		"empty":          says(200, ""),
		"no set":         says(200, "{}"),
		"null":           says(200, `{"keys":null}`),
		"an array":       says(200, "[]"),
		"truncated":      says(200, set(t, other)[:40]),
		"another's body": says(200, `{"keys":[`+strings.Repeat(" ", 70<<10)+`]}`),
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			from := &issuer{answer: says(200, set(t, key))}
			var logs bytes.Buffer
			keys := from.keys(ctx, t, &logs)
			from.does(answer)
			began := time.Now()
			if has(keys, two) {
				t.Errorf("%s: a key came from there", name)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: an unknown kid took %v", name, took)
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if !has(keys, one) {
				t.Errorf("%s: the key is gone", name)
			}
			if !strings.Contains(logs.String(), "level=WARN") || !strings.Contains(logs.String(), "auth.example.com") {
				t.Errorf("%s: the log is %s", name, logs.String())
			}
			from.does(says(200, set(t, other)))
			time.Sleep(5*time.Minute + time.Second)
			if !has(keys, two) || has(keys, one) {
				t.Errorf("%s: the issuer is back, and its keys are not", name)
			}
		})
	}
}

// TestSetsThatLie: only keys that can verify an access token of ours count. A set with a private key is refused as a whole.
func TestSetsThatLie(t *testing.T) {
	good, bad := testhost.NewAccessKey(t, "EdDSA"), testhost.NewAccessKey(t, "EdDSA")
	one, two := publicOf(t, good), publicOf(t, bad)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(keys ...jose.JSONWebKey) string {
		body, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	right := jose.JSONWebKey{Key: one.Key, KeyID: one.ID, Algorithm: "EdDSA", Use: "sig"}
	many := make([]jose.JSONWebKey, 10_000)
	for i := range many {
		many[i] = right
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, body string
		refused    bool // the whole set
	}{
		{"another kid", encode(right, jose.JSONWebKey{Key: two.Key, KeyID: one.ID + "x", Algorithm: "EdDSA", Use: "sig"}), false},
		{"the kid of the other key", encode(right, jose.JSONWebKey{Key: two.Key, KeyID: one.ID, Algorithm: "EdDSA", Use: "sig"}), false},
		{"no kid", encode(right, jose.JSONWebKey{Key: two.Key, Algorithm: "EdDSA", Use: "sig"}), false},
		{"for encryption", encode(right, jose.JSONWebKey{Key: two.Key, KeyID: two.ID, Algorithm: "EdDSA", Use: "enc"}), false},
		{"another algorithm", encode(right, jose.JSONWebKey{Key: two.Key, KeyID: two.ID, Algorithm: "ES256", Use: "sig"}), false},
		{"alg HS256", encode(right, jose.JSONWebKey{Key: two.Key, KeyID: two.ID, Algorithm: "HS256", Use: "sig"}), false},
		{"P-384", encode(right, jose.JSONWebKey{Key: &p384.PublicKey, KeyID: two.ID, Algorithm: "ES384", Use: "sig"}), false},
		{"RSA-1024", encode(right, jose.JSONWebKey{Key: &small.PublicKey, KeyID: two.ID, Algorithm: "RS256", Use: "sig"}), false},
		{"another kind of key", strings.Replace(encode(right), `{"keys":[`, `{"keys":[{"kty":"AKP","kid":"`+two.ID+`","alg":"ML-DSA-44","pub":"AA"},`, 1), false},
		{"an unknown use", strings.Replace(encode(right), `{"keys":[`, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"`+strings.Repeat("A", 43)+`","use":"tls","kid":"x"},`, 1), false},
		{"a URL of a certificate", strings.Replace(encode(right), `"use"`, `"x5u":"https://127.0.0.1:1/","use"`, 1), false},
		{"a private key", encode(right, jose.JSONWebKey{Key: bad, KeyID: two.ID, Algorithm: "EdDSA", Use: "sig"}), true},
		{"a secret", encode(right, jose.JSONWebKey{Key: []byte(testhost.Secret), KeyID: two.ID, Algorithm: "HS256", Use: "sig"}), true},
		{"10,000 keys", encode(many...), true},
		{"65 small keys", `{"keys":[` + strings.Repeat(`{"kty":"x"},`, 64) + encode(right)[len(`{"keys":[`):], true},
		{"no key", `{"keys":[]}`, true},
		{"no usable key", encode(jose.JSONWebKey{Key: &p384.PublicKey, KeyID: "x", Algorithm: "ES384", Use: "sig"}), true},
	} {
		asked := 0
		client := &http.Client{Transport: &issuer{answer: func(request *http.Request) (*http.Response, error) {
			asked++
			return says(200, row.body)(request)
		}}}
		ctx, stop := context.WithCancel(t.Context())
		keys, err := jwks.New(ctx, jwks.Config{URL: "https://auth.example.com/jwks.json", Client: client})
		if (err != nil) != row.refused {
			t.Errorf("%s: %v", row.name, err)
		}
		if asked != 1 {
			t.Errorf("%s: %d requests", row.name, asked)
		}
		if err == nil && (!has(keys, one) || has(keys, two)) {
			t.Errorf("%s: the wrong keys are known", row.name)
		}
		stop()
	}
}

// TestWithdrawnLastKey: a set without keys is an answer. A host that goes back to a secret withdraws its keys with it.
func TestWithdrawnLastKey(t *testing.T) {
	key := testhost.NewAccessKey(t, "EdDSA")
	one := publicOf(t, key)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		from := &issuer{answer: says(200, set(t, key))}
		keys := from.keys(ctx, t, io.Discard)
		from.does(says(200, `{"keys":[]}`))
		time.Sleep(5*time.Minute + time.Second)
		if has(keys, one) {
			t.Error("the withdrawn key is known")
		}
	})
}

// TestNoRedirects: the keys are where the host said, over a real connection.
func TestNoRedirects(t *testing.T) {
	key := testhost.NewAccessKey(t, "EdDSA")
	reached := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached = true
		_, _ = io.WriteString(w, set(t, key))
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		_, err := jwks.New(t.Context(), jwks.Config{URL: server.URL})
		server.Close()
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) || reached {
			t.Errorf("%d: %v, followed: %v", status, err, reached)
		}
	}
	keys, err := jwks.New(t.Context(), jwks.Config{URL: elsewhere.URL})
	if err != nil || !has(keys, publicOf(t, key)) {
		t.Error(err)
	}
}

// TestNeverEndingAnswer: reading stops, over a real connection.
func TestNeverEndingAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<10)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	if _, err := jwks.New(t.Context(), jwks.Config{URL: server.URL}); err == nil || !strings.Contains(err.Error(), "the answer is over 65536 bytes") {
		t.Error(err)
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	for _, row := range []struct {
		config jwks.Config
		says   string
	}{
		{jwks.Config{}, "must be the https URL"},
		{jwks.Config{URL: "/.well-known/jwks.json"}, "must be the https URL"},
		{jwks.Config{URL: "://"}, "must be the https URL"},
		{jwks.Config{URL: "http://auth.example.com/jwks.json"}, "must be https: whoever can change the answer"},
		{jwks.Config{URL: "http://127.0.0.1.example.com/"}, "must be https"},
		{jwks.Config{URL: "ftp://localhost/"}, "must be https"},
		{jwks.Config{URL: "https://user:password@auth.example.com/"}, "a user or a password"},
		{jwks.Config{URL: "https://auth.example.com/", Refresh: time.Millisecond}, "Refresh is 1ms and must be at least a second"},
		{jwks.Config{URL: "https://auth.example.com/", Refresh: -1}, "Refresh is -1ns"},
	} {
		_, err := jwks.New(t.Context(), row.config)
		if err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "password@") {
			t.Errorf("%+v: %v", row.config, err)
		}
	}
}

// TestVerifierWithAnIssuersKeys: from the token to the claims, over HTTP.
func TestVerifierWithAnIssuersKeys(t *testing.T) {
	for _, algorithm := range testhost.Algorithms {
		host := newIssuer(t, algorithm)
		server := httptest.NewServer(host.Router)
		keys, err := jwks.New(t.Context(), jwks.Config{URL: server.URL + "/.well-known/jwks.json"})
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := token.NewVerifier(token.Config{KeySource: keys, Clock: host.Clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		access := host.Login("alice").Access.Token
		server.Close() // the keys are there already
		for range 2 {
			if claims, err := verifier.VerifyAccess(access); err != nil || claims.Subject != "alice" {
				t.Errorf("%s: %+v, %v", algorithm, claims, err)
			}
		}
		if _, err := verifier.VerifyAccess(access[:len(access)-4] + "AAAA"); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: a changed signature: %v", algorithm, err)
		}
	}
}
