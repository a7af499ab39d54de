// Package middleware lets requests with a valid access token through to the host's handlers, and tells them whose it is.
//
// It needs no database: a service that only verifies access tokens uses it with a [token.Verifier].
package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
// token that is not bound to a key. It asks no database, unless [LiveSession] is given. It never reads tokens in query strings and forms.
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
		if a.optional && a.isStranger(c, err) {
			return
		}
		if a.dpop != nil && errors.Is(err, httpapi.ErrNoToken) {
			err = httpapi.ErrNoTokenAtAll
		}
		if err != nil {
			httpapi.Error(c, a.logger, err)
			return
		}
		httpapi.SetClaims(c.Request, claims)
		httpapi.RunBeforeHandler(c)
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

// isStranger tells whether a request, which got err, has no Authorization header and no good cookie.
func (a *authenticator) isStranger(c *gin.Context, err error) bool {
	return len(c.Request.Header["Authorization"]) == 0 &&
		(errors.Is(err, httpapi.ErrNoToken) || errors.Is(err, httpapi.ErrInvalidToken))
}

func (a *authenticator) authenticate(c *gin.Context) (token.Claims, error) {
	claims, err := a.verify(c)
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

// verify returns the claims of the request's access token, which is in its header or in its cookie.
func (a *authenticator) verify(c *gin.Context) (token.Claims, error) {
	request := c.Request
	header := request.Header["Authorization"]
	if a.cookie != "" && len(header) == 0 {
		return a.verifyCookie(request)
	}
	scheme, accessToken, err := authorization(header)
	if err != nil {
		return token.Claims{}, err
	}
	var claims token.Claims
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		claims, err = a.verifyBearer(c, accessToken)
	case strings.EqualFold(scheme, "DPoP") && a.dpop != nil:
		claims, err = a.verifyDPoP(c, accessToken)
	default:
		err = httpapi.ErrNoToken
	}
	if err != nil || a.cookie == "" {
		return claims, err
	}
	for _, cookie := range request.CookiesNamed(a.cookie) {
		if other, err := a.verifyToken(cookie.Value); err == nil && other.SessionID != claims.SessionID {
			return token.Claims{}, fmt.Errorf("%w: the cookie is of another session", httpapi.ErrInvalidToken)
		}
	}
	return claims, nil
}

// verifyCookie looks at the request's origin first. Another site must not learn whether the user is logged in.
func (a *authenticator) verifyCookie(request *http.Request) (token.Claims, error) {
	value, err := httpapi.CookieToken(request, a.cookie)
	if err != nil {
		return token.Claims{}, err
	}
	if err := httpapi.CheckOrigin(a.origins, request); err != nil {
		return token.Claims{}, err
	}
	claims, err := a.verifyToken(value)
	if err == nil && claims.Binding.Thumbprint() != "" {
		return token.Claims{}, fmt.Errorf("%w: its session is bound to a key, and nothing proves it", httpapi.ErrInvalidToken)
	}
	return claims, err
}

func (a *authenticator) verifyToken(accessToken string) (token.Claims, error) {
	claims, err := a.verifier.VerifyAccess(accessToken)
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrExpired) {
		err = fmt.Errorf("%w: %w", httpapi.ErrInvalidToken, err)
	}
	return claims, err
}

// authorize tells whether the claims are enough for the route. What no new login would change comes first.
func (a *authenticator) authorize(claims token.Claims) error {
	if a.bound && claims.Binding == "" {
		return httpapi.ErrForbidden
	}
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

// authorization returns the scheme and the token in the values of the Authorization header.
func authorization(values []string) (scheme, accessToken string, err error) {
	if len(values) == 0 {
		return "", "", httpapi.ErrNoToken
	}
	if len(values) > 1 {
		return "", "", fmt.Errorf("%w: more than one Authorization header", httpapi.ErrInvalidToken)
	}
	// The scheme's case does not matter (RFC 9110 §11.1).
	scheme, accessToken, _ = strings.Cut(values[0], " ")
	if accessToken = strings.TrimLeft(accessToken, " "); accessToken == "" {
		return "", "", httpapi.ErrNoToken
	}
	return scheme, accessToken, nil
}
