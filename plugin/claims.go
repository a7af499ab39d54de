package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// refreshClaims is what a refresh token says.
type refreshClaims struct {
	jose.Registered
	Generation int64 `json:"gen"`
	jose.Parties
	// What the session has of its own, each left out where it is the default.
	IdleLimit     int64           `json:"idle_limit,omitempty"`
	AbsoluteLimit int64           `json:"absolute_limit,omitempty"`
	Data          json.RawMessage `json:"data,omitempty"`
	// Binding is the key that the session is bound to (RFC 7800 §3.1).
	Binding json.RawMessage `json:"cnf,omitempty"`

	// last is set where the token ends with its session, so that a rotation gains no time. It is not a claim.
	last bool
}

// accessClaims is what an access token says, before the host's claims.
type accessClaims struct {
	jose.Registered
	jose.Parties
	ID      string          `json:"jti,omitempty"`
	Binding json.RawMessage `json:"cnf,omitempty"`
}

// parseRefreshClaims parses the payload of a refresh token. The error is [ErrInvalidToken].
func parseRefreshClaims(payload []byte) (refreshClaims, error) {
	r, values, err := jose.ParseRegistered(payload, jose.TypeRefresh)
	if err != nil {
		return refreshClaims{}, err
	}
	if values[jose.Nbf] != nil {
		return refreshClaims{}, fmt.Errorf("%w: nbf is not a claim of its kind", ErrInvalidToken)
	}
	generation, ok := jose.Integer(values[jose.Gen])
	if !ok || generation < 1 || generation == math.MaxInt64 {
		return refreshClaims{}, fmt.Errorf("%w: no such generation", ErrInvalidToken)
	}
	claims := refreshClaims{Registered: r, Generation: generation}
	for _, member := range []struct {
		raw []byte
		to  *string
	}{{values[jose.Iss], &claims.Issuer}, {values[jose.Aud], &claims.Audience}} {
		if member.raw == nil {
			continue
		}
		if *member.to, ok = strictjson.String(member.raw); !ok {
			return refreshClaims{}, fmt.Errorf("%w: iss or aud is no string", ErrInvalidToken)
		}
	}
	for _, limit := range []struct {
		raw []byte
		to  *int64
	}{{values[jose.IdleLimit], &claims.IdleLimit}, {values[jose.AbsoluteLimit], &claims.AbsoluteLimit}} {
		if limit.raw == nil {
			continue
		}
		if *limit.to, ok = jose.Integer(limit.raw); !ok || *limit.to < 1 {
			return refreshClaims{}, fmt.Errorf("%w: no such limit", ErrInvalidToken)
		}
	}
	if raw := values[jose.Data]; raw != nil {
		if raw[0] != '{' || len(raw) > maxEncodedData {
			return refreshClaims{}, fmt.Errorf("%w: data is no object of ours", ErrInvalidToken)
		}
		claims.Data = raw
	}
	if raw := values[jose.Cnf]; raw != nil {
		if raw[0] != '{' || len(raw) > maxBinding {
			return refreshClaims{}, fmt.Errorf("%w: cnf is no key of ours", ErrInvalidToken)
		}
		claims.Binding = raw
	}
	return claims, nil
}

// customClaims asks the host about the session of row.
func (s *Service) customClaims(ctx context.Context, row *models.RefreshToken) (map[string]any, error) {
	if s.config.Claims == nil {
		return nil, nil
	}
	custom, err := s.config.Claims(ctx, s.session(row))
	if err == nil || errors.Is(err, ErrSubjectRefused) {
		return custom, err
	}
	if isOurs(err) { // from another call of the host's to us: here it is a failure like any other
		return nil, fmt.Errorf("claims callback: %s", err.Error())
	}
	return nil, fmt.Errorf("claims callback: %w", err)
}
