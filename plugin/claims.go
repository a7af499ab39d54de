package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// The values of the type claim.
const (
	typeAccess  = "access"
	typeRefresh = "refresh"
)

// The places of the reserved claims in reservedClaims.
const (
	subClaim = iota
	sidClaim
	iatClaim
	expClaim
	authTimeClaim
	typeClaim
	genClaim
	nbfClaim
	issClaim
	audClaim
	jtiClaim
	reservedCount
)

// reservedClaims are those of RFC 7519 §4.1 and those that this module sets: no Claims callback may set one.
var reservedClaims = []string{
	subClaim:      "sub",
	sidClaim:      "sid",
	iatClaim:      "iat",
	expClaim:      "exp",
	authTimeClaim: "auth_time",
	typeClaim:     "type",
	genClaim:      "gen",
	nbfClaim:      "nbf",
	issClaim:      "iss",
	audClaim:      "aud",
	jtiClaim:      "jti",
}

// reservedValues are the reserved claims of a token, unparsed, in the places of reservedClaims; nil where absent.
type reservedValues [reservedCount][]byte

// AccessClaims is what a verified access token says.
type AccessClaims struct {
	Subject   string    // sub: the host's user id
	SessionID string    // sid: the login that the token is of
	IssuedAt  time.Time // iat
	ExpiresAt time.Time // exp
	AuthTime  time.Time // auth_time: when the user authenticated (OpenID Connect Core §2)

	payload []byte
}

// Decode unmarshals the whole claims set into dst, a pointer to a struct of the host's, for the claims that its Claims
// callback added.
func (c AccessClaims) Decode(dst any) error {
	if err := json.Unmarshal(c.payload, dst); err != nil {
		return fmt.Errorf("decode claims: %w", err)
	}
	return nil
}

// registered is the part of both kinds that is the same. The field order is the order of the claims in a token.
type registered struct {
	Subject   string `json:"sub"`
	SessionID string `json:"sid"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	AuthTime  int64  `json:"auth_time"`
	Type      string `json:"type"`
}

// scope is the issuer and audience that a token is of; empty where the host configured none.
type scope struct {
	Issuer   string `json:"iss,omitempty"`
	Audience string `json:"aud,omitempty"`
}

type refreshClaims struct {
	registered
	Generation int64 `json:"gen"`
	scope
}

type accessClaims struct {
	registered
	scope
}

// parseRegistered reads what both kinds must have, and returns the rest of the reserved claims for the kind to look at.
func parseRegistered(payload []byte, kind string) (r registered, values reservedValues, err error) {
	if err := strictjson.Pick(payload, reservedClaims, values[:]); err != nil {
		return r, values, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	var ok [6]bool
	r.Subject, ok[0] = strictjson.String(values[subClaim])
	r.SessionID, ok[1] = strictjson.String(values[sidClaim])
	r.IssuedAt, ok[2] = instant(values[iatClaim])
	r.ExpiresAt, ok[3] = instant(values[expClaim])
	r.AuthTime, ok[4] = instant(values[authTimeClaim])
	r.Type, ok[5] = strictjson.String(values[typeClaim])
	if slices.Contains(ok[:], false) {
		return r, values, fmt.Errorf("%w: a claim is missing or of the wrong type", ErrInvalidToken)
	}
	if r.Type != kind {
		return r, values, fmt.Errorf("%w: not of the %s kind", ErrInvalidToken, kind)
	}
	if !validSubject(r.Subject) || !validSessionID(r.SessionID) {
		return r, values, fmt.Errorf("%w: no such subject or session", ErrInvalidToken)
	}
	return r, values, nil
}

func parseRefreshClaims(payload []byte) (refreshClaims, error) {
	r, values, err := parseRegistered(payload, typeRefresh)
	if err != nil {
		return refreshClaims{}, err
	}
	if values[nbfClaim] != nil {
		return refreshClaims{}, fmt.Errorf("%w: nbf is not a claim of its kind", ErrInvalidToken)
	}
	generation, ok := integer(values[genClaim])
	if !ok || generation < 1 || generation == math.MaxInt64 {
		return refreshClaims{}, fmt.Errorf("%w: no such generation", ErrInvalidToken)
	}
	claims := refreshClaims{registered: r, Generation: generation}
	for _, member := range []struct {
		raw []byte
		to  *string
	}{{values[issClaim], &claims.Issuer}, {values[audClaim], &claims.Audience}} {
		if member.raw == nil {
			continue
		}
		if *member.to, ok = strictjson.String(member.raw); !ok {
			return refreshClaims{}, fmt.Errorf("%w: iss or aud is no string", ErrInvalidToken)
		}
	}
	return claims, nil
}

// parseAccessClaims checks the claims of an access token with golang-jwt's validator.
func parseAccessClaims(payload []byte, validator *jwt.Validator) (AccessClaims, error) {
	r, values, err := parseRegistered(payload, typeAccess)
	if err != nil {
		return AccessClaims{}, err
	}
	claims := AccessClaims{
		Subject:   r.Subject,
		SessionID: r.SessionID,
		IssuedAt:  time.Unix(r.IssuedAt, 0).UTC(),
		ExpiresAt: time.Unix(r.ExpiresAt, 0).UTC(),
		AuthTime:  time.Unix(r.AuthTime, 0).UTC(),
		payload:   payload,
	}
	// Not jwt.NewNumericDate, which truncates to a precision that anyone in the process may change.
	check := jwt.RegisteredClaims{ExpiresAt: &jwt.NumericDate{Time: claims.ExpiresAt}}
	if raw := values[nbfClaim]; raw != nil {
		nbf, ok := instant(raw)
		if !ok {
			return AccessClaims{}, fmt.Errorf("%w: nbf is no instant", ErrInvalidToken)
		}
		check.NotBefore = &jwt.NumericDate{Time: time.Unix(nbf, 0)}
	}
	if raw := values[issClaim]; raw != nil {
		iss, ok := strictjson.String(raw)
		if !ok {
			return AccessClaims{}, fmt.Errorf("%w: iss is no string", ErrInvalidToken)
		}
		check.Issuer = iss
	}
	if raw := values[audClaim]; raw != nil {
		if json.Unmarshal(raw, &check.Audience) != nil {
			return AccessClaims{}, fmt.Errorf("%w: aud is no string or list of strings", ErrInvalidToken)
		}
	}
	if err := validator.Validate(check); errors.Is(err, jwt.ErrTokenExpired) {
		return AccessClaims{}, ErrExpired
	} else if err != nil {
		return AccessClaims{}, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	return claims, nil
}

// mergeClaims adds the host's claims to ours.
func mergeClaims(ours accessClaims, custom map[string]any) ([]byte, error) {
	payload, err := json.Marshal(ours)
	if err != nil || len(custom) == 0 {
		return payload, err
	}
	for name := range custom {
		if slices.ContainsFunc(reservedClaims, func(r string) bool { return strings.EqualFold(r, name) }) {
			return nil, fmt.Errorf("%w: %q is reserved", ErrInvalidClaims, name)
		}
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("%w: the name %q is not UTF-8", ErrInvalidClaims, name)
		}
	}
	more, err := json.Marshal(custom)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	payload[len(payload)-1] = ','
	return append(payload, more[1:]...), nil
}

// integer returns the JSON integer in raw: digits with an optional minus, no fraction, no exponent.
func integer(raw []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}

// maxInstant is the last second that RFC 3339 can write.
const maxInstant = 253402300799

// instant returns the NumericDate in raw (RFC 7519 §2), in the whole seconds that this module mints.
func instant(raw []byte) (int64, bool) {
	n, ok := integer(raw)
	return n, ok && n > 0 && n <= maxInstant
}

func validSubject(s string) bool {
	return s != "" && len(s) <= models.SubjectSize && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// uuidLength is that of the canonical form; the uuid package takes three others too.
const uuidLength = 36

// validSessionID accepts only the canonical text form of a UUID.
func validSessionID(s string) bool {
	return len(s) == uuidLength && s == strings.ToLower(s) && uuid.Validate(s) == nil
}
