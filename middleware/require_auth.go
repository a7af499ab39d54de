// Package middleware lets requests with a valid access token through to the host's handlers, and tells them whose it is.
//
// It needs no database: a service that only verifies access tokens uses it with a [token.Verifier].
package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// Verifier verifies access tokens: a plugin.Service, or a [token.Verifier]. Errors that are [token.ErrInvalid] or
// [token.ErrExpired] are answered 401, any other 500. A Verifier may also have the methods Logger() *slog.Logger, which says
// where refusals are logged, and Now() time.Time, its clock.
type Verifier interface {
	VerifyAccess(accessToken string) (token.Claims, error)
}

// Sessions knows which sessions live. A plugin.Service does. [LiveSession] needs it.
type Sessions interface {
	// SessionLives reports whether the subject has a live session of that id. It may reuse an answer that is younger than maxAge.
	SessionLives(ctx context.Context, subject, sessionID string, maxAge time.Duration) (bool, error)
}

// RequireAuth answers 401 {"code":401,"message":"Please Authenticate"}, with the WWW-Authenticate of RFC 6750 §3,
// unless the request has exactly one Authorization header, of the Bearer scheme (RFC 6750 §2.1), with a valid access
// token. It asks no database, unless [LiveSession] is given. It never reads tokens in query strings and forms.
//
// It panics where an option needs what verifier can't do: LiveSession with a verifier that is no [Sessions].
func RequireAuth(verifier Verifier, opts ...Option) gin.HandlerFunc {
	a := authenticator{verifier: verifier, logger: slog.Default(), now: time.Now}
	for _, opt := range opts {
		opt(&a.options)
	}
	if logging, ok := verifier.(interface{ Logger() *slog.Logger }); ok {
		a.logger = logging.Logger()
	}
	if clock, ok := verifier.(interface{ Now() time.Time }); ok {
		a.now = clock.Now
	}
	if a.liveSession {
		var ok bool
		if a.sessions, ok = verifier.(Sessions); !ok {
			panic("middleware: LiveSession needs a verifier that knows the sessions, such as a Plugin; a token.Verifier has no database")
		}
	}
	return func(c *gin.Context) {
		claims, err := a.authenticate(c)
		if a.optional && errors.Is(err, httpapi.ErrNoToken) && len(c.Request.Header["Authorization"]) == 0 {
			return
		}
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
	now      func() time.Time
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
		lives, err := a.sessions.SessionLives(c.Request.Context(), claims.Subject, claims.SessionID, a.liveMaxAge)
		if err != nil {
			return token.Claims{}, err
		}
		if !lives {
			return token.Claims{}, fmt.Errorf("%w: its session has ended", httpapi.ErrInvalidToken)
		}
	}
	return claims, a.authorize(claims)
}

// authorize tells whether the claims are enough for the route. What no new login would change comes first.
func (a *authenticator) authorize(claims token.Claims) error {
	for _, allowed := range a.allow {
		if !allowed(claims) {
			return httpapi.ErrForbidden
		}
	}
	if len(a.scopes) > 0 {
		var all map[string]any              // not a struct, for which SCOPE would be as good
		_ = claims.Decode(&all)             // it was valid when it was verified
		granted, _ := all["scope"].(string) // a scope that is no string grants nothing
		names := strings.Fields(granted)
		for _, scope := range a.scopes {
			if !slices.Contains(names, scope) {
				return httpapi.InsufficientScope{Scope: strings.Join(a.scopes, " ")}
			}
		}
	}
	if a.maxAge > 0 && time.Duration(a.now().Unix()-claims.AuthTime.Unix())*time.Second > a.maxAge { // auth_time is in whole seconds
		return httpapi.InsufficientAuthentication{MaxAge: a.maxAge}
	}
	return nil
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
