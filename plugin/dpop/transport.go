// Package dpop is a client for APIs that bind tokens to a key (DPoP, RFC 9449): for services, for agents, and for tests. It
// needs nothing else of this module, and works with any server that follows the RFC.
//
// Its [Transport] signs a proof for each request, with a key that stays where it is: in memory, in a TPM, or in a cloud's key
// service, whatever is behind a [crypto.Signer]. It remembers the nonce that a server gives out, and sends a request again,
// once, if the server asks for a newer one.
//
//	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
//	transport, err := dpop.New(key, nil)
//	login := &http.Client{Transport: transport}                 // logs in and refreshes
//	api := &http.Client{Transport: transport.WithToken(source)} // sends the access token too
package dpop

import (
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Transport is an [http.RoundTripper] that adds a DPoP proof to each request. It is safe for concurrent use.
type Transport struct {
	base   http.RoundTripper
	prover *prover
	nonces *nonces
	token  func(*http.Request) (string, error)
}

// New returns a Transport that signs with key and sends through base; nil is [http.DefaultTransport]. The key is P-256 (its
// proofs are ES256), Ed25519 (EdDSA), or RSA with 2048 bits or more (RS256). A server binds the session to the key, so a
// program that keeps its session has to keep its key too.
func New(key crypto.Signer, base http.RoundTripper) (*Transport, error) {
	prover, err := newProver(key)
	if err != nil {
		return nil, fmt.Errorf("dpop: %w", err)
	}
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport{base: base, prover: prover, nonces: &nonces{}}, nil
}

// WithToken returns a Transport with the same key and nonces that also sends an access token, as "Authorization: DPoP …",
// with each request that has no Authorization header yet. source is called for each request, maybe concurrently. A request
// for which it returns "" goes without a token. Redirects come here too, so a source looks at the request's host. It must not
// refresh the token through the Transport that WithToken returned: that would ask source again.
func (t *Transport) WithToken(source func(*http.Request) (string, error)) *Transport {
	with := *t
	with.token = source
	return &with
}

// Thumbprint is the key's JWK thumbprint (RFC 7638): what a server puts into cnf.jkt (RFC 9449 §6.1).
func (t *Transport) Thumbprint() string { return t.prover.thumbprint }

// RoundTrip sends the request with a proof. It sends it a second time if the server asks for a newer nonce and the body can be
// read again: there is none, or the request has GetBody. Otherwise the caller gets the server's refusal, and the next request
// has the right nonce.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	signed, err := t.authorize(request)
	if err != nil {
		return nil, errors.Join(err, closeBody(request)) // a RoundTripper closes the body in any case
	}
	response, nonce, err := t.send(signed)
	if err != nil || !asksForNonce(response) || t.nonces.of(signed) == nonce {
		return response, err
	}
	again, ok := repeat(signed)
	if !ok {
		return response, nil
	}
	discard(response)
	response, _, err = t.send(again)
	return response, err
}

// authorize returns a copy of the request with the access token.
func (t *Transport) authorize(request *http.Request) (*http.Request, error) {
	with := request.Clone(request.Context())
	if t.token == nil || request.Header.Get("Authorization") != "" {
		return with, nil
	}
	token, err := t.token(request)
	if err != nil {
		return nil, fmt.Errorf("dpop: access token: %w", err)
	}
	if token != "" {
		with.Header.Set("Authorization", scheme+token)
	}
	return with, nil
}

// scheme is that of a token that is bound to a key (RFC 9449 §7.1).
const scheme = "DPoP "

// send signs the request with the nonce that is known for its server, and remembers the one that the answer has.
func (t *Transport) send(request *http.Request) (response *http.Response, nonce string, err error) {
	nonce = t.nonces.of(request)
	proof, err := t.prover.prove(claims{
		Method: request.Method, URL: target(request), Time: time.Now().Unix(), Token: boundToken(request), Nonce: nonce,
	})
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("dpop: sign the proof: %w", err), closeBody(request))
	}
	request.Header.Set("DPoP", proof)
	response, err = t.base.RoundTrip(request)
	if err != nil {
		return nil, "", err
	}
	t.nonces.remember(request, response)
	return response, nonce, nil
}

// boundToken returns the access token that the proof must name; "" where there is none, or one that is not bound.
func boundToken(request *http.Request) string {
	authorization := request.Header.Get("Authorization")
	if len(authorization) < len(scheme) || !strings.EqualFold(authorization[:len(scheme)], scheme) {
		return ""
	}
	return authorization[len(scheme):]
}
