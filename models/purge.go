package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Sweep deletes up to limit of the subject's rows that were created at the cutoff or before.
func (s *Store) Sweep(ctx context.Context, subject Text, cutoff int64, limit int) (int64, error) {
	return s.deleteDead(ctx, cutoff, limit, func(db *gorm.DB) *gorm.DB { return db.Where("subject = ?", subject) })
}

// PurgeBatch deletes up to limit rows that were created at the cutoff or before, and reports how many it deleted. It
// finds them by the index on created_at. Fewer than limit means that none was left, or that another purge beside this
// one had them first.
func (s *Store) PurgeBatch(ctx context.Context, cutoff int64, limit int) (int64, error) {
	return s.deleteDead(ctx, cutoff, limit, func(db *gorm.DB) *gorm.DB { return db.Order("created_at") })
}

// deleteDead selects before it deletes: DELETE … LIMIT is not portable, and InnoDB would lock the gaps of a range.
func (s *Store) deleteDead(ctx context.Context, cutoff int64, limit int, which func(*gorm.DB) *gorm.DB) (int64, error) {
	var ids []Text
	result := s.run(ctx, func() *gorm.DB {
		return which(primary(s.hot.WithContext(ctx))).Model(&RefreshToken{}).Where("created_at <= ?", cutoff).Limit(limit).Pluck("id", &ids)
	})
	if result.Error != nil {
		return 0, fmt.Errorf("models: find dead sessions: %w", result.Error)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	result = s.run(ctx, func() *gorm.DB {
		return s.db.WithContext(ctx).Where("id IN ? AND created_at <= ?", ids, cutoff).Delete(&RefreshToken{})
	})
	if result.Error != nil {
		return 0, fmt.Errorf("models: delete dead sessions: %w", result.Error)
	}
	return result.RowsAffected, nil
}
