package plugin

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

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
type key []byte

// deriveRefreshKey makes a key that signs nothing but refresh tokens, so that no access token can pass for one, nor the
// other way round, whatever their claims say (RFC 8725 §3.12).
func deriveRefreshKey(secret []byte) (key, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, refreshKeyInfo, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the refresh key: %w", err)
	}
	return derived, nil
}

// sign returns the compact JWS of payload (RFC 7515 §3.1): the same bytes for the same payload, every time.
func (k key) sign(payload []byte) (string, error) {
	input := encodedHeader + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := jwt.SigningMethodHS256.Sign(input, []byte(k))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// verify returns the payload of a token that sign made. The signature is checked before anything is decoded, so that
// nothing of a stranger's is ever parsed.
func (k key) verify(token string) ([]byte, error) {
	if len(token) > maxTokenLength {
		return nil, fmt.Errorf("%w: too long", ErrInvalidToken)
	}
	rest, ok := strings.CutPrefix(token, encodedHeader+".")
	if !ok {
		return nil, fmt.Errorf("%w: not a JWT with this module's header", ErrInvalidToken)
	}
	encodedPayload, encodedSignature, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, fmt.Errorf("%w: no signature", ErrInvalidToken)
	}
	signature, err := decodeSegment(encodedSignature)
	if err != nil {
		return nil, err
	}
	input := token[:len(encodedHeader)+1+len(encodedPayload)]
	if err := jwt.SigningMethodHS256.Verify(input, signature, []byte(k)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	return decodeSegment(encodedPayload)
}

// decodeSegment decodes base64url without padding, and refuses what encoding/base64 tolerates: line breaks, and stray
// bits in the last character. Its error holds nothing of the segment.
func decodeSegment(segment string) ([]byte, error) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil || strings.ContainsAny(segment, "\r\n") {
		return nil, fmt.Errorf("%w: not base64url", ErrInvalidToken)
	}
	return decoded, nil
}
