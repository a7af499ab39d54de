// Package reply writes every answer that is not a success: the one place where errors become statuses and bodies.
package reply

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// ErrNoToken says that the request carried no bearer token at all.
var ErrNoToken = errors.New("no bearer token")

// ErrForbidden says that the caller is known, and may not.
var ErrForbidden = errors.New("forbidden")

// BadRequest is an error in what the client sent, with a message for it.
type BadRequest struct {
	Status  int
	Message string
}

func (b BadRequest) Error() string { return b.Message }

type body struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error answers err and aborts the chain. Whatever is not the client's doing is a 500, whose cause goes to c.Error and
// the logger and never to the client; the reason for a 401 goes to the logger at debug level.
func Error(c *gin.Context, logger *slog.Logger, err error) {
	var bad BadRequest
	switch {
	case errors.As(err, &bad):
		c.AbortWithStatusJSON(bad.Status, body{bad.Status, bad.Message})
	case errors.Is(err, plugin.ErrNotFound):
		c.AbortWithStatusJSON(http.StatusNotFound, body{http.StatusNotFound, "Not found"})
	case errors.Is(err, ErrForbidden):
		c.AbortWithStatusJSON(http.StatusForbidden, body{http.StatusForbidden, "Forbidden"})
	case errors.Is(err, ErrNoToken):
		unauthorized(c, logger, err, "Bearer")
	case errors.Is(err, plugin.ErrInvalidToken), errors.Is(err, plugin.ErrExpired), errors.Is(err, plugin.ErrReused),
		errors.Is(err, plugin.ErrRevoked), errors.Is(err, plugin.ErrSubjectRefused):
		unauthorized(c, logger, err, `Bearer error="invalid_token"`)
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
	c.AbortWithStatusJSON(http.StatusUnauthorized, body{http.StatusUnauthorized, "Please Authenticate"})
}
