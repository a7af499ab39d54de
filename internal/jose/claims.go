package jose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

// The values of the type claim.
const (
	TypeAccess  = "access"
	TypeRefresh = "refresh"
)

// Indexes of the reserved claims, in [Reserved] and in [Values].
const (
	Sub = iota
	Sid
	Iat
	Exp
	AuthTime
	Type
	Gen
	Nbf
	Iss
	Aud
	Jti
	Cnf
	reservedCount
)

// Indexes of the further claims of refresh tokens, in [Values].
const (
	IdleLimit = reservedCount + iota
	AbsoluteLimit
	Data
	valuesCount
)

// Reserved are the claims of RFC 7519 §4.1 and those that this module sets. The host may set none of them.
var Reserved = [reservedCount]string{
	Sub:      "sub",
	Sid:      "sid",
	Iat:      "iat",
	Exp:      "exp",
	AuthTime: "auth_time",
	Type:     "type",
	Gen:      "gen",
	Nbf:      "nbf",
	Iss:      "iss",
	Aud:      "aud",
	Jti:      "jti",
	Cnf:      "cnf",
}

// names are the claims that this module reads: the reserved ones, and those of refresh tokens alone. The host may use the
// latter in access tokens.
var names = append(Reserved[:], "idle_limit", "absolute_limit", "data")

// Values are the claims of a token that this module reads, unparsed; nil where absent.
type Values [valuesCount][]byte

// Registered is what both kinds of token say. The order of the fields is the order of the claims in a token.
type Registered struct {
	Subject   string `json:"sub"`
	SessionID string `json:"sid"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	AuthTime  int64  `json:"auth_time"`
	Type      string `json:"type"`
}

// Parties are the issuer and audience of a token; empty where the host configured none.
type Parties struct {
	Issuer   string `json:"iss,omitempty"`
	Audience string `json:"aud,omitempty"`
}

// ParseRegistered parses the claims that both kinds share, and returns the other reserved ones unparsed. kind is
// [TypeAccess] or [TypeRefresh]. The error is [ErrInvalid].
func ParseRegistered(payload []byte, kind string) (r Registered, values Values, err error) {
	read := names
	if kind == TypeAccess {
		read = names[:reservedCount]
	}
	if err := strictjson.Pick(payload, read, values[:len(read)]); err != nil {
		return r, values, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var ok [6]bool
	r.Subject, ok[0] = strictjson.String(values[Sub])
	r.SessionID, ok[1] = strictjson.String(values[Sid])
	r.IssuedAt, ok[2] = Instant(values[Iat])
	r.ExpiresAt, ok[3] = Instant(values[Exp])
	r.AuthTime, ok[4] = Instant(values[AuthTime])
	r.Type, ok[5] = strictjson.String(values[Type])
	if slices.Contains(ok[:], false) {
		return r, values, fmt.Errorf("%w: a claim is missing or of the wrong type", ErrInvalid)
	}
	if r.Type != kind {
		return r, values, fmt.Errorf("%w: not of the %s kind", ErrInvalid, kind)
	}
	if !ValidSubject(r.Subject) || !ValidSessionID(r.SessionID) {
		return r, values, fmt.Errorf("%w: no such subject or session", ErrInvalid)
	}
	return r, values, nil
}

// Integer returns the JSON integer in raw: digits with an optional minus, no fraction, no exponent.
func Integer(raw []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}

// maxInstant is the last second that RFC 3339 can write.
const maxInstant = 253402300799

// Instant returns the NumericDate in raw (RFC 7519 §2), in the whole seconds that this module mints.
func Instant(raw []byte) (int64, bool) {
	n, ok := Integer(raw)
	return n, ok && n > 0 && n <= maxInstant
}

// maxSubject is the size of the subject's column, in bytes.
const maxSubject = 255

// ValidSubject accepts 1 to 255 bytes of UTF-8 without NUL.
func ValidSubject(s string) bool {
	return s != "" && len(s) <= maxSubject && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// uuidLength is the length of the canonical form. The uuid package takes three others too.
const uuidLength = 36

// ValidSessionID accepts only the canonical text form of a UUID.
func ValidSessionID(s string) bool {
	return len(s) == uuidLength && s == strings.ToLower(s) && uuid.Validate(s) == nil
}
