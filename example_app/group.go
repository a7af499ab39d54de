package main

import (
	"net/http"
	"slices"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// group is the app's routes under one prefix. Its tokens travel in bodies or in cookies.
type group struct {
	*app
	tokens *refreshtokens.Group
}

// addRoutes adds the library's routes and the app's own. LiveSession makes a log-out, or a ban, take effect at once.
func (a *app) addRoutes(router gin.IRouter, options ...refreshtokens.RegisterOption) {
	g := group{a, a.auth.Register(router, options...)}
	require := g.tokens.RequireAuth
	router.POST("/auth/register", g.tokens.Protect, g.register)
	router.POST("/auth/login", g.tokens.Protect, g.login)

	live, self := middleware.LiveSession(), middleware.Allow(isSelf)
	router.GET("/users/me", require(live), g.show)
	router.PATCH("/users/me", require(live, self), g.changePassword)
	router.DELETE("/users/me", require(live, self, middleware.AuthenticatedWithin(freshness)), g.remove)
	router.POST("/auth/reauthenticate", g.tokens.Protect, require(live, self), g.reauthenticate)

	admins := router.Group("/users", require(live, self, middleware.Allow(isAdmin)))
	admins.GET("", g.listUsers)
	admins.POST("/:id/ban", g.ban)
	admins.POST("/:id/impersonate", g.tokens.Protect, g.impersonate)
}

// answerTokens answers a login.
func (g group) answerTokens(c *gin.Context, status int, u *user, tokens plugin.Tokens) {
	tokens, ok := g.tokens.SetCookies(c, tokens)
	if !ok {
		return
	}
	c.JSON(status, struct {
		User   *user         `json:"user"`
		Tokens plugin.Tokens `json:"tokens"`
	}{u, tokens})
}

// allowOrigins lets pages of the trusted origins make requests with cookies and read the answers (CORS). Others get no such
// headers, so a browser keeps the answers from them.
func allowOrigins(trusted []string) gin.HandlerFunc {
	if len(trusted) == 0 {
		return func(*gin.Context) {}
	}
	config := cors.Config{
		AllowOrigins:     trusted,
		AllowCredentials: true,
		AllowMethods:     []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete},
		AllowHeaders:     []string{"Authorization", "Content-Type", "DPoP"},
		ExposeHeaders:    []string{"WWW-Authenticate", "Retry-After", "Date", "DPoP-Nonce"},
	}
	allow := cors.New(config)
	return func(c *gin.Context) {
		c.Writer.Header().Add("Vary", "Origin")
		if slices.Contains(trusted, c.GetHeader("Origin")) {
			allow(c)
		}
	}
}
