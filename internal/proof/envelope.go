package proof

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

// maxLength is the most bytes that a proof may have. Nothing of a longer one is looked at.
const maxLength = 8 << 10

// signingMethods verify signatures, by the name of their algorithm. Ed25519 is the name that RFC 9864 gives to EdDSA with that
// curve.
type signingMethods map[string]jwt.SigningMethod

var (
	dpopMethods = signingMethods{
		"ES256": jwt.SigningMethodES256, "EdDSA": jwt.SigningMethodEdDSA, "Ed25519": jwt.SigningMethodEdDSA,
		"RS256": jwt.SigningMethodRS256, "PS256": jwt.SigningMethodPS256,
	}
	dbscMethods = signingMethods{"ES256": jwt.SigningMethodES256, "RS256": jwt.SigningMethodRS256}
)

// Algorithms are those that [Check] accepts, in the form of the algs parameter of WWW-Authenticate (RFC 9449 §7.1).
const Algorithms = "ES256 EdDSA Ed25519 RS256 PS256"

// Indexes of the header parameters that are read or refused.
const (
	typ = iota
	alg
	jwk
	headerCount
)

// headerNames are the parameters that are read, and then those that are refused. crit and b64 change what a signature
// means. The others name a second key, which nobody would look at. kid is none of them: it only names the key, and is ignored.
var headerNames = []string{typ: "typ", alg: "alg", jwk: "jwk", 3: "crit", "b64", "jku", "x5u", "x5c", "x5t", "x5t#S256"}

// envelope is a proof whose signature is not verified yet.
type envelope struct {
	input     string // what is signed
	payload   []byte
	signature []byte
	method    jwt.SigningMethod
	key       Key // of the header's jwk; empty where there is none
}

// open reads the header of a proof of a type, or returns [ErrInvalid].
func open(token, kind string, methods signingMethods) (envelope, error) {
	if len(token) > maxLength {
		return envelope{}, fmt.Errorf("%w: longer than %d bytes", ErrInvalid, maxLength)
	}
	first, rest, _ := strings.Cut(token, ".")
	second, third, ok := strings.Cut(rest, ".")
	header, headerOK := decode(first)
	payload, payloadOK := decode(second)
	signature, signatureOK := decode(third)
	if !ok || !headerOK || !payloadOK || !signatureOK {
		return envelope{}, fmt.Errorf("%w: not a compact JWS", ErrInvalid)
	}
	e := envelope{input: token[:len(first)+len(".")+len(second)], payload: payload, signature: signature}

	values := make([][]byte, len(headerNames))
	if err := strictjson.Pick(header, headerNames, values); err != nil {
		return envelope{}, fmt.Errorf("%w: header: %w", ErrInvalid, err)
	}
	for i, value := range values[headerCount:] {
		if value != nil {
			return envelope{}, fmt.Errorf("%w: the header has %s", ErrInvalid, headerNames[headerCount+i])
		}
	}
	if is, ok := strictjson.String(values[typ]); !ok || is != kind {
		return envelope{}, fmt.Errorf("%w: typ is not %s", ErrInvalid, kind)
	}
	name, ok := strictjson.String(values[alg])
	if e.method = methods[name]; !ok || e.method == nil {
		return envelope{}, fmt.Errorf("%w: alg is not one that is accepted", ErrInvalid)
	}
	if values[jwk] != nil {
		key, err := ParseKey(values[jwk])
		if err != nil {
			return envelope{}, err
		}
		e.key = key
	}
	return e, nil
}

// verify returns [ErrInvalid] if the signature is not by the key.
func (e envelope) verify(key Key) error {
	if err := e.method.Verify(e.input, e.signature, key.public); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// decode decodes a segment of a compact JWS. It refuses what encoding/base64 forgives: line breaks, and bits in the last
// character that mean nothing.
func decode(segment string) ([]byte, bool) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	return decoded, err == nil && base64.RawURLEncoding.EncodedLen(len(decoded)) == len(segment)
}
