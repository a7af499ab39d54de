package plugin

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// encodedHeader is {"alg":"HS256","typ":"JWT"}, the one JOSE header that is minted and accepted. A token whose
	// first segment differs in a byte is refused unread, and with it every alg, crit, kid, jku, x5u, jwk and b64 trick
	// (RFC 8725 §3.1).
	encodedHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

	// maxTokenLength caps, in bytes, what is looked at and what is minted.
	maxTokenLength = 8 << 10

	// refreshKeyInfo is the HKDF info of the refresh tokens' key (RFC 5869 §3.2). To change it is to end every login.
	refreshKeyInfo = "refreshtokens/refresh-token/HS256/v1"
)

// key signs and verifies JWTs of one kind with HMAC-SHA256.
type key struct {
	macs *sync.Pool // of keyed hash.Hash: to key one takes longer than to use it
}

func newKey(secret []byte) key {
	return key{&sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

// deriveRefreshKey makes a key that signs nothing but refresh tokens, so that no access token can pass for one, nor the
// other way round, whatever their claims say (RFC 8725 §3.12).
func deriveRefreshKey(secret []byte) (key, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, refreshKeyInfo, sha256.Size)
	if err != nil {
		return key{}, fmt.Errorf("derive the refresh key: %w", err)
	}
	return newKey(derived), nil
}

// sign returns the compact JWS of payload (RFC 7515 §3.1): the same bytes for the same payload, every time.
func (k key) sign(payload []byte) string {
	input := len(encodedHeader) + len(".") + base64.RawURLEncoding.EncodedLen(len(payload))
	token := make([]byte, 0, input+len(".")+base64.RawURLEncoding.EncodedLen(sha256.Size))
	token = append(append(token, encodedHeader...), '.')
	token = base64.RawURLEncoding.AppendEncode(token, payload)
	return string(k.appendSignature(append(token, '.'), token))
}

// appendSignature appends the signature of input, in base64url, to dst.
func (k key) appendSignature(dst, input []byte) []byte {
	mac := k.macs.Get().(hash.Hash) //nolint:forcetypeassert // nothing else is in the pool
	defer k.macs.Put(mac)
	mac.Reset()
	mac.Write(input)
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.AppendEncode(dst, mac.Sum(sum[:0]))
}

// verify returns the payload of a token that sign made. The signature is checked before anything is decoded, so that
// nothing of a stranger's is ever parsed. It is compared as text: base64 that decodes to the right bytes and is written
// otherwise, with line breaks, padding or stray bits in its last character, is another token.
func (k key) verify(token string) ([]byte, error) {
	if len(token) > maxTokenLength {
		return nil, fmt.Errorf("%w: too long", ErrInvalidToken)
	}
	rest, ok := strings.CutPrefix(token, encodedHeader+".")
	if !ok {
		return nil, fmt.Errorf("%w: not a JWT with this module's header", ErrInvalidToken)
	}
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, fmt.Errorf("%w: no signature", ErrInvalidToken)
	}
	input := token[:len(encodedHeader)+len(".")+len(payload)]
	if !hmac.Equal([]byte(signature), k.appendSignature(nil, []byte(input))) {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, jwt.ErrTokenSignatureInvalid)
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(decoded)) != len(payload) { // with line breaks
		return nil, fmt.Errorf("%w: not base64url", ErrInvalidToken)
	}
	return decoded, nil
}
