package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/gin-contrib/requestid"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/httprate"
	"github.com/go-playground/validator/v10"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// app holds what the handlers share.
type app struct {
	db         *gorm.DB
	auth       *refreshtokens.Plugin
	passwords  *hasher
	validate   *validator.Validate
	logins     *httprate.RateLimiter // by address and email
	adminEmail models.Text           // empty where nobody is to be admin
	logger     *slog.Logger
	router     *gin.Engine
}

// loginsPerMinute is how often an IP address may try to log in with the same email address.
const loginsPerMinute = 30

func newApp(db *gorm.DB, settings config, logger *slog.Logger) (*app, error) {
	passwords, err := newHasher(runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	a := &app{
		db:         db,
		passwords:  passwords,
		validate:   validator.New(),
		logins:     httprate.NewRateLimiter(loginsPerMinute, time.Minute),
		adminEmail: models.Text(normalEmail(settings.AdminEmail)),
		logger:     logger,
	}
	if a.adminEmail != "" && a.validate.Var(a.adminEmail, validEmail) != nil {
		return nil, errors.New("ADMIN_EMAIL must be an email address")
	}

	cookies := settings.cookies()
	if err := cookies.Validate(); err != nil {
		return nil, fmt.Errorf("BASE_URL or TRUSTED_ORIGINS: %w", err)
	}

	pluginConfig := settings.plugin()
	if err := settings.addKeys(&pluginConfig); err != nil {
		return nil, err
	}
	pluginConfig.DB = db
	pluginConfig.Logger = logger
	pluginConfig.Claims = a.claims
	metrics, err := newMetrics()
	if err != nil {
		return nil, err
	}
	pluginConfig.OnEvent = metrics.OnEvent
	a.auth, err = refreshtokens.New(pluginConfig)
	if err != nil {
		return nil, err
	}

	gin.SetMode(gin.ReleaseMode)
	a.router = gin.New()
	if err := a.router.SetTrustedProxies(nil); err != nil { // if the app runs behind a proxy, name the proxy here
		return nil, fmt.Errorf("trusted proxies: %w", err)
	}
	a.router.Use(checkRequestID, requestid.New(), finish, a.log, gin.CustomRecoveryWithWriter(nil, a.recovered))
	a.router.NoRoute(func(c *gin.Context) { fail(c, http.StatusNotFound, "Not found") })
	a.router.GET("/healthz", a.health)
	a.router.GET("/metrics", metrics.handler(a.auth))
	a.auth.RegisterJWKS(a.router)
	if err := addPage(a.router); err != nil {
		return nil, err
	}
	if err := addDocs(a.router, settings.binding().Policy != plugin.BindingOff); err != nil {
		return nil, err
	}

	a.router.Use(allowOrigins(settings.TrustedOrigins))
	binding := refreshtokens.WithBinding(settings.binding())
	a.addRoutes(a.router.Group("/v1"), binding)
	a.addRoutes(a.router.Group("/web"), refreshtokens.WithCookies(cookies), binding)
	return a, nil
}

func (a *app) health(c *gin.Context) {
	pool, err := a.db.DB()
	if err == nil {
		err = pool.PingContext(c.Request.Context())
	}
	if err != nil {
		_ = c.Error(err)
		fail(c, http.StatusServiceUnavailable, "The database does not answer")
		return
	}
	c.JSON(http.StatusOK, gin.H{"status": "ok"})
}

// log writes one line for each request. Of the URL, it logs only the path. It logs no query, header or body, because they may
// hold secrets.
func (a *app) log(c *gin.Context) {
	start := time.Now()
	c.Next()
	attrs := []any{
		"method", c.Request.Method, "path", c.Request.URL.Path, "status", c.Writer.Status(),
		"duration", time.Since(start), "ip", c.ClientIP(), "request_id", requestid.Get(c),
	}
	if len(c.Errors) > 0 {
		attrs = append(attrs, "error", c.Errors.String())
	}
	a.logger.InfoContext(c.Request.Context(), "request", attrs...)
}

// recovered answers a panic like any other fault of the server.
func (a *app) recovered(c *gin.Context, cause any) {
	a.broken(c, fmt.Errorf("panic: %v", cause))
}

// broken answers 500, for a fault of the server. The cause goes to the log and not to the client.
func (a *app) broken(c *gin.Context, cause error) {
	_ = c.Error(cause)
	c.AbortWithStatusJSON(http.StatusInternalServerError, gin.H{"error": "Internal Server Error"})
}

// fail answers a request that was refused.
func fail(c *gin.Context, status int, message string) {
	c.AbortWithStatusJSON(status, gin.H{"code": status, "message": message})
}
