package store

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Revoke ends one session of the subject's. It reports whether there was one that had not been revoked before.
//
// It asks for no generation and no expiry: after a fail-over the row may be older than the client's token, and the
// session must end all the same.
func (s *Store) Revoke(ctx context.Context, id, subject models.Text, now int64, why models.Reason) (bool, error) {
	return endedOne(s.revoke(ctx, now, why, bySession, id, subject))
}

// RevokeSpent is [Store.Revoke] with a token of the generation spent that has expired. Its session must have moved on to a
// later generation, and still be live.
func (s *Store) RevokeSpent(ctx context.Context, id, subject models.Text, spent, now, cutoff int64, why models.Reason) (bool, error) {
	return endedOne(s.revoke(ctx, now, why, bySession+" AND generation > ? AND "+isLive, id, subject, spent, now, cutoff))
}

// RevokeReused ends one session of the subject's for reuse, on the condition that its generation is still later than
// the spent one that came back, and that it is not bound to the key that was proven, if any: another tab of the same client may just
// have bound it. It reports whether it did.
func (s *Store) RevokeReused(ctx context.Context, id, subject models.Text, spent int64, proven models.Text, now int64) (bool, error) {
	return endedOne(s.revoke(ctx, now, models.ReasonReuse, bySession+" AND generation > ? AND (binding = '' OR binding <> ?)",
		id, subject, spent, proven))
}

// RevokeAll ends every session of the subject's but those in except. It returns how many the last try ended, and whether an
// earlier one may have ended some.
func (s *Store) RevokeAll(ctx context.Context, subject models.Text, except []models.Text, now int64, why models.Reason) (ended int64, unsure bool, err error) {
	condition, args := "subject = ? AND revoked_at = 0", []any{subject}
	if len(except) > 0 {
		condition, args = condition+" AND id NOT IN ?", append(args, padded(except))
	}
	return s.revoke(ctx, now, why, condition, args...)
}

// RevokeBatch ends up to limit sessions of anybody's, in the order of their ids, from the one after last. It asks no clock. It returns the last id that it looked at, which is empty where there is none left, and how many it ended.
func (s *Store) RevokeBatch(ctx context.Context, last models.Text, now int64, limit int) (models.Text, int64, error) {
	var ids []models.Text
	result, _ := s.retry(ctx, again, func() *gorm.DB {
		db := primary(s.on(ctx, s.prepared, &models.RefreshToken{})).Where("revoked_at = 0")
		if last != "" {
			db = db.Where("id > ?", last)
		}
		return db.Order("id").Limit(limit).Pluck("id", &ids)
	})
	if result.Error != nil {
		return "", 0, fmt.Errorf("store: find sessions: %w", result.Error)
	}
	if len(ids) == 0 {
		return "", 0, nil
	}
	ended, _, err := s.revoke(ctx, now, models.ReasonRevoked, "id IN ? AND revoked_at = 0", padded(ids))
	return ids[len(ids)-1], ended, err
}

// Forget deletes every row of the subject's, and returns how many there were. It counts them first, because MariaDB's Spider does not
// say how many it deleted.
func (s *Store) Forget(ctx context.Context, subject models.Text) (int64, error) {
	var count int64
	result, _ := s.retry(ctx, again, func() *gorm.DB {
		return primary(s.on(ctx, s.db, &models.RefreshToken{})).Where("subject = ?", subject).Count(&count)
	})
	if result.Error != nil {
		return 0, fmt.Errorf("store: count a subject's sessions: %w", result.Error)
	}
	result, _ = s.retry(ctx, again, func() *gorm.DB {
		return s.on(ctx, s.db, &models.RefreshToken{}).Where("subject = ?", subject).Delete(&models.RefreshToken{})
	})
	if result.Error != nil {
		return 0, fmt.Errorf("store: forget a subject: %w", result.Error)
	}
	return max(count, result.RowsAffected), nil
}

// endedOne reports whether a revocation ended its session. Where a connection broke and the second try found nothing to end, the
// first one did it.
func endedOne(ended int64, unsure bool, err error) (bool, error) {
	return err == nil && (ended > 0 || unsure), err
}

// revoke ends the sessions that the condition finds. It returns how many the last try ended, and whether an earlier one may
// have ended some.
func (s *Store) revoke(ctx context.Context, now int64, why models.Reason, condition string, args ...any) (ended int64, unsure bool, err error) {
	result, unsure := s.retry(ctx, again, func() *gorm.DB {
		return s.on(ctx, s.db, &models.RefreshToken{}).Where(condition, args...).
			UpdateColumns(map[string]any{"revoked_at": now, "revoked_for": why})
	})
	if result.Error != nil {
		return 0, false, fmt.Errorf("store: revoke session: %w", result.Error)
	}
	return result.RowsAffected, unsure, nil
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
