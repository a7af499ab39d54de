package middleware

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

type contextKey struct{}

// Subject returns the authenticated user's id: the subject that the host gave to Issue. ctx is the handler's
// *gin.Context, the request's context, or one derived from either, as it is passed on to the host's services. Empty
// means that no [RequireAuth] has run.
func Subject(ctx context.Context) string {
	claims, _ := Claims(ctx)
	return claims.Subject
}

// Claims returns the claims of the request's access token, and whether a [RequireAuth] has run. ctx is as for
// [Subject]. The host's own claims are in [plugin.AccessClaims.Decode].
func Claims(ctx context.Context) (plugin.AccessClaims, bool) {
	claims, ok := ctx.Value(contextKey{}).(plugin.AccessClaims)
	if ok {
		return claims, true
	}
	// A *gin.Context doesn't look into its request's context, unless the host has told it to.
	if c, isGin := ctx.Value(gin.ContextKey).(*gin.Context); isGin && c.Request != nil {
		claims, ok = c.Request.Context().Value(contextKey{}).(plugin.AccessClaims)
	}
	return claims, ok
}
