package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Store runs the statements over the table of [RefreshToken]. It is safe for concurrent use.
//
// "Live" in a name means: not revoked, not idled out, and created after the cutoff, which is now minus the longest time
// that a session may last.
type Store struct {
	db *gorm.DB
	// prepared is db with prepared statements, for the statements that run often and always with the same text.
	prepared *gorm.DB
	// table and tableExpr name the table. Both are empty where GORM's naming strategy names it.
	table     string
	tableExpr *clause.Expr
}

// NewStore returns a Store on db, which may be a transaction or a connection of the host's. An empty table means the
// name that GORM's naming strategy gives.
func NewStore(db *gorm.DB, table string) *Store {
	s := &Store{db: session(db, false), prepared: session(db, prepares(db))}
	if table != "" {
		named := s.db.Table(table).Statement
		s.table, s.tableExpr = named.Table, named.TableExpr
	}
	return s
}

// WithDB returns the Store on another db, with the same table.
func (s *Store) WithDB(db *gorm.DB) *Store {
	return &Store{db: session(db, false), prepared: session(db, prepares(db)), table: s.table, tableExpr: s.tableExpr}
}

// session drops GORM's transaction around single statements, and leaves the host's own configuration alone.
func session(db *gorm.DB, prepare bool) *gorm.DB {
	return db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true, PrepareStmt: prepare})
}

// on starts a statement over the table. model is the row to write, or an empty one. The statement has nothing of the
// conditions that were pending on the host's *gorm.DB: WithContext would copy them.
func (s *Store) on(ctx context.Context, db *gorm.DB, model *RefreshToken) *gorm.DB {
	db = db.Model(model)
	db.Statement.Context = ctx
	db.Statement.Table, db.Statement.TableExpr = s.table, s.tableExpr
	return db
}

// primary makes gorm.io/plugin/dbresolver, where the host uses it, read from the primary: a lagging replica would show a
// row as it was before its rotation. The key is dbresolver's own name for its Write clause, so we need not import it.
func primary(db *gorm.DB) *gorm.DB {
	return db.Set("gorm:db_resolver:write", true)
}

// prepares tells whether our own prepared statements pay on db. They don't on PostgreSQL: its driver prepares by itself,
// unless the host turned that off for a pooler such as PgBouncer. They can't be used on a transaction or connection of the
// host's, because GORM would send a prepared statement to the pool.
func prepares(db *gorm.DB) bool {
	return db.Name() != "postgres" && db.Statement.ConnPool == db.Config.ConnPool && !inTransaction(db)
}

// bySession finds one session of a subject that was not revoked. COALESCE keeps the index on the subject out of the
// planner's choice: PostgreSQL, on a table without statistics, would read all sessions of the subject by it.
const bySession = "id = ? AND COALESCE(subject, '') = ? AND revoked_at = 0"

// Create inserts a row.
func (s *Store) Create(ctx context.Context, row *RefreshToken) error {
	result, _ := s.run(ctx, once, func() *gorm.DB {
		return s.on(ctx, s.prepared, row).Create(row)
	})
	if result.Error != nil {
		return fmt.Errorf("models: create session: %w", result.Error)
	}
	return nil
}

// Rotate makes next the row of its session, in one UPDATE by primary key. Its condition: the session is the subject's,
// not revoked, and of an earlier generation. Rotate reports whether the condition held.
//
// With repeatable set, Rotate tries again after a broken connection. The first try may have been carried out; then the
// second one finds its condition broken, and the caller must be able to recognise that case.
func (s *Store) Rotate(ctx context.Context, next *RefreshToken, repeatable bool) (bool, error) {
	tries := once
	if repeatable {
		tries = again
	}
	result, _ := s.run(ctx, tries, func() *gorm.DB {
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
	result, _ := s.run(ctx, again, func() *gorm.DB {
		// Not First, which logs a miss as an error.
		return primary(s.on(ctx, s.prepared, &RefreshToken{})).Where("id = ?", id).Limit(1).Find(&rows)
	})
	if result.Error != nil {
		return nil, fmt.Errorf("models: find session: %w", result.Error)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

const isLive = "expires_at > ? AND created_at > ?"

// ListLive returns at most limit of the subject's live sessions, newest use first.
func (s *Store) ListLive(ctx context.Context, subject Text, now, cutoff int64, limit int) ([]RefreshToken, error) {
	var rows []RefreshToken
	result, _ := s.run(ctx, again, func() *gorm.DB {
		return primary(s.on(ctx, s.db, &RefreshToken{})).
			Where("subject = ? AND revoked_at = 0 AND "+isLive, subject, now, cutoff).
			Order("issued_at DESC, id DESC").Limit(limit).Find(&rows)
	})
	if result.Error != nil {
		return nil, fmt.Errorf("models: list sessions: %w", result.Error)
	}
	return rows, nil
}

// Revoke ends one session of the subject's. It reports whether there was one that had not been revoked before.
//
// It asks for no generation and no expiry: after a fail-over the row may be older than the client's token, and the
// session must end all the same.
func (s *Store) Revoke(ctx context.Context, id, subject Text, now int64, why Reason) (bool, error) {
	return s.revoke(ctx, now, why, bySession, id, subject)
}

// RevokeSpent is [Store.Revoke] with a token of the generation spent that has expired. Its session must have moved on to a
// later generation, and still be live.
func (s *Store) RevokeSpent(ctx context.Context, id, subject Text, spent, now, cutoff int64, why Reason) (bool, error) {
	return s.revoke(ctx, now, why, bySession+" AND generation > ? AND "+isLive, id, subject, spent, now, cutoff)
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
		condition, args = condition+" AND id NOT IN ?", append(args, padded(except))
	}
	_, err := s.revoke(ctx, now, why, condition, args...)
	return err
}

// revoke reports whether it ended a session. Where a connection broke and the second try found nothing to end, the first
// one did it.
func (s *Store) revoke(ctx context.Context, now int64, why Reason, condition string, args ...any) (bool, error) {
	result, unsure := s.run(ctx, again, func() *gorm.DB {
		return s.on(ctx, s.db, &RefreshToken{}).Where(condition, args...).
			UpdateColumns(map[string]any{"revoked_at": now, "revoked_for": why})
	})
	if result.Error != nil {
		return false, fmt.Errorf("models: revoke session: %w", result.Error)
	}
	return result.RowsAffected > 0 || unsure, nil
}

// padded repeats the last of ids up to a power of two, so that lists of any length make few texts of statements: each
// text takes a place in the host's cache of prepared statements.
func padded(ids []Text) []Text {
	ids = ids[:len(ids):len(ids)]
	for len(ids)&(len(ids)-1) != 0 {
		ids = append(ids, ids[len(ids)-1])
	}
	return ids
}
