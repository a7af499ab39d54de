package models

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// rotationSet is the SET clause of a refresh's UPDATE, which writes itself: to do it from a map is most of what GORM would
// have to do. It reads the row when the statement is built, so what a callback of the host's sets in it counts.
type rotationSet struct{ next *RefreshToken }

// What the statement needs room for: parameters, and bytes.
const (
	rotationParameters = 8
	rotationLength     = 256
)

func (rotationSet) Name() string { return "SET" }

func (r rotationSet) MergeClause(c *clause.Clause) { c.Expression = r }

func (r rotationSet) Build(b clause.Builder) {
	assign(b, "generation = ", r.next.Generation)
	assign(b, ", issued_at = ", r.next.IssuedAt)
	assign(b, ", expires_at = ", r.next.ExpiresAt)
	assign(b, ", user_agent = ", r.next.UserAgent)
	assign(b, ", ip = ", r.next.IP)
}

// assign writes text and a parameter, as AddVar of b does for a value that is neither a list nor an expression.
func assign(b clause.Builder, text string, value any) {
	stmt := b.(*gorm.Statement) //nolint:forcetypeassert // GORM has no other builder of statements
	stmt.SQL.WriteString(text)
	stmt.Vars = append(stmt.Vars, value)
	stmt.BindVarTo(stmt, stmt, value)
}

// rotate runs the UPDATE.
func (s *Store) rotate(ctx context.Context, next *RefreshToken) *gorm.DB {
	db := s.of(ctx, next)
	db.Statement.Vars = make([]any, 0, rotationParameters)
	db.Statement.SQL.Grow(rotationLength)
	earlier := clause.Expr{SQL: bySession + " AND generation < ?", Vars: []any{next.ID, next.Subject, next.Generation}}
	return db.Clauses(rotationSet{next}, clause.Where{Exprs: []clause.Expression{earlier}}).UpdateColumns(next)
}
