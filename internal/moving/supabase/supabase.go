// Package supabase moves the users of an app with Supabase Auth, in place: its tables and this module's are in one PostgreSQL.
package supabase

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// LookUp finds whose an active refresh token is. Of a session, one token is not revoked.
const LookUp = `
SELECT s.user_id::text
FROM auth.refresh_tokens t
JOIN auth.sessions s ON s.id = t.session_id
JOIN auth.users u ON u.id = s.user_id
WHERE t.token = ? AND t.revoked IS NOT TRUE
  AND (s.not_after IS NULL OR s.not_after > now())
  AND (u.banned_until IS NULL OR u.banned_until <= now())
  AND u.deleted_at IS NULL`

// Legacy is for refreshtokens.Config. It takes no token from the instant until on. Supabase's tokens don't expire by themselves, so
// the end must be here: at the latest SessionTTL after the move.
func Legacy(db *gorm.DB, until time.Time) func(context.Context, string) (string, error) {
	return func(ctx context.Context, token string) (string, error) {
		if !time.Now().Before(until) {
			return "", plugin.ErrInvalidToken
		}
		var users []string
		if err := db.WithContext(ctx).Raw(LookUp, token).Scan(&users).Error; err != nil {
			return "", err
		}
		if len(users) == 0 {
			return "", plugin.ErrInvalidToken
		}
		return users[0], nil
	}
}

// LogOutEverywhere is for a new password, and for a user who is banned or deleted. It ends the old sessions first: one of their tokens
// may be taken over while it runs.
func LogOutEverywhere(ctx context.Context, db *gorm.DB, auth *plugin.Service, userID string) error {
	// Their refresh tokens go with them: ON DELETE CASCADE.
	if err := db.WithContext(ctx).Exec("DELETE FROM auth.sessions WHERE user_id = ?::uuid", userID).Error; err != nil {
		return err
	}
	return auth.RevokeAll(ctx, userID)
}
