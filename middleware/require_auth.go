// Package middleware lets requests with a valid access token through to the host's handlers, and tells them whose it is.
package middleware

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/reply"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// Option makes [RequireAuth] ask for more than a valid access token.
type Option func(*options)

type options struct {
	liveSession bool
	allow       []func(plugin.AccessClaims) bool
}

// LiveSession also requires that the token's session still lives, at the price of one look-up by primary key: an access
// token outlives its log-out by up to Config.AccessTTL otherwise. An ended session is answered 401.
func LiveSession() Option {
	return func(o *options) { o.liveSession = true }
}

// Allow also requires that allowed holds for the token's claims, for instance for a role among them. A request that is
// authenticated and not allowed is answered 403 {"code":403,"message":"Forbidden"}. Given more than once, all must hold.
func Allow(allowed func(plugin.AccessClaims) bool) Option {
	return func(o *options) { o.allow = append(o.allow, allowed) }
}

// RequireAuth answers 401 {"code":401,"message":"Please Authenticate"}, with the WWW-Authenticate of RFC 6750 §3,
// unless the request has exactly one Authorization header, of the Bearer scheme (RFC 6750 §2.1), with a valid access
// token. It asks no database, unless [LiveSession] is given. Tokens in query strings and forms are never read.
func RequireAuth(service *plugin.Service, opts ...Option) gin.HandlerFunc {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return func(c *gin.Context) {
		claims, err := authenticate(c, service, &o)
		if err != nil {
			reply.Error(c, service.Logger(), err)
			return
		}
		// In place: net/http removes the temporary files of the form of its own request, not of a copy.
		*c.Request = *c.Request.WithContext(context.WithValue(c.Request.Context(), contextKey{}, claims))
		c.Next()
	}
}

func authenticate(c *gin.Context, service *plugin.Service, o *options) (plugin.AccessClaims, error) {
	token, err := bearerToken(c.Request.Header["Authorization"])
	if err != nil {
		return plugin.AccessClaims{}, err
	}
	claims, err := service.VerifyAccess(token)
	if err != nil {
		return plugin.AccessClaims{}, err
	}
	if o.liveSession {
		_, err := service.Session(c.Request.Context(), claims.Subject, claims.SessionID)
		if errors.Is(err, plugin.ErrNotFound) {
			err = plugin.ErrRevoked
		}
		if err != nil {
			return plugin.AccessClaims{}, err
		}
	}
	for _, allowed := range o.allow {
		if !allowed(claims) {
			return plugin.AccessClaims{}, reply.ErrForbidden
		}
	}
	return claims, nil
}

// bearerToken returns the token in the values of the Authorization header.
func bearerToken(values []string) (string, error) {
	if len(values) == 0 {
		return "", reply.ErrNoToken
	}
	if len(values) > 1 {
		return "", fmt.Errorf("%w: more than one Authorization header", plugin.ErrInvalidToken)
	}
	// The scheme's case does not matter (RFC 9110 §11.1).
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", reply.ErrNoToken
	}
	return token, nil
}
