package plugin

import (
	"context"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// revokeBatch is how many sessions one UPDATE of RevokeEveryone ends.
const revokeBatch = 500

// RevokeEveryone ends every session of everybody's, in batches, and returns how many it ended, also with an error (OWASP ASVS
// 5.0, 7.4.5). Sessions that start meanwhile may live on. Stopped by ctx, it can be run again.
func (s *Service) RevokeEveryone(ctx context.Context) (int64, error) {
	now := s.now()
	var total int64
	var last models.Text
	for {
		next, ended, err := s.store.RevokeBatch(ctx, last, now, revokeBatch)
		total += ended
		if err != nil {
			return total, err
		}
		s.forgetLive("")
		if ended > 0 {
			s.emitRevoked(ctx, Session{}, ended, models.ReasonRevoked)
		}
		if next == "" {
			return total, nil
		}
		last = next
	}
}
