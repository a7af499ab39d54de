package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/nonce"
	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

// noncePeriod is how long a nonce is given out. It is accepted for one to two periods.
const noncePeriod = time.Minute

// DPoP checks the proofs of requests (RFC 9449).
type DPoP struct {
	base   string        // the URL at which clients reach the router; empty: as the request says
	nonces *nonce.Source // nil: no nonces
}

// NewDPoP returns a DPoP for the router at baseURL. Without nonceSecrets, it asks for no nonces, and proofs must have been signed
// within a minute. The error says what to do.
func NewDPoP(baseURL string, nonceSecrets ...[]byte) (*DPoP, error) {
	d := &DPoP{base: strings.TrimSuffix(baseURL, "/")}
	if baseURL != "" {
		base, err := url.Parse(baseURL)
		if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.RawQuery != "" || base.Fragment != "" {
			return nil, fmt.Errorf(`the BaseURL %q must be a URL like "https://api.example.com"`, baseURL)
		}
	}
	if len(nonceSecrets) == 0 {
		return d, nil
	}
	var err error
	d.nonces, err = nonce.New("dpop", noncePeriod, nonceSecrets...)
	return d, err
}

// ProofError is a refusal for the sake of a proof: a 401 with a DPoP challenge (RFC 9449 §7.1), or a 400 at a login.
type ProofError struct {
	Code    string // of RFC 9449 §5 or RFC 6750 §3.1
	AtLogin bool
	cause   error
}

func (e ProofError) Error() string { return "DPoP: " + e.Code + ": " + e.cause.Error() }

// Unwrap returns the cause.
func (e ProofError) Unwrap() error { return e.cause }

// The codes of a [ProofError].
const (
	InvalidProof      = "invalid_dpop_proof"
	UseNonce          = "use_dpop_nonce"
	InvalidTokenError = "invalid_token"
)

// NewProofError returns a refusal.
func NewProofError(code string, cause error) ProofError { return ProofError{Code: code, cause: cause} }

// ErrNoProof is for a request that needs a DPoP header and has none.
var ErrNoProof = errors.New("no DPoP proof")

// Prove returns the thumbprint of the key that a request's proof is by, or "" where it has no proof. accessToken is the one in the
// request, or empty. The error is a [ProofError]. The answer gets a nonce for the next proof.
func (d *DPoP) Prove(c *gin.Context, accessToken string, now time.Time) (thumbprint string, err error) {
	proofs := c.Request.Header["Dpop"] // in net/http's spelling of DPoP
	if len(proofs) == 0 {
		return "", nil
	}
	d.OfferNonce(c, now)
	if len(proofs) > 1 {
		return "", NewProofError(InvalidProof, errors.New("more than one DPoP header"))
	}
	expect := proof.Expect{Method: c.Request.Method, URL: d.url(c.Request), AccessToken: accessToken, Now: now}
	if d.nonces != nil {
		expect.Nonce = func(value string) bool { return d.nonces.Check(value, now, "") }
	}
	checked, err := proof.Check(proofs[0], expect)
	switch {
	case errors.Is(err, proof.ErrNonce):
		return "", NewProofError(UseNonce, err)
	case err != nil:
		return "", NewProofError(InvalidProof, err)
	}
	return checked.Key.Thumbprint(), nil
}

// OfferNonce puts a nonce into the answer (RFC 9449 §8.2), where nonces are asked for.
func (d *DPoP) OfferNonce(c *gin.Context, now time.Time) {
	if d.nonces != nil {
		c.Header("DPoP-Nonce", d.nonces.Issue(now, ""))
	}
}

// url returns the request's URL as the client sees it.
func (d *DPoP) url(request *http.Request) string {
	base := d.base
	if base == "" {
		scheme := "http"
		if request.TLS != nil {
			scheme = "https"
		}
		base = scheme + "://" + request.Host
	}
	return base + request.URL.EscapedPath()
}

// challenge returns a DPoP challenge (RFC 9449 §7.1) with an error code, or without for an empty one.
func challenge(code string) string {
	if code == "" {
		return `DPoP algs="` + proof.Algorithms + `"`
	}
	return `DPoP error="` + code + `", algs="` + proof.Algorithms + `"`
}

// message says to a client at its login what is wrong with its proof.
func (e ProofError) message() string {
	switch {
	case e.Code == UseNonce:
		return "Sign the DPoP proof again, with the nonce in DPoP-Nonce"
	case errors.Is(e, ErrNoProof):
		return "A DPoP proof is needed"
	default:
		return "The DPoP proof is not valid"
	}
}
