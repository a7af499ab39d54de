// Package token verifies access tokens. It needs neither a database nor Gin: a service that only checks tokens can use it
// alone.
package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

// The errors that a caller can tell apart with errors.Is. Each comes wrapped with its cause. No text holds a token or a part
// of one.
var (
	// ErrInvalid: malformed, forged, or of the wrong kind.
	ErrInvalid = jose.ErrInvalid
	// ErrExpired: the token's time is over.
	ErrExpired = jose.ErrExpired
)

// Claims is what a verified access token says.
type Claims struct {
	Subject   string    // sub: the host's user id
	SessionID string    // sid: the session that the token is of
	IssuedAt  time.Time // iat
	ExpiresAt time.Time // exp
	AuthTime  time.Time // auth_time: when the user authenticated (OpenID Connect Core §2)

	payload []byte
}

// Decode unmarshals the whole claims set into dst, a pointer to a struct of the host's, for the claims that its Claims
// callback added.
func (c Claims) Decode(dst any) error {
	if err := json.Unmarshal(c.payload, dst); err != nil {
		return fmt.Errorf("decode claims: %w", err)
	}
	return nil
}

// Config is what a [Verifier] asks of a token. It must be what the issuer's Config says.
type Config struct {
	Secret           []byte           // required; at least 32 bytes
	Issuer, Audience string           // where set, iss and aud are required (RFC 8725 §3.8 and §3.9)
	Leeway           time.Duration    // tolerated between two clocks; default 0
	Clock            func() time.Time // default time.Now
}

// Verifier verifies access tokens. It is safe for concurrent use.
type Verifier struct {
	key       jose.Key
	validator *jwt.Validator
	clock     func() time.Time
}

// Now returns the time, by the configured clock.
func (v *Verifier) Now() time.Time { return v.clock() }

// minSecret is RFC 7518 §3.2's, in bytes.
const minSecret = 32

// NewVerifier returns a Verifier, or an error for a secret of under 32 bytes.
func NewVerifier(config Config) (*Verifier, error) {
	if len(config.Secret) < minSecret {
		return nil, fmt.Errorf("token: Secret has %d bytes and needs %d or more (RFC 7518 §3.2)", len(config.Secret), minSecret)
	}
	if config.Clock == nil {
		config.Clock = time.Now
	}
	options := []jwt.ParserOption{
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(config.Clock), jwt.WithLeeway(config.Leeway),
	}
	if config.Issuer != "" {
		options = append(options, jwt.WithIssuer(config.Issuer))
	}
	if config.Audience != "" {
		options = append(options, jwt.WithAudience(config.Audience))
	}
	return &Verifier{jose.NewKey(bytes.Clone(config.Secret)), jwt.NewValidator(options...), config.Clock}, nil
}

// VerifyAccess returns the claims of an access token. It asks no database, so a token outlives its session's end by up to
// AccessTTL. Errors: [ErrInvalid], [ErrExpired].
func (v *Verifier) VerifyAccess(token string) (Claims, error) {
	payload, err := v.key.Verify(token)
	if err != nil {
		return Claims{}, err
	}
	r, values, err := jose.ParseRegistered(payload, jose.TypeAccess)
	if err != nil {
		return Claims{}, err
	}
	check, err := checked(r, values)
	if err != nil {
		return Claims{}, err
	}
	if err := v.validator.Validate(check); errors.Is(err, jwt.ErrTokenExpired) {
		return Claims{}, ErrExpired
	} else if err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Claims{
		Subject:   r.Subject,
		SessionID: r.SessionID,
		IssuedAt:  time.Unix(r.IssuedAt, 0).UTC(),
		ExpiresAt: time.Unix(r.ExpiresAt, 0).UTC(),
		AuthTime:  time.Unix(r.AuthTime, 0).UTC(),
		payload:   payload,
	}, nil
}

// checked parses the claims that golang-jwt's validator looks at.
func checked(r jose.Registered, values jose.Values) (jwt.RegisteredClaims, error) {
	// Not jwt.NewNumericDate, which truncates to a precision that anyone in the process may change.
	check := jwt.RegisteredClaims{ExpiresAt: &jwt.NumericDate{Time: time.Unix(r.ExpiresAt, 0)}}
	if raw := values[jose.Nbf]; raw != nil {
		nbf, ok := jose.Instant(raw)
		if !ok {
			return check, fmt.Errorf("%w: nbf is no instant", ErrInvalid)
		}
		check.NotBefore = &jwt.NumericDate{Time: time.Unix(nbf, 0)}
	}
	if raw := values[jose.Iss]; raw != nil {
		iss, ok := strictjson.String(raw)
		if !ok {
			return check, fmt.Errorf("%w: iss is no string", ErrInvalid)
		}
		check.Issuer = iss
	}
	if raw := values[jose.Aud]; raw != nil {
		if json.Unmarshal(raw, &check.Audience) != nil {
			return check, fmt.Errorf("%w: aud is no string or list of strings", ErrInvalid)
		}
	}
	return check, nil
}
