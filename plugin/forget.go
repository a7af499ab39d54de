package plugin

import (
	"context"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Forget deletes every row of the subject's, with its addresses and user agents, and returns how many there were. It is for
// erasure on request. The subject's tokens are refused from then on. Errors: [ErrInvalidSubject], or the database's.
func (s *Service) Forget(ctx context.Context, subject string) (int64, error) {
	if !jose.ValidSubject(subject) {
		return 0, ErrInvalidSubject
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	deleted, err := s.store.Forget(ctx, models.Text(subject))
	s.forgetLive("")
	if err != nil {
		return 0, err
	}
	if deleted > 0 {
		s.emitRevoked(ctx, Session{Subject: subject}, deleted, models.ReasonRevoked)
	}
	return deleted, nil
}
