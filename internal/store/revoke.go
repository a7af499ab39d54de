package store

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// bySession finds one session of a subject that was not revoked. COALESCE keeps the index on the subject out of the
// planner's choice: PostgreSQL, on a table without statistics, would read all sessions of the subject by it.
const bySession = "id = ? AND COALESCE(subject, '') = ? AND revoked_at = 0"

// Revoke ends one session of the subject's. It reports whether there was one that had not been revoked before.
//
// It asks for no generation and no expiry: after a fail-over the row may be older than the client's token, and the
// session must end all the same.
func (s *Store) Revoke(ctx context.Context, id, subject models.Text, now int64, why models.Reason) (bool, error) {
	return s.revoke(ctx, now, why, bySession, id, subject)
}

// RevokeSpent is [Store.Revoke] with a token of the generation spent that has expired. Its session must have moved on to a
// later generation, and still be live.
func (s *Store) RevokeSpent(ctx context.Context, id, subject models.Text, spent, now, cutoff int64, why models.Reason) (bool, error) {
	return s.revoke(ctx, now, why, bySession+" AND generation > ? AND "+isLive, id, subject, spent, now, cutoff)
}

// RevokeReused ends one session of the subject's for reuse, on the condition that its generation is still later than
// the spent one that came back. It reports whether it did.
func (s *Store) RevokeReused(ctx context.Context, id, subject models.Text, spent, now int64) (bool, error) {
	return s.revoke(ctx, now, models.ReasonReuse, bySession+" AND generation > ?", id, subject, spent)
}

// RevokeAll ends every session of the subject's but those in except.
func (s *Store) RevokeAll(ctx context.Context, subject models.Text, except []models.Text, now int64, why models.Reason) error {
	condition, args := "subject = ? AND revoked_at = 0", []any{subject}
	if len(except) > 0 {
		condition, args = condition+" AND id NOT IN ?", append(args, padded(except))
	}
	_, err := s.revoke(ctx, now, why, condition, args...)
	return err
}

// revoke reports whether it ended a session. Where a connection broke and the second try found nothing to end, the first
// one did it.
func (s *Store) revoke(ctx context.Context, now int64, why models.Reason, condition string, args ...any) (bool, error) {
	result, unsure := s.retry(ctx, again, func() *gorm.DB {
		return s.on(ctx, s.db, &models.RefreshToken{}).Where(condition, args...).
			UpdateColumns(map[string]any{"revoked_at": now, "revoked_for": why})
	})
	if result.Error != nil {
		return false, fmt.Errorf("store: revoke session: %w", result.Error)
	}
	return result.RowsAffected > 0 || unsure, nil
}

// padded repeats the last of ids up to a power of two, so that lists of any length make few texts of statements: each
// text takes a place in the host's cache of prepared statements.
func padded(ids []models.Text) []models.Text {
	ids = slices.Clip(ids) // append must not write into the caller's
	for len(ids)&(len(ids)-1) != 0 {
		ids = append(ids, ids[len(ids)-1])
	}
	return ids
}
