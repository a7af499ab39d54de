package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"net/http"
	"time"

	ginjwt "github.com/appleboy/gin-jwt/v3"
	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
)

// refreshTokenOf returns the first refresh token of a session whose row was inserted with SQL and not by the module.
func refreshTokenOf(id, subject string, created, issued int64) string {
	key := must(hkdf.Key(sha256.New, []byte(secret), nil, "refreshtokens/refresh-token/HS256/v1", 32))
	return must(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": subject, "sid": id, "iat": issued, "exp": issued + week, "auth_time": created, "type": "refresh", "gen": 1,
	}).SignedString(key))
}

// ginJWTRoute returns a route behind gin-jwt's middleware. It accepts this module's access tokens.
func ginJWTRoute() http.Handler {
	middleware := must(ginjwt.New(&ginjwt.GinJWTMiddleware{
		Realm: "bench", Key: []byte(secret), Timeout: 15 * time.Minute, MaxRefresh: time.Hour, IdentityKey: "sub",
	}))
	router := newRouter()
	router.GET("/", middleware.MiddlewareFunc(), func(c *gin.Context) { c.Status(http.StatusOK) })
	return router
}
