package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// floorStore has the least work that a refresh and a login can ask of a database.
type floorStore interface {
	// bump updates one row and returns its generation.
	bump(ctx context.Context, id string, now, expires int64) (int64, error)
	// read returns the generation of one row.
	read(ctx context.Context, id string) (int64, error)
	insert(ctx context.Context, id, subject string, now, expires int64) error
}

// hardUpdate updates one row and returns nothing of it.
type hardUpdate func(ctx context.Context, id string, now, expires int64) error

const (
	updateSQL = "UPDATE refresh_tokens SET generation = generation + 1, issued_at = %s, expires_at = %s WHERE id = %s"
	selectSQL = "SELECT generation FROM refresh_tokens WHERE id = %s"
	// insertInto names every column that has no default.
	insertInto = "INSERT INTO refresh_tokens (id, subject, generation, issued_at, expires_at, created_at, revoked_at, revoked_for, user_agent, ip) "
	insertSQL  = insertInto + "VALUES (%s, %s, 1, %s, %s, %s, 0, '', '', '')"
)

// The statements of PostgreSQL. pgx prepares each once for each connection.
var (
	pgxUpdate = fmt.Sprintf(updateSQL, dollars[:3]...)
	pgxSelect = fmt.Sprintf(selectSQL, dollars[0])
	pgxInsert = fmt.Sprintf(insertSQL, dollars...)
)

// The placeholders of the dialects.
var (
	questionMarks = []any{"?", "?", "?", "?", "?"}
	dollars       = []any{"$1", "$2", "$3", "$4", "$5"}
)

// pgxFloor uses pgx without database/sql, which is the fastest way to reach PostgreSQL.
type pgxFloor struct{ pool *pgxpool.Pool }

func (f pgxFloor) bump(ctx context.Context, id string, now, expires int64) (generation int64, err error) {
	err = f.pool.QueryRow(ctx, pgxUpdate+" RETURNING generation", now, expires, id).Scan(&generation)
	return generation, err
}

func (f pgxFloor) set(ctx context.Context, id string, now, expires int64) error {
	_, err := f.pool.Exec(ctx, pgxUpdate, now, expires, id)
	return err
}

func (f pgxFloor) read(ctx context.Context, id string) (generation int64, err error) {
	err = f.pool.QueryRow(ctx, pgxSelect, id).Scan(&generation)
	return generation, err
}

func (f pgxFloor) insert(ctx context.Context, id, subject string, now, expires int64) error {
	_, err := f.pool.Exec(ctx, pgxInsert, id, subject, now, expires, now)
	return err
}

// sqlFloor uses database/sql with prepared statements. Its bump does not know the generation, because MariaDB's UPDATE returns
// no columns.
type sqlFloor struct{ update, find, create *sql.Stmt }

func newSQLFloor(pool *sql.DB, placeholders []any) sqlFloor {
	return sqlFloor{
		update: must(pool.Prepare(fmt.Sprintf(updateSQL, placeholders[:3]...))),
		find:   must(pool.Prepare(fmt.Sprintf(selectSQL, placeholders[0]))),
		create: must(pool.Prepare(fmt.Sprintf(insertSQL, placeholders...))),
	}
}

func (f sqlFloor) bump(ctx context.Context, id string, now, expires int64) (int64, error) {
	return now, f.set(ctx, id, now, expires)
}

func (f sqlFloor) set(ctx context.Context, id string, now, expires int64) error {
	_, err := f.update.ExecContext(ctx, now, expires, id)
	return err
}

func (f sqlFloor) read(ctx context.Context, id string) (generation int64, err error) {
	err = f.find.QueryRowContext(ctx, id).Scan(&generation)
	return generation, err
}

func (f sqlFloor) insert(ctx context.Context, id, subject string, now, expires int64) error {
	_, err := f.create.ExecContext(ctx, id, subject, now, expires, now)
	return err
}
