// Package oldtokens keeps the refresh tokens of the app before in a table, where they can't be read in place: each by its SHA-256.
package oldtokens

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// OldToken is a refresh token of the app before. Migrate it beside models.All(), and drop its table when the move is over.
type OldToken struct {
	Hash      string    `gorm:"primaryKey;size:64"`
	Subject   string    `gorm:"size:255;not null;index"`
	ExpiresAt time.Time `gorm:"not null"`
}

// New returns the row of a token.
func New(token, subject string, expires time.Time) OldToken {
	return OldToken{hash(token), subject, expires.UTC()}
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Add inserts rows. One that is there already stays, so an import can be run again.
func Add(db *gorm.DB, tokens []OldToken) error {
	return db.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(tokens, 500).Error
}

// Legacy is for refreshtokens.Config. It takes no token from the day of until on.
func Legacy(db *gorm.DB, until time.Time) func(context.Context, string) (string, error) {
	return func(ctx context.Context, token string) (string, error) {
		now := time.Now().UTC()
		if !now.Before(until) {
			return "", plugin.ErrInvalidToken
		}
		var found []OldToken
		err := db.WithContext(ctx).Where("hash = ? AND expires_at > ?", hash(token), now).Limit(1).Find(&found).Error
		if err != nil {
			return "", err
		}
		if len(found) == 0 {
			return "", plugin.ErrInvalidToken
		}
		return found[0].Subject, nil
	}
}

// Forget deletes a subject's old tokens. Call it before RevokeAll: when the password changes, when a user logs out everywhere, and
// when one is deleted.
func Forget(ctx context.Context, db *gorm.DB, subject string) error {
	return db.WithContext(ctx).Where("subject = ?", subject).Delete(&OldToken{}).Error
}
