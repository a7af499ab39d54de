package middleware

import (
	"context"

	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// Subject returns the authenticated user's id: the subject that the host gave to Issue. ctx is the handler's
// *gin.Context, the request's context, or one derived from either, such as the host passes on to its services. Empty
// means that no [RequireAuth] has run.
func Subject(ctx context.Context) string {
	claims, _ := Claims(ctx)
	return claims.Subject
}

// Claims returns the claims of the request's access token, and whether a [RequireAuth] has run. ctx is as for
// [Subject]. The host's own claims are in [token.Claims.Decode].
func Claims(ctx context.Context) (token.Claims, bool) {
	return httpapi.Claims(ctx)
}
