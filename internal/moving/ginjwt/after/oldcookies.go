package after

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens"
)

// The refresh token's cookie of gin-jwt, and ours.
const (
	oldCookie = "refresh_token"
	newCookie = "__Secure-refresh-token"
)

// oldCookies adds the routes of cookie mode under /web, for browsers that come with the cookie of gin-jwt.
func oldCookies(router gin.IRouter, auth *refreshtokens.Plugin) {
	auth.Register(router.Group("/web", adoptCookie), refreshtokens.WithCookies(refreshtokens.Cookies{}))
}

// adoptCookie presents the old cookie as ours. It deletes the old one once the browser has sent ours, and not before: an answer may
// get lost.
func adoptCookie(c *gin.Context) {
	old, err := c.Cookie(oldCookie) // decoded: gin-jwt's tokens may end with "=", which its cookie has as "%3D"
	if err != nil || old == "" {
		return
	}
	if _, err := c.Request.Cookie(newCookie); err != nil {
		c.Request.AddCookie(&http.Cookie{Name: newCookie, Value: old, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		return
	}
	http.SetCookie(c.Writer, &http.Cookie{Name: oldCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}
