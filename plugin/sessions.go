package plugin

import (
	"context"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Session is a session of a subject's: one login. As JSON it is an element of the list route.
type Session struct {
	ID         string    `json:"id"`
	Subject    string    `json:"-"`
	Name       string    `json:"name"` // the device's, from the login; empty where it gave none
	CreatedAt  Timestamp `json:"createdAt"`
	LastUsedAt Timestamp `json:"lastUsedAt"`
	ExpiresAt  Timestamp `json:"expiresAt"` // when it ends if it isn't used again
	UserAgent  string    `json:"userAgent"`
	IP         string    `json:"ip"`
	Bound      bool      `json:"bound"` // to a key that never leaves the device

	// Data is what [WithData] gave at login, with numbers as float64; nil where it gave nothing.
	Data map[string]any `json:"-"`
}

func (s *Service) session(row *models.RefreshToken) Session {
	data := decodeData(row.Data)
	return Session{
		ID:         string(row.ID),
		Subject:    string(row.Subject),
		Name:       data.Device,
		CreatedAt:  timestamp(row.CreatedAt),
		LastUsedAt: timestamp(row.IssuedAt),
		ExpiresAt:  timestamp(min(row.ExpiresAt, s.absoluteEnd(row.CreatedAt, row.AbsoluteLimit))),
		UserAgent:  string(row.UserAgent),
		IP:         string(row.IP),
		Bound:      isBound(row.Binding),
		Data:       data.values(),
	}
}

// Session returns the subject's live session of that id, or [ErrNotFound].
func (s *Service) Session(ctx context.Context, subject, id string) (Session, error) {
	row, err := s.liveRow(ctx, subject, id, s.now(), store.Whole)
	if err != nil {
		return Session{}, err
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
