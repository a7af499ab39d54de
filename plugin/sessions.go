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
	if !validSubject(subject) {
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

// Revoke ends the session of a refresh token. The token may be spent. It may also have expired, if it was spent before: then
// its session may have moved on and still be live. An unspent token that has expired is of a session that idled out. Errors: [ErrNotFound], with the cause, where the
// token is not of a live session; or the database's. Once it has returned nil, no token of that session can be refreshed.
func (s *Service) Revoke(ctx context.Context, token string) error {
	now := s.now()
	claims, err := s.readRefresh(token, now)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	id, subject := models.Text(claims.SessionID), models.Text(claims.Subject)
	if claims.ExpiresAt <= now {
		return found(s.store.RevokeSpent(ctx, id, subject, claims.Generation, now, s.cutoff(now), models.ReasonLogout))
	}
	return found(s.store.Revoke(ctx, id, subject, now, models.ReasonLogout))
}

// RevokeSession ends the subject's session of that id, or returns [ErrNotFound].
func (s *Service) RevokeSession(ctx context.Context, subject, id string) error {
	if !validSessionID(id) {
		return ErrNotFound
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	return found(s.store.Revoke(ctx, models.Text(id), models.Text(subject), s.now(), models.ReasonRevoked))
}

// found makes an error of a session that was not there.
func found(ended bool, err error) error {
	if err == nil && !ended {
		return ErrNotFound
	}
	return err
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
	ctx, cancel := detach(ctx)
	defer cancel()
	return s.store.RevokeAll(ctx, models.Text(subject), keep, s.now(), models.ReasonRevoked)
}
