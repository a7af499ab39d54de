package dpop

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
)

// nonces are the newest nonce of each server (RFC 9449 §8.2). The zero value has none.
type nonces struct {
	mutex  sync.Mutex
	values map[string]string // by origin
}

const (
	// maxOrigins bounds the memory of a client that goes to many servers. A nonce that is forgotten costs a second request.
	maxOrigins = 1000
	// maxNonce is the most bytes that a nonce may have.
	maxNonce = 1024
)

func (n *nonces) of(request *http.Request) string {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.values[origin(request)]
}

// remember keeps the nonce that an answer has, if it has one.
func (n *nonces) remember(request *http.Request, response *http.Response) {
	values := response.Header.Values("DPoP-Nonce")
	if len(values) != 1 || len(values[0]) > maxNonce {
		return
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.values == nil || len(n.values) >= maxOrigins {
		n.values = map[string]string{}
	}
	n.values[origin(request)] = values[0]
}

// useNonce is the error code with which a server asks for a nonce.
const useNonce = "use_dpop_nonce"

// asksForNonce tells whether the answer is a refusal for want of a newer nonce. A resource server says so in WWW-Authenticate
// (RFC 9449 §9), an authorization server in the body (§8). The body can still be read afterwards.
func asksForNonce(response *http.Response) bool {
	if response.StatusCode != http.StatusUnauthorized && response.StatusCode != http.StatusBadRequest {
		return false
	}
	for _, challenge := range response.Header.Values("WWW-Authenticate") {
		if strings.Contains(challenge, useNonce) {
			return true
		}
	}
	if response.Header.Get("DPoP-Nonce") == "" {
		return false
	}
	start, _ := io.ReadAll(io.LimitReader(response.Body, maxError)) // the caller gets the error, when it reads on
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), response.Body), response.Body}
	var body struct {
		Error string `json:"error"`
	}
	return json.Unmarshal(start, &body) == nil && body.Error == useNonce
}

// maxError is the most of an error's body that is looked at, in bytes.
const maxError = 8 << 10

// repeat returns a copy of a request that was sent, with its body from the start. It reports false if that can't be had.
func repeat(request *http.Request) (*http.Request, bool) {
	again := request.Clone(request.Context())
	if request.Body == nil || request.Body == http.NoBody {
		return again, true
	}
	if request.GetBody == nil {
		return nil, false
	}
	body, err := request.GetBody()
	if err != nil {
		return nil, false
	}
	again.Body = body
	return again, true
}

// discard reads the rest of a short answer, so that its connection can be used again.
func discard(response *http.Response) {
	_, _ = io.CopyN(io.Discard, response.Body, maxError)
	_ = response.Body.Close()
}

func closeBody(request *http.Request) error {
	if request.Body == nil {
		return nil
	}
	return request.Body.Close()
}
