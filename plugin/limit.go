package plugin

import (
	"context"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// limitSessions ends the subject's least recently used sessions beyond Config.MaxSessions, after a login has inserted its
// own, which stays. Logins that run at once leave at most so many: the one that looks last sees all of them.
//
// Where that fails, it ends the new session again: nobody gets its tokens.
func (s *Service) limitSessions(ctx context.Context, created *models.RefreshToken) error {
	if s.config.MaxSessions == 0 {
		return nil
	}
	err := s.endOldest(ctx, created)
	if err != nil && !s.store.InTransaction() {
		ctx, cancel := detach(ctx)
		defer cancel()
		_, _ = s.store.Revoke(ctx, created.ID, created.Subject, s.now(), models.ReasonLimit) // the first error says it all
	}
	return err
}

func (s *Service) endOldest(ctx context.Context, created *models.RefreshToken) error {
	now := s.now()
	for {
		rows, err := s.store.ListOthers(ctx, created.ID, created.Subject, now, s.cutoff(now), s.config.MaxSessions-1, limitBatch)
		if err != nil {
			return err
		}
		progress := false
		for i := range rows {
			ended, err := s.store.Revoke(ctx, rows[i].ID, rows[i].Subject, now, models.ReasonLimit)
			if err != nil {
				return err
			}
			if ended {
				progress = true
				s.forgetLive(string(rows[i].ID))
				s.emitRevoked(ctx, s.session(&rows[i]), 1, models.ReasonLimit)
			}
		}
		if len(rows) < limitBatch || !progress {
			return nil
		}
	}
}

// limitBatch is how many sessions are read at once. A login finds one, unless the limit was lowered or logins ran at once.
const limitBatch = 100
