// Package maxlength carries how long tokens may get from the routes to where tokens are minted. A cookie has little room.
package maxlength

import (
	"context"
	"fmt"
)

// Limits are the most bytes that a token may have. Zero is no limit.
type Limits struct{ Refresh, Access int }

// Check returns an error that says which token is too large, and by how much.
func (l Limits) Check(refresh, access int) error {
	for _, token := range []struct {
		kind          string
		length, limit int
	}{{"refresh", refresh, l.Refresh}, {"access", access, l.Access}} {
		if token.limit > 0 && token.length > token.limit {
			return fmt.Errorf("the %s token has %d bytes, and its cookie has room for %d: a browser would drop it", token.kind, token.length, token.limit)
		}
	}
	return nil
}

type key struct{}

// With returns ctx with the limits.
func With(ctx context.Context, limits Limits) context.Context {
	return context.WithValue(ctx, key{}, limits)
}

// Of returns the limits in ctx, which are zero where it has none.
func Of(ctx context.Context) Limits {
	limits, _ := ctx.Value(key{}).(Limits)
	return limits
}
