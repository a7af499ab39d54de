package plugin

import (
	"context"
	"errors"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Session is a login. As JSON it is an element of the list route.
type Session struct {
	ID         string    `json:"id"`
	Subject    string    `json:"-"`
	CreatedAt  Timestamp `json:"createdAt"`
	LastUsedAt Timestamp `json:"lastUsedAt"`
	ExpiresAt  Timestamp `json:"expiresAt"` // when it ends if it isn't used again
	UserAgent  string    `json:"userAgent"`
	IP         string    `json:"ip"`
}

func (s *Service) session(row *models.RefreshToken) Session {
	return Session{
		ID:         string(row.ID),
		Subject:    string(row.Subject),
		CreatedAt:  timestamp(row.CreatedAt),
		LastUsedAt: timestamp(row.IssuedAt),
		ExpiresAt:  timestamp(min(row.ExpiresAt, row.CreatedAt+s.sessionTTL)),
		UserAgent:  string(row.UserAgent),
		IP:         string(row.IP),
	}
}

// Session returns the subject's live session of that id, or [ErrNotFound].
func (s *Service) Session(ctx context.Context, subject, id string) (Session, error) {
	if !jose.ValidSessionID(id) {
		return Session{}, ErrNotFound
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	row, err := s.store.Find(ctx, models.Text(id))
	if err != nil {
		return Session{}, err
	}
	now := s.now()
	if row == nil || string(row.Subject) != subject || row.RevokedAt != 0 ||
		row.ExpiresAt <= now || row.CreatedAt <= s.cutoff(now) {
		return Session{}, ErrNotFound
	}
	return s.session(row), nil
}

// maxSessionsListed keeps one answer small.
const maxSessionsListed = 200

// Sessions lists the subject's live sessions, newest use first, and at most 200 of them. None is an empty list. Errors:
// [ErrInvalidSubject], or the database's.
func (s *Service) Sessions(ctx context.Context, subject string) ([]Session, error) {
	if !jose.ValidSubject(subject) {
		return nil, ErrInvalidSubject
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	now := s.now()
	rows, err := s.store.ListLive(ctx, models.Text(subject), now, s.cutoff(now), maxSessionsListed)
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, len(rows))
	for i := range rows {
		sessions[i] = s.session(&rows[i])
	}
	return sessions, nil
}

// SessionLives reports whether the subject has a live session of that id. The error is the database's.
func (s *Service) SessionLives(ctx context.Context, subject, id string) (bool, error) {
	_, err := s.Session(ctx, subject, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
