package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Sweep deletes up to limit of the subjects' rows that were created at the cutoff or before. The order is that of the
// index on both: PostgreSQL, on a table that it has no statistics of yet, would else read all of it for several subjects.
func (s *Store) Sweep(ctx context.Context, subjects []Text, cutoff int64, limit int) (int64, error) {
	for len(subjects)&(len(subjects)-1) != 0 {
		subjects = append(subjects, subjects[0]) // up to a power of two, or there would be too many texts to prepare
	}
	return s.deleteDead(ctx, s.hot.Where("subject IN ?", subjects).Order("subject, created_at"), cutoff, limit)
}

// PurgeBatch deletes up to limit rows that were created at the cutoff or before, and reports how many it deleted. It
// finds them by the index on created_at. Fewer than limit means that none was left, or that another purge beside this
// one had them first.
func (s *Store) PurgeBatch(ctx context.Context, cutoff int64, limit int) (int64, error) {
	return s.deleteDead(ctx, s.hot.Order("created_at"), cutoff, limit)
}

// deleteDead deletes those rows of from. It selects before it deletes: DELETE … LIMIT is not portable, and InnoDB would
// lock the gaps of a range.
func (s *Store) deleteDead(ctx context.Context, from *gorm.DB, cutoff int64, limit int) (int64, error) {
	var ids []Text
	result := s.run(ctx, func() *gorm.DB {
		return primary(from.WithContext(ctx)).Model(&RefreshToken{}).Where("created_at <= ?", cutoff).Limit(limit).Pluck("id", &ids)
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
