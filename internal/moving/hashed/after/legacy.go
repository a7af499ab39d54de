package after

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// Table is the name of the module's table, beside the old refresh_tokens.
const Table = "sessions"

// Migrate creates it.
func Migrate(db *gorm.DB) error {
	return db.Table(Table).AutoMigrate(models.All()...)
}

// Legacy reads the old table. It takes no token from the instant until on.
func Legacy(db *gorm.DB, until time.Time) func(context.Context, string) (string, error) {
	return func(ctx context.Context, token string) (string, error) {
		now, sum := time.Now(), sha256.Sum256([]byte(token))
		if !now.Before(until) {
			return "", plugin.ErrInvalidToken
		}
		var userIDs []uint
		err := db.WithContext(ctx).Table("refresh_tokens").
			Where("token_hash = ? AND revoked_at IS NULL AND expires_at > ?", hex.EncodeToString(sum[:]), now).
			Limit(1).Pluck("user_id", &userIDs).Error
		if err != nil {
			return "", err
		}
		if len(userIDs) == 0 {
			return "", plugin.ErrInvalidToken
		}
		return strconv.FormatUint(uint64(userIDs[0]), 10), nil
	}
}

// LogOutEverywhere is for a new password, and for a user who is banned or deleted. It ends the old tokens first: one of them may be
// taken over while it runs.
func LogOutEverywhere(ctx context.Context, db *gorm.DB, auth *plugin.Service, userID uint) error {
	err := db.WithContext(ctx).Table("refresh_tokens").Where("user_id = ? AND revoked_at IS NULL", userID).Update("revoked_at", time.Now()).Error
	if err != nil {
		return err
	}
	return auth.RevokeAll(ctx, strconv.FormatUint(uint64(userID), 10))
}
