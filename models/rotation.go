package models

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// rotationSet writes the SET clause of a refresh's UPDATE. GORM's own path from a map allocates more. It reads the row
// when GORM builds the statement, after the host's callbacks have run.
type rotationSet struct{ next *RefreshToken }

// What the statement needs room for: parameters, and bytes.
const (
	rotationParameters = 8
	rotationLength     = 256
)

// Name is part of GORM's clause.Interface.
func (rotationSet) Name() string { return "SET" }

// MergeClause is part of GORM's clause.Interface.
func (r rotationSet) MergeClause(c *clause.Clause) { c.Expression = r }

// Build is part of GORM's clause.Interface.
func (r rotationSet) Build(b clause.Builder) {
	assign(b, "generation = ", r.next.Generation)
	assign(b, ", issued_at = ", r.next.IssuedAt)
	assign(b, ", expires_at = ", r.next.ExpiresAt)
	assign(b, ", user_agent = ", r.next.UserAgent)
	assign(b, ", ip = ", r.next.IP)
}

// assign writes text and one parameter, as GORM's AddVar does for a plain value.
func assign(b clause.Builder, text string, value any) {
	stmt := b.(*gorm.Statement) //nolint:forcetypeassert // GORM has no other builder of statements
	stmt.SQL.WriteString(text)
	stmt.Vars = append(stmt.Vars, value)
	stmt.BindVarTo(stmt, stmt, value)
}

// rotate runs the UPDATE.
func (s *Store) rotate(ctx context.Context, next *RefreshToken) *gorm.DB {
	db := s.on(ctx, s.prepared, next)
	db.Statement.Vars = make([]any, 0, rotationParameters)
	db.Statement.SQL.Grow(rotationLength)
	earlier := clause.Expr{SQL: bySession + " AND generation < ?", Vars: []any{next.ID, next.Subject, next.Generation}}
	return db.Clauses(rotationSet{next}, clause.Where{Exprs: []clause.Expression{earlier}}).UpdateColumns(next)
}
