// Package store runs the statements over the table of [models.RefreshToken], and tries again what may pass by itself.
package store

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Store runs the statements over the table of [models.RefreshToken]. It is safe for concurrent use.
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

// New returns a Store on db, which may be a transaction or a connection of the host's. An empty table means the
// name that GORM's naming strategy gives.
func New(db *gorm.DB, table string) *Store {
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
func (s *Store) on(ctx context.Context, db *gorm.DB, model *models.RefreshToken) *gorm.DB {
	db = db.Model(model)
	db.Statement.Context = ctx
	db.Statement.Table, db.Statement.TableExpr = s.table, s.tableExpr
	return db
}

// primary makes gorm.io/plugin/dbresolver, where the host uses it, read from the primary: a lagging replica would show a
// row as it was before its rotation. The keys are dbresolver's own names for itself and for its Write clause, so we need not import it.
func primary(db *gorm.DB) *gorm.DB {
	if _, used := db.Plugins["gorm:db_resolver"]; !used {
		return db
	}
	return db.Set("gorm:db_resolver:write", true)
}

// prepares tells whether our own prepared statements pay on db. They don't on PostgreSQL: its driver prepares by itself,
// unless the host turned that off for a pooler such as PgBouncer. They can't be used on a transaction or connection of the
// host's, because GORM would send a prepared statement to the pool.
func prepares(db *gorm.DB) bool {
	return db.Name() != "postgres" && db.Statement.ConnPool == db.ConnPool && !inTransaction(db)
}

// bySession finds one session of a subject that was not revoked. No row has a negative generation: that alternative keeps the
// index on the subject out of the planner's choice. PostgreSQL, on a table without statistics, would read all sessions of the
// subject by it. It has operators only, no function: postgres_fdw would not send COALESCE to a shard.
const bySession = "id = ? AND (subject = ? OR generation < 0) AND revoked_at = 0"

// isLive finds sessions that have not ended by themselves: now and the cutoff are its parameters.
const isLive = "expires_at > ? AND created_at > ?"
