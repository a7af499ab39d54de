package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Columns are what [Store.Find] reads of a row, besides the id that it knows. Each column costs time.
type Columns struct {
	selected clause.Clause
	into     func(row *models.RefreshToken) []any
}

var (
	// Whole is every column.
	Whole = columns("subject, generation, issued_at, expires_at, created_at, revoked_at, revoked_for, user_agent, ip, "+
		"idle_limit, absolute_limit, data, binding", func(row *models.RefreshToken) []any {
		return []any{
			&row.Subject, &row.Generation, &row.IssuedAt, &row.ExpiresAt, &row.CreatedAt, &row.RevokedAt, &row.RevokedFor,
			&row.UserAgent, &row.IP, &row.IdleLimit, &row.AbsoluteLimit, &row.Data, &row.Binding,
		}
	})
	// Use is what changes while the session is used, and whose it is. A refresh token tells the rest.
	Use = columns("subject, generation, issued_at, expires_at, revoked_at, revoked_for, user_agent, ip, binding", func(row *models.RefreshToken) []any {
		return []any{
			&row.Subject, &row.Generation, &row.IssuedAt, &row.ExpiresAt, &row.RevokedAt, &row.RevokedFor, &row.UserAgent, &row.IP, &row.Binding,
		}
	})
	// Life is what tells whether the session lives, and whose it is.
	Life = columns("subject, expires_at, created_at, revoked_at", func(row *models.RefreshToken) []any {
		return []any{&row.Subject, &row.ExpiresAt, &row.CreatedAt, &row.RevokedAt}
	})
)

func columns(names string, into func(row *models.RefreshToken) []any) Columns {
	return Columns{clause.Clause{Name: "SELECT", Expression: text(names)}, into}
}

// Find returns the columns of a session's row, or nil where there is none.
//
// It scans by itself: GORM's way through reflection takes twice as long.
func (s *Store) Find(ctx context.Context, id models.Text, columns Columns) (*models.RefreshToken, error) {
	var row *models.RefreshToken
	result, _ := s.retry(ctx, again, func() *gorm.DB {
		db := primary(s.on(ctx, s.prepared, &models.RefreshToken{}))
		db.Statement.Clauses["SELECT"] = columns.selected
		db.Statement.AddClause(clause.Where{Exprs: []clause.Expression{byID(id)}})
		var err error
		row, err = scan(db, columns)
		if err != nil && db.Error == nil {
			_ = db.AddError(err)
		}
		return db
	})
	if errors.Is(result.Error, gorm.ErrDryRunModeUnsupported) {
		return nil, nil // there is no row in a dry run
	}
	if result.Error != nil {
		return nil, fmt.Errorf("store: find session: %w", result.Error)
	}
	if row != nil {
		row.ID = id
	}
	return row, nil
}

// scan runs a statement, and returns its row, or nil where it finds none.
func scan(db *gorm.DB, columns Columns) (*models.RefreshToken, error) {
	rows, err := db.Rows()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return nil, rows.Err()
	}
	row := &models.RefreshToken{}
	if err := rows.Scan(columns.into(row)...); err != nil {
		return nil, err
	}
	return row, rows.Close()
}

// text is SQL without parameters.
type text string

// Build is part of GORM's clause.Expression.
func (t text) Build(b clause.Builder) { _, _ = b.WriteString(string(t)) }

// byID is the condition that a row has this id.
type byID models.Text

// Build is part of GORM's clause.Expression.
func (id byID) Build(b clause.Builder) { assign(b, "id = ", models.Text(id)) }
