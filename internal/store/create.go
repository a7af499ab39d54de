package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// What the statement of a new session needs room for: parameters, and bytes.
const (
	newRowParameters = 14
	newRowLength     = 320
)

// Create inserts a row.
func (s *Store) Create(ctx context.Context, row *models.RefreshToken) error {
	result, _ := s.retry(ctx, once, func() *gorm.DB { return s.insert(ctx, row) })
	if result.Error != nil {
		return fmt.Errorf("store: create session: %w", result.Error)
	}
	return nil
}

// insert runs one INSERT of a row.
func (s *Store) insert(ctx context.Context, row *models.RefreshToken, more ...clause.Expression) *gorm.DB {
	db := s.on(ctx, s.prepared, row)
	db.Statement.Vars = make([]any, 0, newRowParameters)
	db.Statement.SQL.Grow(newRowLength)
	db.Statement.BuildClauses = insertClauses
	db.Statement.AddClause(newRow{row})
	return db.Clauses(more...).Create(row)
}

// insertClauses are GORM's own, with newRow in the place of VALUES.
var insertClauses = []string{"INSERT", newRow{}.Name(), "ON CONFLICT", "RETURNING"}

// newRow writes the columns and values of an INSERT. GORM's own clause quotes every name anew, and passes values of our types: see
// assign. Build reads the row after the host's callbacks have run, so what they set counts.
type newRow struct{ row *models.RefreshToken }

// Name is part of GORM's clause.Interface. GORM writes a clause of its own under the name VALUES, which then isn't built.
func (newRow) Name() string { return "NEW ROW" }

// MergeClause is part of GORM's clause.Interface.
func (n newRow) MergeClause(c *clause.Clause) { c.Name, c.Expression = "", n }

// Build is part of GORM's clause.Interface.
func (n newRow) Build(b clause.Builder) {
	assign(b, "(id, subject, generation, issued_at, expires_at, created_at, revoked_at, revoked_for, user_agent, ip, "+
		"idle_limit, absolute_limit, data, binding) VALUES (", n.row.ID)
	for _, value := range []any{
		n.row.Subject, n.row.Generation, n.row.IssuedAt, n.row.ExpiresAt, n.row.CreatedAt, n.row.RevokedAt, string(n.row.RevokedFor),
		n.row.UserAgent, n.row.IP, n.row.IdleLimit, n.row.AbsoluteLimit, n.row.Data, n.row.Binding,
	} {
		assign(b, ", ", value)
	}
	_ = b.WriteByte(')')
}
