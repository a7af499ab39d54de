package httpapi

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

type claimsKey struct{}

// SetClaims puts the claims of a request's access token into its context. It changes the request in place: net/http
// removes the temporary files of the form of its own request, not of a copy.
func SetClaims(request *http.Request, claims token.Claims) {
	*request = *request.WithContext(context.WithValue(request.Context(), claimsKey{}, claims))
}

// Claims returns what [SetClaims] set. ctx is the handler's *gin.Context, the request's context, or one derived from either.
func Claims(ctx context.Context) (token.Claims, bool) {
	claims, ok := ctx.Value(claimsKey{}).(token.Claims)
	if ok {
		return claims, true
	}
	// A *gin.Context doesn't look into its request's context, unless the host told it to.
	if c, isGin := ctx.Value(gin.ContextKey).(*gin.Context); isGin && c.Request != nil {
		claims, ok = c.Request.Context().Value(claimsKey{}).(token.Claims)
	}
	return claims, ok
}

const beforeHandlerKey = "refreshtokens: before the handler"

// BeforeHandler has RequireAuth run do on a request that it lets through, before the handler answers.
func BeforeHandler(c *gin.Context, do func(*gin.Context)) {
	c.Set(beforeHandlerKey, do)
}

// RunBeforeHandler runs what [BeforeHandler] was given.
func RunBeforeHandler(c *gin.Context) {
	if do, ok := c.Get(beforeHandlerKey); ok {
		do.(func(*gin.Context))(c) //nolint:forcetypeassert // BeforeHandler has set it
	}
}
