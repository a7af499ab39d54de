package middleware

import (
	"context"

	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// Subject returns the authenticated user's id: the subject that the host gave to Issue. It returns "" if no [RequireAuth]
// has run. ctx is the handler's *gin.Context, the request's context, or a context derived from either.
func Subject(ctx context.Context) string {
	claims, _ := Claims(ctx)
	return claims.Subject
}

// Claims returns the claims of the request's access token, and whether a [RequireAuth] has run. It takes the same contexts
// as [Subject]. Use [token.Claims.Decode] for the claims that the host has added.
func Claims(ctx context.Context) (token.Claims, bool) {
	return httpapi.Claims(ctx)
}
