// Package httpapi reads request bodies and writes answers, for the routes and the middleware.
package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
)

// The errors that a handler answers with. Each may wrap its cause, which goes to the logger and never to the client.
var (
	ErrNoToken = errors.New("no bearer token") // 401, without an error code
	// ErrNoTokenAtAll is ErrNoToken where a token of either scheme would do (RFC 9449 §7.2).
	ErrNoTokenAtAll = fmt.Errorf("%w, and no DPoP token", ErrNoToken)
	ErrInvalidToken = errors.New("token refused")   // 401 with error="invalid_token" (RFC 6750 §3.1)
	ErrForbidden    = errors.New("forbidden")       // 403
	ErrNotFound     = errors.New("no such session") // 404
	ErrBusy         = errors.New("too busy")        // 503 with Retry-After
)

// InsufficientScope is a 403 that says which scope is needed (RFC 6750 §3.1).
type InsufficientScope struct{ Scope string }

func (e InsufficientScope) Error() string { return "insufficient scope: " + e.Scope + " is needed" }

// InsufficientAuthentication is a 401 that asks the user to authenticate again (RFC 9470 §3).
type InsufficientAuthentication struct{ MaxAge time.Duration }

func (e InsufficientAuthentication) Error() string {
	return "the user authenticated longer ago than " + e.MaxAge.String()
}

// BadRequest is an error in what the client sent, with a message for it.
type BadRequest struct {
	Status  int
	Message string
}

func (b BadRequest) Error() string { return b.Message }

// maxRetryAfter is the longest Retry-After, in seconds.
const maxRetryAfter = 5

type errorBody struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error answers err and aborts the chain. An error that is none of this package's is a fault of ours: a 500, whose cause
// goes to c.Error and the logger. The reason for a 401 goes to the logger at debug level.
func Error(c *gin.Context, logger *slog.Logger, err error) {
	var bad BadRequest
	var scope InsufficientScope
	var stale InsufficientAuthentication
	var proof ProofError
	switch {
	case errors.As(err, &scope):
		c.Header("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+scope.Scope+`"`)
		c.AbortWithStatusJSON(http.StatusForbidden, errorBody{http.StatusForbidden, "Forbidden"})
	case errors.As(err, &stale):
		unauthorized(c, logger, err, fmt.Sprintf(`Bearer error="insufficient_user_authentication", max_age="%d"`, stale.MaxAge/time.Second))
	case errors.As(err, &proof) && proof.AtLogin:
		c.Header("WWW-Authenticate", challenge(proof.Code))
		c.AbortWithStatusJSON(http.StatusBadRequest, errorBody{http.StatusBadRequest, proof.message()})
	case errors.As(err, &proof):
		unauthorized(c, logger, err, challenge(proof.Code))
	case errors.As(err, &bad):
		c.AbortWithStatusJSON(bad.Status, errorBody{bad.Status, bad.Message})
	case errors.Is(err, ErrNotFound):
		c.AbortWithStatusJSON(http.StatusNotFound, errorBody{http.StatusNotFound, "Not found"})
	case errors.Is(err, ErrForbidden):
		c.AbortWithStatusJSON(http.StatusForbidden, errorBody{http.StatusForbidden, "Forbidden"})
	case errors.Is(err, ErrNoTokenAtAll):
		unauthorized(c, logger, err, "Bearer, "+challenge(""))
	case errors.Is(err, ErrNoToken):
		unauthorized(c, logger, err, "Bearer")
	case errors.Is(err, ErrInvalidToken):
		unauthorized(c, logger, err, `Bearer error="invalid_token"`)
	case errors.Is(err, ErrBusy):
		// At random, so that those who are sent away now don't come back together.
		c.Header("Retry-After", strconv.Itoa(1+rand.N(maxRetryAfter))) //nolint:gosec // jitter need not be secret
		c.AbortWithStatusJSON(http.StatusServiceUnavailable, errorBody{http.StatusServiceUnavailable, "Service Unavailable"})
	default:
		_ = c.Error(err)
		logger.ErrorContext(c.Request.Context(), "refreshtokens: internal error", "error", err)
		c.AbortWithStatusJSON(http.StatusInternalServerError, gin.H{"error": "Internal Server Error"})
	}
}

// unauthorized answers 401 with one body for every reason, and the challenge of RFC 6750 §3.
func unauthorized(c *gin.Context, logger *slog.Logger, reason error, challenge string) {
	logger.DebugContext(c.Request.Context(), "refreshtokens: unauthorized", "reason", reason)
	c.Header("WWW-Authenticate", challenge)
	c.AbortWithStatusJSON(http.StatusUnauthorized, errorBody{http.StatusUnauthorized, "Please Authenticate"})
}

// NoStore is a middleware that forbids caching the answer (RFC 6749 §5.1).
func NoStore(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Pragma", "no-cache")
}
