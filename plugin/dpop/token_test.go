package dpop_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/dpop"
)

// TestToken sends the access token, and names it in the proof.
func TestToken(t *testing.T) {
	s := newServer(t)
	s.token = "an.access.token"
	transport := must(dpop.New(key, nil))
	with := func(source func(*http.Request) (string, error)) *http.Client {
		return &http.Client{Transport: transport.WithToken(source)}
	}
	s.get(t, with(func(*http.Request) (string, error) { return s.token, nil }), "/", 2)

	request := get(s.URL)
	request.Header.Set("Authorization", "DPoP "+s.token)
	if status, _ := send(t, with(func(*http.Request) (string, error) { return "", errors.New("not called") }), request); status != http.StatusOK {
		t.Errorf("with a header of the caller's: %d", status)
	}

	s.token = ""
	s.get(t, with(func(*http.Request) (string, error) { return "", nil }), "/", 4)

	body := &closes{Reader: strings.NewReader("body")}
	cause := errors.New("logged out")
	err := fail(with(func(*http.Request) (string, error) { return "", cause }), post(s.URL, body))
	if !errors.Is(err, cause) || !body.closed {
		t.Errorf("error is %v, and the body closed: %t", err, body.closed)
	}
}

// TestTokenOfAnotherScheme is left alone: ath is for tokens that are bound.
func TestTokenOfAnotherScheme(t *testing.T) {
	request := get("https://api.example.com/")
	request.Header.Set("Authorization", "Bearer an.access.token")
	recorded := &recorder{}
	send(t, &http.Client{Transport: must(dpop.New(key, recorded))}, request)
	sent := recorded.sent[0]
	if ath := claim(sent.Header.Get("DPoP"), "ath"); ath != "" || sent.Header.Get("Authorization") != "Bearer an.access.token" {
		t.Errorf("sent %q with the ath %q", sent.Header.Get("Authorization"), ath)
	}
	if len(request.Header) != 1 {
		t.Errorf("the caller's request has changed: %v", request.Header)
	}
}
