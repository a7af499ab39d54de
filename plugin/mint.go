package plugin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/internal/maxlength"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// mint returns the tokens of a row. The refresh token is a function of row and key alone. ctx may limit how long the tokens get.
func (s *Service) mint(ctx context.Context, row *models.RefreshToken, now int64, custom map[string]any) (Tokens, error) {
	claims := refreshClaims{
		Registered:    registered(row, jose.TypeRefresh),
		Generation:    row.Generation,
		Parties:       s.parties(),
		IdleLimit:     row.IdleLimit,
		AbsoluteLimit: row.AbsoluteLimit,
	}
	if row.Data != "" {
		claims.Data = json.RawMessage(row.Data)
	}
	if row.Binding != "" {
		claims.Binding = json.RawMessage(row.Binding)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return Tokens{}, fmt.Errorf("encode refresh token: %w", err)
	}
	data := decodeData(row.Data)
	access, err := s.mintAccess(ctx, row, data.authTime(row), now, data.Claims, custom)
	if err != nil {
		return Tokens{}, err
	}
	tokens := Tokens{
		Access:    access,
		Refresh:   Token{s.refreshKeys[0].Sign(payload), timestamp(row.ExpiresAt)},
		SessionID: string(row.ID),
	}
	if err := maxlength.Of(ctx).Check(len(tokens.Refresh.Token), len(access.Token)); err != nil {
		return Tokens{}, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	return tokens, nil
}

// mintAccess returns an access token of the row's session, which it never outlives. data and custom are as in [jose.Merge].
func (s *Service) mintAccess(ctx context.Context, row *models.RefreshToken, authTime, now int64, data json.RawMessage, custom ...map[string]any) (Token, error) {
	claims := accessClaims{Registered: registered(row, jose.TypeAccess), Parties: s.parties()}
	claims.IssuedAt, claims.AuthTime = now, authTime
	if isBound(row.Binding) {
		claims.Binding = json.RawMessage(row.Binding)
	}
	if isDevice(row.Binding) {
		claims.ID = rand.Text() // a browser takes a cookie with the same value for one that was not renewed
	}
	claims.ExpiresAt = min(now+s.accessTTL, row.ExpiresAt, s.absoluteEnd(row.CreatedAt, row.AbsoluteLimit))
	if s.config.ClientID != "" { // RFC 9068 §2.2
		claims.ID = rand.Text()
		custom = append(custom, map[string]any{"client_id": s.config.ClientID})
	}
	payload, err := jose.Merge(claims, data, custom...)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	signed, err := s.signAccess(ctx, payload)
	if err != nil {
		return Token{}, err
	}
	if len(signed) > jose.MaxLength {
		return Token{}, fmt.Errorf("%w: the access token would be over %d bytes", ErrInvalidClaims, jose.MaxLength)
	}
	return Token{signed, timestamp(claims.ExpiresAt)}, nil
}

// registered returns what both kinds of token say of a row.
func registered(row *models.RefreshToken, kind string) jose.Registered {
	return jose.Registered{
		Subject:   string(row.Subject),
		SessionID: string(row.ID),
		IssuedAt:  row.IssuedAt,
		ExpiresAt: row.ExpiresAt,
		AuthTime:  row.CreatedAt,
		Type:      kind,
	}
}

func (s *Service) parties() jose.Parties {
	return jose.Parties{Issuer: s.config.Issuer, Audience: s.config.Audience}
}
