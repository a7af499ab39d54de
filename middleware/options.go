package middleware

import (
	"net/http"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// Option makes [RequireAuth] ask for more than a valid access token, or for less.
type Option func(*options)

type options struct {
	liveSession bool
	liveMaxAge  time.Duration
	allow       []func(token.Claims) bool
	scopes      []string
	maxAge      time.Duration
	optional    bool
	cookie      string
	origins     *http.CrossOriginProtection
	dpop        *httpapi.DPoP
	bound       bool
}

// LiveSession also requires that the token's session still lives, at the price of one look-up by primary key. Otherwise an
// access token outlives its log-out by up to Config.AccessTTL. An ended session is answered 401.
func LiveSession(opts ...LiveOption) Option {
	return func(o *options) {
		o.liveSession, o.liveMaxAge = true, 0
		for _, opt := range opts {
			opt(o)
		}
	}
}

// LiveOption is an option of [LiveSession].
type LiveOption func(*options)

// Within reuses the look-up's answer for up to age. A revocation by the same process still takes effect at once. A revocation by
// another process takes up to age. It panics for a negative age.
func Within(age time.Duration) LiveOption {
	if age < 0 {
		panic("middleware: Within needs an age that is not negative")
	}
	return func(o *options) { o.liveMaxAge = age }
}

// Allow also requires that allowed holds for the token's claims, for instance for a role among them. A request that is
// authenticated and not allowed is answered 403 {"code":403,"message":"Forbidden"}. Given more than once, all must hold.
func Allow(allowed func(token.Claims) bool) Option {
	return func(o *options) { o.allow = append(o.allow, allowed) }
}

// Scope also requires every one of scopes in the token's scope claim, a string of names with spaces in between (RFC 8693
// §4.2). Without them the answer is 403 with error="insufficient_scope" (RFC 6750 §3.1).
func Scope(scopes ...string) Option {
	return func(o *options) { o.scopes = append(o.scopes, scopes...) }
}

// AuthenticatedWithin also requires that the user authenticated at most maxAge ago, in whole seconds. Otherwise the answer is
// 401 with error="insufficient_user_authentication" and max_age (RFC 9470 §3): the client asks for the password again, and
// the host answers with a token of Reauthenticate's. Who may not use the route at all gets 403 first. Given more than once, the
// shortest holds. It panics for less than a second.
func AuthenticatedWithin(maxAge time.Duration) Option {
	if maxAge < time.Second {
		panic("middleware: AuthenticatedWithin needs at least a second")
	}
	return func(o *options) {
		if o.maxAge == 0 || maxAge < o.maxAge {
			o.maxAge = maxAge
		}
	}
}

// Optional also lets requests without a token through; [Subject] is then empty. A token that is there must be good, and must
// meet the other options.
func Optional() Option {
	return func(o *options) { o.optional = true }
}

// AccessCookie also takes the access token from the cookie of that name, in a request that has no Authorization header. A cookie
// that is not good is answered 401, as a token in the header is; with [Optional], it counts as none, because a browser
// can't leave it out. An unsafe request of another origin is answered 403 (CSRF): see [http.CrossOriginProtection]. It may come
// from trustedOrigins, such as "https://app.example.com". It panics for one that is not an origin.
//
// The header decides where both are there, and a cookie of another session is then answered 401. A Plugin's groups give this option
// by themselves.
func AccessCookie(name string, trustedOrigins ...string) Option {
	origins, err := httpapi.NewCrossOriginProtection(trustedOrigins)
	if err != nil {
		panic("middleware: AccessCookie: " + err.Error())
	}
	return func(o *options) { o.cookie, o.origins = name, origins }
}
