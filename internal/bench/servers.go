package main

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	secret  = "a secret for benchmarks, of 32 bytes or more"
	subject = "5ebac534954b54139806c112"
)

// serve starts handler on loopback and returns its address.
func serve(handler http.Handler) string {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { log.Fatal(server.Serve(listener)) }()
	return listener.Addr().String()
}

func newRouter() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	gin.DefaultWriter = io.Discard
	return gin.New()
}

// The grace periods of the Plugins under load.
const (
	defaultGrace time.Duration = 0
	noGrace      time.Duration = -1 // every refresh rotates
)

// quiet is the least that a host configures.
func quiet(db *gorm.DB) refreshtokens.Config {
	return refreshtokens.Config{DB: db, Secret: []byte(secret), Logger: slog.New(slog.DiscardHandler)}
}

// ours starts a host of this module with a login handler.
func ours(e *engine, grace time.Duration) (*refreshtokens.Plugin, string) {
	config := quiet(e.db)
	config.GracePeriod = grace
	return host(config)
}

func host(config refreshtokens.Config, options ...refreshtokens.RegisterOption) (*refreshtokens.Plugin, string) {
	router := newRouter()
	return register(router, config, options...), serve(router)
}

// register adds a host's routes.
func register(router gin.IRouter, config refreshtokens.Config, options ...refreshtokens.RegisterOption) *refreshtokens.Plugin {
	auth := must(refreshtokens.New(config))
	auth.Register(router, options...)
	ok := func(c *gin.Context) { c.Status(http.StatusOK) }
	router.GET("/live", auth.RequireAuth(middleware.LiveSession()), ok)
	router.POST("/login", func(c *gin.Context) {
		var body struct{ Subject string }
		if err := c.ShouldBindJSON(&body); err != nil {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		tokens, err := auth.Issue(c.Request.Context(), body.Subject, refreshtokens.DeviceOf(c))
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.JSON(http.StatusOK, tokens)
	})
	return auth
}

// floor starts a server that does only what can't be left out: it reads the body, runs one statement, makes two HS256
// signatures and answers. It verifies nothing.
func floor(store floorStore) string {
	router := newRouter()
	router.POST("/refresh", floorRefresh(store.bump))
	router.POST("/repeat", floorRefresh(func(ctx context.Context, id string, _, _ int64) (int64, error) { return store.read(ctx, id) }))
	router.GET("/live", func(c *gin.Context) {
		if _, err := store.read(c.Request.Context(), c.GetHeader("Authorization")); err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.Status(http.StatusOK)
	})
	router.POST("/login", func(c *gin.Context) {
		var body struct{ Subject string }
		if err := c.ShouldBindJSON(&body); err != nil {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		now, id := time.Now(), newID()
		expires := now.Add(7 * 24 * time.Hour)
		floorAnswer(c, store.insert(c.Request.Context(), id, body.Subject, now.Unix(), expires.Unix()), id, now, expires, 1)
	})
	return serve(router)
}

func floorRefresh(statement func(ctx context.Context, id string, now, expires int64) (int64, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		var body struct {
			RefreshToken string `json:"refreshToken"`
		}
		if err := c.ShouldBindJSON(&body); err != nil {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		now := time.Now()
		expires := now.Add(7 * 24 * time.Hour)
		generation, err := statement(c.Request.Context(), body.RefreshToken, now.Unix(), expires.Unix())
		floorAnswer(c, err, body.RefreshToken, now, expires, generation)
	}
}

func floorAnswer(c *gin.Context, err error, id string, now, expires time.Time, generation int64) {
	if err != nil {
		c.AbortWithStatus(http.StatusInternalServerError)
		return
	}
	access := must(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": subject, "sid": id, "iat": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(), "type": "access",
	}).SignedString([]byte(secret)))
	refresh := must(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": subject, "sid": id, "gen": generation, "iat": now.Unix(), "exp": expires.Unix(), "type": "refresh",
	}).SignedString([]byte(secret)))
	c.JSON(http.StatusOK, plugin.Tokens{
		Access:  plugin.Token{Token: access, Expires: plugin.Timestamp{Time: now.Add(15 * time.Minute)}},
		Refresh: plugin.Token{Token: refresh, Expires: plugin.Timestamp{Time: expires}},
	})
}
