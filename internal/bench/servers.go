package main

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	ginjwt "github.com/appleboy/gin-jwt/v3"
	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/seed-2f82c0fd/refreshtokens"
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

// ours starts a host of this module with a login handler.
func ours(e *engine, grace time.Duration) (*refreshtokens.Plugin, string) {
	auth := must(refreshtokens.New(refreshtokens.Config{
		DB: e.db, Secret: []byte(secret), GracePeriod: grace, Logger: slog.New(slog.DiscardHandler),
	}))
	router := newRouter()
	auth.Register(router)
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
	return auth, serve(router)
}

// floor starts a server that does only what can't be left out: it reads the body, runs one statement, makes two HS256
// signatures and answers. It verifies nothing.
func floor(store floorStore) string {
	router := newRouter()
	router.POST("/refresh", floorRefresh(store.bump))
	router.POST("/repeat", floorRefresh(func(ctx context.Context, id string, _, _ int64) (int64, error) { return store.read(ctx, id) }))
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

// ginJWT starts a server with appleboy/gin-jwt. It keeps refresh tokens in the Redis at redisAddr, or in memory if that is empty.
func ginJWT(redisAddr string) (mint func() string, addr string) {
	middleware := &ginjwt.GinJWTMiddleware{
		Realm: "bench", Key: []byte(secret), Timeout: 15 * time.Minute, MaxRefresh: 7 * 24 * time.Hour, IdentityKey: "sub",
		PayloadFunc: func(data any) jwt.MapClaims { return jwt.MapClaims{"sub": data} },
	}
	if redisAddr != "" {
		middleware.EnableRedisStore(ginjwt.WithRedisAddr(redisAddr), ginjwt.WithRedisPool(connections, time.Minute, time.Hour))
	}
	log.SetOutput(io.Discard) // gin-jwt logs which store it uses
	middleware = must(ginjwt.New(middleware))
	log.SetOutput(os.Stderr)
	router := newRouter()
	router.POST("/refresh", middleware.RefreshHandler)
	mint = func() string {
		return must(middleware.TokenGenerator(context.Background(), subject)).RefreshToken
	}
	return mint, serve(router)
}

// startRedis starts a Redis server on a free port. appendfsync is "always", or empty for no persistence.
func startRedis(appendfsync string) (addr string, stop func()) {
	dir := must(os.MkdirTemp("", "refreshtokens-bench"))
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	addr = listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--logfile", filepath.Join(dir, "log")}
	if appendfsync != "" {
		args = append(args, "--appendonly", "yes", "--appendfsync", appendfsync)
	}
	command := exec.Command("redis-server", args...)
	if err := command.Start(); err != nil {
		log.Fatal(err)
	}
	for range 100 {
		if connection, err := net.Dial("tcp", addr); err == nil {
			_ = connection.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return addr, func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		_ = os.RemoveAll(dir)
	}
}
