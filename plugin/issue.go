package plugin

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Issue starts a session for subject, which the host has just authenticated, and returns its first tokens. subject is
// the host's user id, 1 to 255 bytes of UTF-8. Errors: [ErrInvalidSubject], [ErrSubjectRefused], [ErrInvalidClaims],
// what the Claims callback returned, or the database's; in each case no session was started.
func (s *Service) Issue(ctx context.Context, subject string, device Device) (Tokens, error) {
	if !jose.ValidSubject(subject) {
		return Tokens{}, ErrInvalidSubject
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Tokens{}, fmt.Errorf("make session id: %w", err)
	}
	now := s.now()
	row := s.successor(refreshClaims{Registered: jose.Registered{Subject: subject, SessionID: id.String(), AuthTime: now}}, now, device)
	custom, err := s.customClaims(ctx, row)
	if err != nil {
		return Tokens{}, err
	}
	tokens, err := s.mint(row, now, custom)
	if err != nil {
		return Tokens{}, err
	}
	if err := s.store.Create(ctx, row); err != nil {
		return Tokens{}, err
	}
	s.purgeSometimes(ctx)
	return tokens, nil
}

// successor returns the row that the session of the presented claims moves on to.
func (s *Service) successor(presented refreshClaims, now int64, device Device) *models.RefreshToken {
	userAgent, ip := device.columns()
	return &models.RefreshToken{
		ID:         models.Text(presented.SessionID),
		Subject:    models.Text(presented.Subject),
		Generation: presented.Generation + 1,
		IssuedAt:   now,
		ExpiresAt:  s.expiry(presented.AuthTime, now),
		CreatedAt:  presented.AuthTime,
		UserAgent:  userAgent,
		IP:         ip,
	}
}

// expiry returns when a refresh token minted now ends.
func (s *Service) expiry(authTime, now int64) int64 {
	return min(now+s.refreshTTL, authTime+s.sessionTTL)
}
