package jose

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Resembles tells whether a token has the form of this module's, whoever signed it: a JWT with the claims sid, auth_time and
// type. It verifies nothing.
//
// Other apps sign with HS256 too, and their JWTs may begin with the same header. So the header alone says nothing, unless what
// follows can't be read: that may be a part of one of ours.
func Resembles(token string) bool {
	first, rest, _ := strings.Cut(token, ".")
	encoded, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(encoded, "="))
	var claims map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		return strings.Contains(first, header)
	}
	for _, name := range []int{Sid, AuthTime, Type} {
		if _, has := claims[Reserved[name]]; !has {
			return false
		}
	}
	return true
}
