// Package middleware lets requests with a valid access token through to the host's handlers, and tells them whose it is.
//
// It needs no database: a service that only verifies access tokens uses it with a [token.Verifier].
package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// Verifier verifies access tokens: a Plugin, or a [token.Verifier]. Errors that are [token.ErrInvalid] or [token.ErrExpired]
// are answered 401, any other 500. A Verifier with a method Logger() *slog.Logger chooses where they are logged.
type Verifier interface {
	VerifyAccess(accessToken string) (token.Claims, error)
}

// Sessions knows which sessions live. A Plugin does. [LiveSession] needs it.
type Sessions interface {
	// SessionLives reports whether the subject has a live session of that id.
	SessionLives(ctx context.Context, subject, sessionID string) (bool, error)
}

// Option makes [RequireAuth] ask for more than a valid access token.
type Option func(*options)

type options struct {
	liveSession bool
	allow       []func(token.Claims) bool
}

// LiveSession also requires that the token's session still lives, at the price of one look-up by primary key. Otherwise an
// access token outlives its log-out by up to Config.AccessTTL. An ended session is answered 401.
func LiveSession() Option {
	return func(o *options) { o.liveSession = true }
}

// Allow also requires that allowed holds for the token's claims, for instance for a role among them. A request that is
// authenticated and not allowed is answered 403 {"code":403,"message":"Forbidden"}. Given more than once, all must hold.
func Allow(allowed func(token.Claims) bool) Option {
	return func(o *options) { o.allow = append(o.allow, allowed) }
}

// RequireAuth answers 401 {"code":401,"message":"Please Authenticate"}, with the WWW-Authenticate of RFC 6750 §3,
// unless the request has exactly one Authorization header, of the Bearer scheme (RFC 6750 §2.1), with a valid access
// token. It asks no database, unless [LiveSession] is given. It never reads tokens in query strings and forms.
//
// It panics where an option needs what verifier can't do: LiveSession with a verifier that is no [Sessions].
func RequireAuth(verifier Verifier, opts ...Option) gin.HandlerFunc {
	a := authenticator{verifier: verifier, logger: slog.Default()}
	for _, opt := range opts {
		opt(&a.options)
	}
	if logging, ok := verifier.(interface{ Logger() *slog.Logger }); ok {
		a.logger = logging.Logger()
	}
	if a.liveSession {
		var ok bool
		if a.sessions, ok = verifier.(Sessions); !ok {
			panic("middleware: LiveSession needs a verifier that knows the sessions, such as a Plugin; a token.Verifier has no database")
		}
	}
	return func(c *gin.Context) {
		claims, err := a.authenticate(c)
		if err != nil {
			httpapi.Error(c, a.logger, err)
			return
		}
		httpapi.SetClaims(c.Request, claims)
		c.Next()
	}
}

// authenticator is a RequireAuth with its options.
type authenticator struct {
	options
	verifier Verifier
	sessions Sessions
	logger   *slog.Logger
}

func (a *authenticator) authenticate(c *gin.Context) (token.Claims, error) {
	bearer, err := bearerToken(c.Request.Header["Authorization"])
	if err != nil {
		return token.Claims{}, err
	}
	claims, err := a.verifier.VerifyAccess(bearer)
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrExpired) {
		return token.Claims{}, fmt.Errorf("%w: %w", httpapi.ErrInvalidToken, err)
	}
	if err != nil {
		return token.Claims{}, err
	}
	if a.liveSession {
		lives, err := a.sessions.SessionLives(c.Request.Context(), claims.Subject, claims.SessionID)
		if err != nil {
			return token.Claims{}, err
		}
		if !lives {
			return token.Claims{}, fmt.Errorf("%w: its session has ended", httpapi.ErrInvalidToken)
		}
	}
	for _, allowed := range a.allow {
		if !allowed(claims) {
			return token.Claims{}, httpapi.ErrForbidden
		}
	}
	return claims, nil
}

// bearerToken returns the token in the values of the Authorization header.
func bearerToken(values []string) (string, error) {
	if len(values) == 0 {
		return "", httpapi.ErrNoToken
	}
	if len(values) > 1 {
		return "", fmt.Errorf("%w: more than one Authorization header", httpapi.ErrInvalidToken)
	}
	// The scheme's case does not matter (RFC 9110 §11.1).
	scheme, bearer, _ := strings.Cut(values[0], " ")
	bearer = strings.TrimLeft(bearer, " ")
	if !strings.EqualFold(scheme, "Bearer") || bearer == "" {
		return "", httpapi.ErrNoToken
	}
	return bearer, nil
}
