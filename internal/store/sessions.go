package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// ListLive returns at most limit of the subject's live sessions, newest use first.
func (s *Store) ListLive(ctx context.Context, subject models.Text, now, cutoff int64, limit int) ([]models.RefreshToken, error) {
	return s.list(ctx, limit, func() *gorm.DB {
		return s.on(ctx, s.db, &models.RefreshToken{}).Where("subject = ? AND revoked_at = 0 AND "+isLive, subject, now, cutoff)
	})
}

// ListOthers returns at most limit of the subject's live sessions other than id, newest use first, after the first offset of
// them. In a transaction of the host's it locks them: MySQL would otherwise read them as they were when the transaction began.
func (s *Store) ListOthers(ctx context.Context, id, subject models.Text, now, cutoff int64, offset, limit int) ([]models.RefreshToken, error) {
	return s.list(ctx, limit, func() *gorm.DB {
		db := s.on(ctx, s.db, &models.RefreshToken{}).Offset(offset).
			Where("subject = ? AND revoked_at = 0 AND "+isLive+" AND id <> ?", subject, now, cutoff, id)
		if s.InTransaction() {
			db = db.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
		}
		return db
	})
}

func (s *Store) list(ctx context.Context, limit int, from func() *gorm.DB) ([]models.RefreshToken, error) {
	var rows []models.RefreshToken
	result, _ := s.retry(ctx, again, func() *gorm.DB {
		return primary(from()).Order("issued_at DESC, id DESC").Limit(limit).Find(&rows)
	})
	if result.Error != nil {
		return nil, fmt.Errorf("store: list sessions: %w", result.Error)
	}
	return rows, nil
}
