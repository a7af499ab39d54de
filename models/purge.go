package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// PurgeBatch deletes up to limit rows that were created at the cutoff or before, and reports how many it deleted. It
// finds them by the index on created_at. Fewer than limit means that none was left, or that another purge had them first.
//
// It selects before it deletes: DELETE … LIMIT is not portable, and InnoDB would lock the gaps of a range.
func (s *Store) PurgeBatch(ctx context.Context, cutoff int64, limit int) (int64, error) {
	var ids []Text
	result, _ := s.run(ctx, again, func() *gorm.DB {
		return primary(s.on(ctx, s.prepared, &RefreshToken{})).Where("created_at <= ?", cutoff).
			Order("created_at").Limit(limit).Pluck("id", &ids)
	})
	if result.Error != nil {
		return 0, fmt.Errorf("models: find dead sessions: %w", result.Error)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	result, _ = s.run(ctx, again, func() *gorm.DB {
		return s.on(ctx, s.db, &RefreshToken{}).Where("id IN ? AND created_at <= ?", padded(ids), cutoff).Delete(&RefreshToken{})
	})
	if result.Error != nil {
		return 0, fmt.Errorf("models: delete dead sessions: %w", result.Error)
	}
	return result.RowsAffected, nil
}
