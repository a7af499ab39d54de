// Package proof checks what a client signs to prove that it holds a key: the proofs of DPoP (RFC 9449) and of device-bound
// sessions (DBSC, a draft of the W3C). It decides and nothing else: it knows no HTTP server, no database and no secret.
//
// A proof is a JWT that the client signs. That of DPoP and that of a DBSC registration carry the public key, in the header's
// jwk. Anybody can make a key and sign a proof with it, so a proof alone proves nothing: the caller compares
// [Key.Thumbprint] with the one that the session is bound to.
//
// A proof may be repeated while its nonce is current; package nonce says why that is tolerated.
package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

// The errors of a proof. Both come wrapped with their cause, which quotes nothing from the proof.
var (
	// ErrInvalid: the proof is not good, and no nonce would make it so. In HTTP it is invalid_dpop_proof (RFC 9449 §5).
	ErrInvalid = errors.New("invalid proof")
	// ErrNonce: the proof is good in every other respect, but its nonce is missing, stale or not ours. The client should sign
	// again, with a nonce that comes with the answer. In HTTP it is use_dpop_nonce (RFC 9449 §8), or a 403 with a challenge.
	ErrNonce = errors.New("the proof needs a current nonce")
)

// Expect is what a DPoP proof must be for.
type Expect struct {
	Method string // of the request
	// URL is the request's, as the client sees it: with the scheme and host of the outside. Its query doesn't matter.
	URL string
	// AccessToken came with the request, and the proof must name it (ath). Where it is "", ath doesn't matter.
	AccessToken string
	// Nonce tells whether a nonce is current. Where it is nil, the client is not asked for one, and the proof's iat must be
	// near Now instead. With a nonce iat doesn't matter: the clocks of phones drift (RFC 9449 §4.3).
	Nonce func(nonce string) bool
	Now   time.Time
}

// Proof is what a checked DPoP proof says.
type Proof struct {
	Key Key
	ID  string // jti, of 1 to 256 bytes
}

const (
	// maxID is the most bytes that jti may have.
	maxID = 256
	// maxAge is how far iat may be from the time of the request, in either direction, where no nonce is asked for.
	maxAge = time.Minute
)

// Indexes of the claims of a DPoP proof.
const (
	jti = iota
	htm
	htu
	iat
	ath
	nonce
	claimCount
)

var claimNames = []string{jti: "jti", htm: "htm", htu: "htu", iat: "iat", ath: "ath", nonce: "nonce"}

// Check checks the DPoP proof of a request (RFC 9449 §4.3): the value of its DPoP header. The caller refuses a request that has
// that header twice. Errors: [ErrInvalid], [ErrNonce].
func Check(proof string, expect Expect) (Proof, error) {
	envelope, err := open(proof, "dpop+jwt", dpopMethods)
	if err != nil {
		return Proof{}, err
	}
	if envelope.key.public == nil {
		return Proof{}, fmt.Errorf("%w: no jwk in the header", ErrInvalid)
	}
	if err := envelope.verify(envelope.key); err != nil {
		return Proof{}, err
	}
	var claims [claimCount][]byte
	if err := strictjson.Pick(envelope.payload, claimNames, claims[:]); err != nil {
		return Proof{}, fmt.Errorf("%w: claims: %w", ErrInvalid, err)
	}
	id, ok := strictjson.String(claims[jti])
	if !ok || id == "" || len(id) > maxID {
		return Proof{}, fmt.Errorf("%w: jti is not a string of 1 to %d bytes", ErrInvalid, maxID)
	}
	if err := expect.check(claims); err != nil {
		return Proof{}, err
	}
	return Proof{envelope.key, id}, nil
}

func (e Expect) check(claims [claimCount][]byte) error {
	if method, ok := strictjson.String(claims[htm]); !ok || method != e.Method {
		return fmt.Errorf("%w: htm is not the request's method", ErrInvalid)
	}
	if uri, ok := strictjson.String(claims[htu]); !ok || !sameTarget(uri, e.URL) {
		return fmt.Errorf("%w: htu is not the request's URL", ErrInvalid)
	}
	if e.AccessToken != "" {
		sum := sha256.Sum256([]byte(e.AccessToken))
		if hash, ok := strictjson.String(claims[ath]); !ok || hash != base64.RawURLEncoding.EncodeToString(sum[:]) {
			return fmt.Errorf("%w: ath is not the access token's hash", ErrInvalid)
		}
	}
	issuedAt, err := strconv.ParseFloat(string(claims[iat]), 64) // a NumericDate may have a fraction (RFC 7519 §2)
	if err != nil {
		return fmt.Errorf("%w: iat is not a number", ErrInvalid)
	}
	if e.Nonce == nil {
		if math.Abs(issuedAt-float64(e.Now.Unix())) > maxAge.Seconds() {
			return fmt.Errorf("%w: signed more than %s before or after the request", ErrInvalid, maxAge)
		}
		return nil
	}
	if value, ok := strictjson.String(claims[nonce]); !ok || !e.Nonce(value) {
		return ErrNonce
	}
	return nil
}
