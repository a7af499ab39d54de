// Package binding carries from the routes to the sessions which key a request has proven to hold.
package binding

import "context"

// Policy says whether sessions are bound to keys.
type Policy int

// The policies.
const (
	Off       Policy = iota // sessions are not bound
	IfOffered               // a client that proves a key is bound to it
	Required                // every session is bound
)

// Offer is what a request offers, and what the route makes of it.
type Offer struct {
	Policy Policy
	Key    string // the proven key as a cnf claim (RFC 7800 §3.1), or empty
	Later  bool   // a browser proves its key only after the login
}

type key struct{}

// With returns ctx with the offer.
func With(ctx context.Context, offer Offer) context.Context {
	return context.WithValue(ctx, key{}, offer)
}

// Of returns the offer in ctx. The zero Offer is that of a route without binding.
func Of(ctx context.Context) Offer {
	offer, _ := ctx.Value(key{}).(Offer)
	return offer
}
