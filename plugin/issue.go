package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/internal/origin"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Issue starts a session for subject, which the host has just authenticated, and returns its first tokens. subject is
// the host's user id, 1 to 255 bytes of UTF-8. Errors: [ErrInvalidSubject], [ErrInvalidTTL], [ErrSubjectRefused],
// [ErrInvalidClaims], what the Claims callback returned, or the database's; in each case no session was started.
func (s *Service) Issue(ctx context.Context, subject string, device Device, options ...SessionOption) (Tokens, error) {
	began := time.Now()
	if !jose.ValidSubject(subject) {
		return Tokens{}, ErrInvalidSubject
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Tokens{}, fmt.Errorf("make session id: %w", err)
	}
	now := s.now()
	claims := refreshClaims{Registered: jose.Registered{Subject: subject, SessionID: id.String(), AuthTime: now}}
	if err := s.apply(ctx, &claims, device, options); err != nil {
		return Tokens{}, err
	}
	row := s.successor(claims, now, device)
	custom, err := s.customClaims(ctx, row)
	if err != nil {
		return Tokens{}, err
	}
	tokens, err := s.mint(ctx, row, now, custom)
	if err != nil {
		return Tokens{}, err
	}
	if err := s.store.Create(ctx, row); err != nil {
		return Tokens{}, err
	}
	if err := s.limitSessions(origin.With(ctx, origin.Request{UserAgent: device.UserAgent, IP: device.IP}), row); err != nil {
		return Tokens{}, err
	}
	if s.wantsEvents(ctx) {
		s.emit(ctx, Event{Kind: EventIssued, Session: s.session(row), Device: device, Duration: time.Since(began)})
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
		ExpiresAt:  s.expiry(presented, now),
		CreatedAt:  presented.AuthTime,
		UserAgent:  userAgent,
		IP:         ip,

		IdleLimit:     presented.IdleLimit,
		AbsoluteLimit: presented.AbsoluteLimit,
		Data:          models.Text(presented.Data),
		Binding:       models.Text(presented.Binding),
	}
}

// expiry returns when a refresh token of the presented one's session ends that is minted now.
func (s *Service) expiry(presented refreshClaims, now int64) int64 {
	return min(now+shorter(presented.IdleLimit, s.refreshTTL), s.absoluteEnd(presented.AuthTime, presented.AbsoluteLimit))
}

// absoluteEnd returns when a session ends, however much it is used.
func (s *Service) absoluteEnd(authTime, ownLimit int64) int64 {
	return authTime + shorter(ownLimit, s.sessionTTL)
}

// shorter returns a session's own limit, where it has one that is shorter than the configured one.
func shorter(own, configured int64) int64 {
	if own > 0 {
		return min(own, configured)
	}
	return configured
}
