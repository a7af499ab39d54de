// Package jose signs and verifies the JWTs of this module, and reads the claims that both kinds share.
//
// A token is accepted only if its header is, byte for byte, one that this module writes for a known key. So no header is ever
// parsed, and nothing in a header can choose an algorithm, a key or a URL (RFC 8725 §3.1).
package jose

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The errors of a token. Both come wrapped with their cause.
var (
	ErrInvalid = errors.New("invalid token")
	ErrExpired = errors.New("token expired")
)

// MaxLength caps, in bytes, what is looked at and what is minted.
const MaxLength = 8 << 10

// compact is a JWS in compact form (RFC 7515 §3.1), cut at its dots. Nothing is decoded yet.
type compact struct {
	header, payload, signature string
	input                      string // what the signature is over: header and payload, with the dot between them
}

func cut(token string) (compact, error) {
	if len(token) > MaxLength {
		return compact{}, fmt.Errorf("%w: too long", ErrInvalid)
	}
	header, rest, ok := strings.Cut(token, ".")
	if !ok {
		return compact{}, fmt.Errorf("%w: not a JWT", ErrInvalid)
	}
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return compact{}, fmt.Errorf("%w: no signature", ErrInvalid)
	}
	return compact{header, payload, signature, token[:len(header)+len(".")+len(payload)]}, nil
}

// errHeader is for a header that this module does not write for any key that is known here.
var errHeader = fmt.Errorf("%w: not a JWT with a header of this module's and a known key", ErrInvalid)

// decode returns the bytes of a part in base64url. It takes the canonical form only: no line breaks, no padding, no stray bits
// in the last character.
func decode(part string) ([]byte, error) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(decoded)) != len(part) { // DecodeString skips line breaks
		return nil, fmt.Errorf("%w: not base64url", ErrInvalid)
	}
	return decoded, nil
}

// appendInput appends the part of a token that is signed, and the dot after it.
func appendInput(dst []byte, header string, payload []byte) []byte {
	dst = append(append(dst, header...), '.')
	dst = base64.RawURLEncoding.AppendEncode(dst, payload)
	return append(dst, '.')
}
