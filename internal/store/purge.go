package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// PurgeBatch deletes up to limit rows that were created at the cutoff or before. It finds them by the index on created_at. It
// returns the id of the first that it found, which is empty where there was none, and how many it deleted. The rest of what it found,
// another purge had first; but MariaDB's Spider says 0 whatever it deleted.
//
// It selects before it deletes: DELETE … LIMIT is not portable, and InnoDB would lock the gaps of a range.
func (s *Store) PurgeBatch(ctx context.Context, cutoff int64, limit int) (first models.Text, deleted int64, err error) {
	var ids []models.Text
	result, _ := s.retry(ctx, again, func() *gorm.DB {
		return primary(s.on(ctx, s.prepared, &models.RefreshToken{})).Where("created_at <= ?", cutoff).
			Order("created_at").Limit(limit).Pluck("id", &ids)
	})
	if result.Error != nil {
		return "", 0, fmt.Errorf("store: find dead sessions: %w", result.Error)
	}
	if len(ids) == 0 {
		return "", 0, nil
	}
	result, _ = s.retry(ctx, again, func() *gorm.DB {
		return s.on(ctx, s.db, &models.RefreshToken{}).Where("id IN ? AND created_at <= ?", padded(ids), cutoff).Delete(&models.RefreshToken{})
	})
	if result.Error != nil {
		return ids[0], 0, fmt.Errorf("store: delete dead sessions: %w", result.Error)
	}
	return ids[0], result.RowsAffected, nil
}
