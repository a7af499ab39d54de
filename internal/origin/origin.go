// Package origin carries the device that sent a request from the routes to the events.
package origin

import "context"

// Request is where a request of the route group came from.
type Request struct{ UserAgent, IP string }

type key struct{}

// With returns ctx with the request.
func With(ctx context.Context, request Request) context.Context {
	return context.WithValue(ctx, key{}, request)
}

// Of returns the request, and whether ctx is of one.
func Of(ctx context.Context) (Request, bool) {
	request, ok := ctx.Value(key{}).(Request)
	return request, ok
}
