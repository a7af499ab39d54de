// Package jose signs and verifies the JWTs of this module, and reads the claims that both kinds share.
package jose

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// The errors of a token. Both come wrapped with their cause.
var (
	ErrInvalid = errors.New("invalid token")
	ErrExpired = errors.New("token expired")
)

const (
	// header is {"alg":"HS256","typ":"JWT"}, the one JOSE header that is minted and accepted. A token whose first segment
	// differs in a byte is refused unread, and with it every alg, crit, kid, jku, x5u, jwk and b64 trick (RFC 8725 §3.1).
	header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

	// MaxLength caps, in bytes, what is looked at and what is minted.
	MaxLength = 8 << 10
)

// Key signs and verifies JWTs of one kind with HMAC-SHA256. It is safe for concurrent use.
type Key struct {
	macs *sync.Pool // of keyed hash.Hash: keying one takes longer than using it
}

// NewKey returns the key of a secret, which it keeps.
func NewKey(secret []byte) Key {
	return Key{&sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

// Sign returns the compact JWS of payload (RFC 7515 §3.1): the same bytes for the same payload, every time.
func (k Key) Sign(payload []byte) string {
	input := len(header) + len(".") + base64.RawURLEncoding.EncodedLen(len(payload))
	token := make([]byte, 0, input+len(".")+base64.RawURLEncoding.EncodedLen(sha256.Size))
	token = append(append(token, header...), '.')
	token = base64.RawURLEncoding.AppendEncode(token, payload)
	return string(k.appendSignature(append(token, '.'), token))
}

// appendSignature appends the signature of input, in base64url, to dst.
func (k Key) appendSignature(dst, input []byte) []byte {
	mac := k.macs.Get().(hash.Hash) //nolint:forcetypeassert // nothing else is in the pool
	defer k.macs.Put(mac)
	mac.Reset()
	mac.Write(input)
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.AppendEncode(dst, mac.Sum(sum[:0]))
}

// Verify returns the payload of a token that Sign made, or [ErrInvalid]. It checks the signature before it decodes
// anything, so nothing of a stranger's is ever parsed. It compares signatures as text, which rejects base64 that is not
// canonical: line breaks, padding, stray bits in the last character.
func (k Key) Verify(token string) ([]byte, error) {
	if len(token) > MaxLength {
		return nil, fmt.Errorf("%w: too long", ErrInvalid)
	}
	rest, ok := strings.CutPrefix(token, header+".")
	if !ok {
		return nil, fmt.Errorf("%w: not a JWT with this module's header", ErrInvalid)
	}
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, fmt.Errorf("%w: no signature", ErrInvalid)
	}
	input := token[:len(header)+len(".")+len(payload)]
	if !hmac.Equal([]byte(signature), k.appendSignature(nil, []byte(input))) {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, jwt.ErrTokenSignatureInvalid)
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(decoded)) != len(payload) { // DecodeString skips line breaks
		return nil, fmt.Errorf("%w: not base64url", ErrInvalid)
	}
	return decoded, nil
}
