package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// What a rotation's statement needs room for: parameters, and bytes.
const (
	rotationParameters = 11
	rotationLength     = 320
)

// Rotate writes next over the row of its session, in one UPDATE by primary key. Its condition: the session is the subject's,
// not revoked, of an earlier generation, and bound to no other key than next is. Rotate reports whether the condition held.
//
// With repeatable set, Rotate tries again after a broken connection. The first try may have been carried out; then the
// second one finds its condition broken, and the caller must recognise that case.
func (s *Store) Rotate(ctx context.Context, next *models.RefreshToken, repeatable bool) (bool, error) {
	broken := once
	if repeatable {
		broken = again
	}
	result, _ := s.retry(ctx, broken, func() *gorm.DB {
		db := s.on(ctx, s.prepared, next)
		db.Statement.Vars = make([]any, 0, rotationParameters)
		db.Statement.SQL.Grow(rotationLength)
		earlier := clause.Expr{
			SQL:  bySession + " AND generation < ? AND binding IN ('', ?, ?)",
			Vars: []any{string(next.ID), string(next.Subject), next.Generation, string(unbound(next)), string(next.Binding)},
		}
		return db.Clauses(rotation{next}, clause.Where{Exprs: []clause.Expression{earlier}}).UpdateColumns(next)
	})
	if result.Error != nil {
		return false, fmt.Errorf("store: rotate session: %w", result.Error)
	}
	return result.RowsAffected > 0, nil
}

// rotation writes the SET clause of a refresh's UPDATE. GORM's own path from a map allocates more. Build reads the row
// after the host's callbacks have run, so what they set counts.
type rotation struct{ next *models.RefreshToken }

// Name is part of GORM's clause.Interface.
func (rotation) Name() string { return "SET" }

// MergeClause is part of GORM's clause.Interface.
func (r rotation) MergeClause(c *clause.Clause) { c.Expression = r }

// Build is part of GORM's clause.Interface.
func (r rotation) Build(b clause.Builder) {
	assign(b, "generation = ", r.next.Generation)
	assign(b, ", issued_at = ", r.next.IssuedAt)
	assign(b, ", expires_at = ", r.next.ExpiresAt)
	assign(b, ", user_agent = ", r.next.UserAgent)
	assign(b, ", ip = ", r.next.IP)
	assign(b, ", binding = ", r.next.Binding)
}

// unbound returns the other binding that a row may have before it is bound as next is. A row that is bound, and a token that is not,
// never match.
func unbound(next *models.RefreshToken) models.Text {
	if next.Binding == "" {
		return ""
	}
	return models.BindingPending
}

// assign writes text and one parameter, as GORM's AddVar does for a plain value. A string is a plain one: pgx takes a type of
// our own for a uuid first, fails, and starts over.
func assign(b clause.Builder, text string, value any) {
	if own, ok := value.(models.Text); ok {
		value = string(own)
	}
	stmt := b.(*gorm.Statement) //nolint:forcetypeassert // GORM has no other builder of statements
	stmt.SQL.WriteString(text)
	stmt.Vars = append(stmt.Vars, value)
	stmt.BindVarTo(stmt, stmt, value)
}
