package token

import (
	"bytes"
	"cmp"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

// Config is what a [Verifier] asks of a token. It must be what the issuer's Config says. At least one of Secret, Keys and
// KeySource is required; tokens of each are accepted.
type Config struct {
	// Secret verifies HS256. Whoever has it can also sign: give it to no service that only verifies, and use keys there.
	Secret          []byte
	PreviousSecrets [][]byte // verify too; at most 8

	// Keys are the issuer's public keys, current and previous, at most 16: ed25519.PublicKey for EdDSA, *ecdsa.PublicKey on P-256
	// for ES256, *rsa.PublicKey of 2048 bits or more for RS256.
	Keys []crypto.PublicKey
	// KeySource finds further public keys, for instance at a URL: see package jwks.
	KeySource KeySource

	Issuer, Audience string           // where set, iss and aud are required (RFC 8725 §3.8 and §3.9)
	Leeway           time.Duration    // tolerated between two clocks; default 0
	Clock            func() time.Time // default time.Now

	// Remember is how many verified tokens are remembered, so that a token which was seen before costs no second signature check.
	// Default: 10,000, with about 1 KiB each. A negative value turns it off.
	Remember int
}

// KeySource finds the issuer's public keys. It must be safe for concurrent use, and quick where it knows the key.
type KeySource interface {
	// PublicKey returns the key of a kid, its thumbprint (RFC 7638), or an error. [ErrInvalid] says that the issuer has no such key: the
	// token is then answered 401. With any other error it is 500.
	PublicKey(kid string) (crypto.PublicKey, error)
}

// Verifier verifies access tokens. It is safe for concurrent use.
type Verifier struct {
	ring      *jose.Ring
	validator *jwt.Validator
	clock     func() time.Time
	seen      *seen
}

// Now returns the time, by the configured clock.
func (v *Verifier) Now() time.Time { return v.clock() }

const (
	maxSecrets  = 1 + 8
	maxKeys     = 16
	defaultSeen = 10_000
)

// NewVerifier returns a Verifier. The error says what is wrong with a secret or a key.
func NewVerifier(config Config) (*Verifier, error) {
	ring, err := config.ring()
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
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
	return &Verifier{ring, jwt.NewValidator(options...), config.Clock, newSeen(cmp.Or(config.Remember, defaultSeen))}, nil
}

// ring checks the secrets and the keys.
func (c Config) ring() (*jose.Ring, error) {
	if len(c.Secret) == 0 && len(c.PreviousSecrets) > 0 {
		return nil, errors.New("PreviousSecrets are set and Secret is not: set Secret to one of them")
	}
	if len(c.Secret) == 0 && len(c.Keys) == 0 && c.KeySource == nil {
		return nil, errors.New("nothing to verify with: set Keys, KeySource or Secret")
	}
	if len(c.PreviousSecrets) >= maxSecrets || len(c.Keys) > maxKeys {
		return nil, fmt.Errorf("too many keys: PreviousSecrets may be %d and Keys %d", maxSecrets-1, maxKeys)
	}
	var secrets jose.Keys
	if len(c.Secret) > 0 {
		for i, secret := range append([][]byte{c.Secret}, c.PreviousSecrets...) {
			if err := jose.CheckSecret(secret); err != nil {
				return nil, fmt.Errorf("%s %w", secretName(i), err)
			}
			secrets = append(secrets, jose.NewKey(bytes.Clone(secret)))
		}
	}
	var keys []*jose.PublicKey
	for i, key := range c.Keys {
		public, err := jose.NewPublicKey(key)
		if err != nil {
			return nil, fmt.Errorf("Keys[%d] %w", i, err)
		}
		keys = append(keys, public)
	}
	var find func(kid string) (crypto.PublicKey, error)
	if c.KeySource != nil {
		find = c.KeySource.PublicKey
	}
	return jose.NewRing(secrets, keys, find), nil
}

func secretName(i int) string {
	if i == 0 {
		return "Secret"
	}
	return fmt.Sprintf("PreviousSecrets[%d]", i-1)
}

// VerifyAccess returns the claims of an access token. It asks no database, so a token outlives its session's end by up to
// AccessTTL. Errors: [ErrInvalid], [ErrExpired], or the KeySource's.
func (v *Verifier) VerifyAccess(token string) (Claims, error) {
	if len(token) > jose.MaxLength {
		return Claims{}, fmt.Errorf("%w: too long", ErrInvalid)
	}
	id := v.seen.digest(token)
	if known := v.seen.find(id); known != nil && v.ring.Holds(known.key) {
		if err := v.validate(&known.check); err != nil {
			v.seen.forget(known)
			return Claims{}, err
		}
		return known.claims, nil
	}
	payload, key, err := v.ring.Verify(token)
	if err != nil {
		return Claims{}, err
	}
	r, values, err := jose.ParseRegistered(payload, jose.TypeAccess)
	if err != nil {
		return Claims{}, err
	}
	verified := &verified{id: id, key: key}
	if verified.check, err = checked(r, values); err != nil {
		return Claims{}, err
	}
	if err := v.validate(&verified.check); err != nil {
		return Claims{}, err
	}
	verified.claims = Claims{
		Subject:   r.Subject,
		SessionID: r.SessionID,
		IssuedAt:  time.Unix(r.IssuedAt, 0).UTC(),
		ExpiresAt: time.Unix(r.ExpiresAt, 0).UTC(),
		AuthTime:  time.Unix(r.AuthTime, 0).UTC(),
		Binding:   Binding(values[jose.Cnf]),
		payload:   payload,
	}
	v.seen.add(verified)
	return verified.claims, nil
}

// validate checks what changes with time, and the issuer and the audience.
func (v *Verifier) validate(check *jwt.RegisteredClaims) error {
	err := v.validator.Validate(check)
	if errors.Is(err, jwt.ErrTokenExpired) {
		return ErrExpired
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
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
