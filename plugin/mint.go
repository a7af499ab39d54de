package plugin

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// refreshKeyInfo is the HKDF info of the refresh tokens' key (RFC 5869 §3.2). Changing it ends every session.
const refreshKeyInfo = "refreshtokens/refresh-token/HS256/v1"

// deriveRefreshKey makes a key that signs nothing but refresh tokens, so that neither kind of token is accepted as the
// other, whatever its claims say (RFC 8725 §3.12).
func deriveRefreshKey(secret []byte) (jose.Key, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, refreshKeyInfo, sha256.Size)
	if err != nil {
		return jose.Key{}, fmt.Errorf("derive the refresh key: %w", err)
	}
	return jose.NewKey(derived), nil
}

// mint returns the tokens of a row. The refresh token is a function of row and key alone.
func (s *Service) mint(row *models.RefreshToken, now int64, custom map[string]any) (Tokens, error) {
	common := jose.Registered{
		Subject:   string(row.Subject),
		SessionID: string(row.ID),
		IssuedAt:  row.IssuedAt,
		ExpiresAt: row.ExpiresAt,
		AuthTime:  row.CreatedAt,
		Type:      jose.TypeRefresh,
	}
	scope := jose.Scope{Issuer: s.config.Issuer, Audience: s.config.Audience}
	refreshPayload, err := json.Marshal(refreshClaims{common, row.Generation, scope})
	if err != nil {
		return Tokens{}, fmt.Errorf("encode refresh token: %w", err)
	}
	refresh := s.refreshKey.Sign(refreshPayload)

	common.Type = jose.TypeAccess
	common.IssuedAt = now
	common.ExpiresAt = min(now+s.accessTTL, row.CreatedAt+s.sessionTTL)
	accessPayload, err := jose.Merge(accessClaims{common, scope}, custom)
	if err != nil {
		return Tokens{}, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	access := s.accessKey.Sign(accessPayload)
	if len(access) > jose.MaxLength {
		return Tokens{}, fmt.Errorf("%w: the access token would be over %d bytes", ErrInvalidClaims, jose.MaxLength)
	}
	return Tokens{
		Access:  Token{access, timestamp(common.ExpiresAt)},
		Refresh: Token{refresh, timestamp(row.ExpiresAt)},
	}, nil
}
