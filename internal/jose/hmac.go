package jose

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// header is {"alg":"HS256","typ":"JWT"}, the one JOSE header of tokens that are signed with HMAC.
const header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

// MinSecret is RFC 7518 §3.2's, in bytes.
const MinSecret = 32

// CheckSecret refuses a secret that is too short, or that nobody has drawn at random. The error has the form of a predicate,
// to follow the name of a setting.
func CheckSecret(secret []byte) error {
	if len(secret) < MinSecret {
		return fmt.Errorf("has %d bytes and needs %d or more (RFC 7518 §3.2): make one with \"openssl rand -base64 32\"", len(secret), MinSecret)
	}
	if bytes.Count(secret, secret[:1]) == len(secret) {
		return errors.New("is one byte, repeated: make one with \"openssl rand -base64 32\"")
	}
	return nil
}

// Key signs and verifies JWTs of one kind with HMAC-SHA256. It is safe for concurrent use.
type Key struct {
	macs *sync.Pool // of keyed hash.Hash: keying one takes longer than using it
}

// NewKey returns the key of a secret, which it keeps.
func NewKey(secret []byte) Key {
	return Key{&sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

// Sign returns the compact JWS of payload: the same bytes for the same payload, every time.
func (k Key) Sign(payload []byte) string {
	size := len(header) + 2*len(".") + base64.RawURLEncoding.EncodedLen(len(payload)) + base64.RawURLEncoding.EncodedLen(sha256.Size)
	token := appendInput(make([]byte, 0, size), header, payload)
	return string(k.appendSignature(token, token[:len(token)-len(".")]))
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

// verifies compares signatures as text, which refuses base64 that is not canonical.
func (k Key) verifies(token compact) bool {
	return hmac.Equal([]byte(token.signature), k.appendSignature(nil, []byte(token.input)))
}

// Keys are the keys of one kind of token: the first is the current one, the others still verify.
type Keys []Key

// Verify returns the payload of a token that one of the keys signed, or [ErrInvalid]. It checks the signature before it decodes
// anything, so nothing of a stranger's is ever parsed. The header names no key, so each is tried in turn.
func (keys Keys) Verify(token string) ([]byte, error) {
	parts, err := cut(token)
	if err != nil {
		return nil, err
	}
	if parts.header != header {
		return nil, errHeader
	}
	return keys.verify(parts)
}

func (keys Keys) verify(parts compact) ([]byte, error) {
	for _, key := range keys {
		if key.verifies(parts) {
			return decode(parts.payload)
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrInvalid, jwt.ErrTokenSignatureInvalid)
}
