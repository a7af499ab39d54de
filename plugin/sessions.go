package plugin

import (
	"context"
	"fmt"

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
	if !validSessionID(id) {
		return Session{}, ErrNotFound
	}
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

// Sessions lists the subject's live sessions, newest use first; none is an empty list. Errors: [ErrInvalidSubject], or
// the database's.
func (s *Service) Sessions(ctx context.Context, subject string) ([]Session, error) {
	if !validSubject(subject) {
		return nil, ErrInvalidSubject
	}
	now := s.now()
	rows, err := s.store.ListLive(ctx, models.Text(subject), now, s.cutoff(now))
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, len(rows))
	for i := range rows {
		sessions[i] = s.session(&rows[i])
	}
	return sessions, nil
}

// Revoke ends the session of a refresh token, spent or not. It returns [ErrNotFound], with the cause, where the token
// is not of a live session. Once it has returned nil, no token of that session can be refreshed.
func (s *Service) Revoke(ctx context.Context, token string) error {
	now := s.now()
	claims, err := s.verifyRefresh(token, now)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return s.revoke(ctx, claims.Subject, claims.SessionID, now, models.ReasonLogout)
}

// RevokeSession ends the subject's session of that id, or returns [ErrNotFound].
func (s *Service) RevokeSession(ctx context.Context, subject, id string) error {
	if !validSessionID(id) {
		return ErrNotFound
	}
	return s.revoke(ctx, subject, id, s.now(), models.ReasonRevoked)
}

func (s *Service) revoke(ctx context.Context, subject, id string, now int64, why models.Reason) error {
	ended, err := s.store.Revoke(ctx, models.Text(id), models.Text(subject), now, why)
	if err != nil {
		return err
	}
	if !ended {
		return ErrNotFound
	}
	return nil
}

// RevokeAll ends all of the subject's sessions, but those whose ids are in except. It is no error if there are none.
// Errors: [ErrInvalidSubject], or [ErrNotFound] where an id in except can't be a session's, and nothing is ended; or the
// database's.
func (s *Service) RevokeAll(ctx context.Context, subject string, except ...string) error {
	if !validSubject(subject) {
		return ErrInvalidSubject
	}
	keep := make([]models.Text, 0, len(except))
	for _, id := range except {
		if !validSessionID(id) {
			return fmt.Errorf("except: %w", ErrNotFound)
		}
		keep = append(keep, models.Text(id))
	}
	return s.store.RevokeAll(ctx, models.Text(subject), keep, s.now(), models.ReasonRevoked)
}
