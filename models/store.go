package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Store runs the statements over the table of [RefreshToken]. It is safe for concurrent use.
//
// "Live" in a name means: not revoked, its generation not idled out, and created after the cutoff given, which is now
// less the longest time that a session may last.
type Store struct {
	db *gorm.DB
	// hot prepares its statements, where that pays: it is for those that run often, and always with the same text.
	hot *gorm.DB
}

// NewStore returns a Store on db, which may be a transaction of the host's. The host's own configuration is left alone.
func NewStore(db *gorm.DB) *Store {
	return &Store{db: session(db, false), hot: session(db, prepares(db))}
}

// session strips the host's pending conditions, and drops GORM's transaction around single statements.
func session(db *gorm.DB, prepare bool) *gorm.DB {
	return db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true, PrepareStmt: prepare})
}

// primary asks gorm.io/plugin/dbresolver, where the host uses it, to read from the primary: a lagging replica would show a
// winner's row as it was before. The key is dbresolver's own name for its Write clause, so that it need not be imported.
func primary(db *gorm.DB) *gorm.DB {
	return db.Set("gorm:db_resolver:write", true)
}

// prepares tells whether GORM's prepared statements pay. Not on PostgreSQL, whose driver prepares by itself, unless the
// host has told it not to for the sake of a pooler such as PgBouncer; and not in a transaction, which they wouldn't
// outlive.
func prepares(db *gorm.DB) bool {
	return db.Name() != "postgres" && !inTransaction(db)
}

// bySession finds one session of a subject's that was not revoked. COALESCE keeps the subject out of the planner's choice:
// PostgreSQL, on a table that it has no statistics of yet, would else go by the index on the subject, and through all of
// the subject's sessions.
const bySession = "id = ? AND COALESCE(subject, '') = ? AND revoked_at = 0"

// of begins a statement of a row's, as WithContext and Model would with one copy more.
func (s *Store) of(ctx context.Context, row *RefreshToken) *gorm.DB {
	db := s.hot.Model(row)
	db.Statement.Context = ctx
	return db
}

// Create inserts a row.
func (s *Store) Create(ctx context.Context, row *RefreshToken) error {
	result := s.run(ctx, func() *gorm.DB {
		return s.of(ctx, row).Create(row)
	})
	if result.Error != nil {
		return fmt.Errorf("models: create session: %w", result.Error)
	}
	return nil
}

// Rotate makes next the row of its session in one UPDATE by primary key, on the condition that the session is next's
// subject's, not revoked, and of an earlier generation. It reports whether the condition held.
func (s *Store) Rotate(ctx context.Context, next *RefreshToken) (bool, error) {
	result := s.run(ctx, func() *gorm.DB {
		return s.rotate(ctx, next)
	})
	if result.Error != nil {
		return false, fmt.Errorf("models: rotate session: %w", result.Error)
	}
	return result.RowsAffected > 0, nil
}

// Find returns the row of a session, or nil where there is none.
func (s *Store) Find(ctx context.Context, id Text) (*RefreshToken, error) {
	var rows []RefreshToken
	result := s.run(ctx, func() *gorm.DB {
		return primary(s.hot.WithContext(ctx)).Where("id = ?", id).Limit(1).Find(&rows) // not First, which logs a miss as an error
	})
	if result.Error != nil {
		return nil, fmt.Errorf("models: find session: %w", result.Error)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// ListLive returns the subject's live sessions, newest use first.
func (s *Store) ListLive(ctx context.Context, subject Text, now, cutoff int64) ([]RefreshToken, error) {
	var rows []RefreshToken
	result := s.run(ctx, func() *gorm.DB {
		return primary(s.db.WithContext(ctx)).Where("subject = ? AND revoked_at = 0 AND expires_at > ? AND created_at > ?", subject, now, cutoff).
			Order("issued_at DESC, id DESC").Find(&rows)
	})
	if result.Error != nil {
		return nil, fmt.Errorf("models: list sessions: %w", result.Error)
	}
	return rows, nil
}

// Revoke ends one session of the subject's. It reports whether there was one that had not been ended before.
//
// It asks for no particular generation or expiry: after a fail-over the row may be older than the client's token, and
// the session must end all the same.
func (s *Store) Revoke(ctx context.Context, id, subject Text, now int64, why Reason) (bool, error) {
	return s.revoke(ctx, now, why, bySession, id, subject)
}

// RevokeReused ends one session of the subject's for reuse, on the condition that its generation is still later than
// the spent one that came back. It reports whether it did.
func (s *Store) RevokeReused(ctx context.Context, id, subject Text, spent, now int64) (bool, error) {
	return s.revoke(ctx, now, ReasonReuse, bySession+" AND generation > ?", id, subject, spent)
}

// RevokeAll ends every session of the subject's but those in except.
func (s *Store) RevokeAll(ctx context.Context, subject Text, except []Text, now int64, why Reason) error {
	condition, args := "subject = ? AND revoked_at = 0", []any{subject}
	if len(except) > 0 {
		condition, args = condition+" AND id NOT IN ?", append(args, except)
	}
	_, err := s.revoke(ctx, now, why, condition, args...)
	return err
}

func (s *Store) revoke(ctx context.Context, now int64, why Reason, condition string, args ...any) (bool, error) {
	result := s.run(ctx, func() *gorm.DB {
		return s.db.WithContext(ctx).Model(&RefreshToken{}).Where(condition, args...).
			UpdateColumns(map[string]any{"revoked_at": now, "revoked_for": why})
	})
	if result.Error != nil {
		return false, fmt.Errorf("models: revoke session: %w", result.Error)
	}
	return result.RowsAffected > 0, nil
}
