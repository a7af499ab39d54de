package jose

import (
	"encoding/base64"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// The typ of an access token's header: the usual one, and that of RFC 9068 §2.1. A verifier takes both, so that a host can
// change from one to the other.
const (
	TypJWT       = "JWT"
	TypAtPlusJWT = "at+jwt"
)

// methods are the algorithms of the keys that have a kid.
var methods = []jwt.SigningMethod{jwt.SigningMethodEdDSA, jwt.SigningMethodES256, jwt.SigningMethodRS256}

// maxHeader is the length of the longest header in base64url.
var maxHeader = base64.RawURLEncoding.EncodedLen(len(plainHeader(jwt.SigningMethodEdDSA.Alg(), TypAtPlusJWT, strings.Repeat("x", 43))))

// plainHeader returns the JOSE header of a token that is signed with a private key. Its bytes are part of the contract with
// verifiers: one of another build, or one that has the keys from a URL, compares them.
func plainHeader(alg, typ, kid string) string {
	return `{"alg":"` + alg + `","typ":"` + typ + `","kid":"` + kid + `"}`
}

// cutHeader returns the kid of a plainHeader.
func cutHeader(plain, alg, typ string) (kid string, ok bool) {
	before, after, _ := strings.Cut(plainHeader(alg, typ, "\n"), "\n")
	if kid, ok = strings.CutPrefix(plain, before); !ok {
		return "", false
	}
	return strings.CutSuffix(kid, after)
}

// header returns the key's JOSE header for a typ, in base64url.
func (k *PublicKey) header(typ string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(plainHeader(k.Algorithm(), typ, k.kid)))
}
