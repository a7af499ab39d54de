package soak_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// The routes of a process.
const (
	loginPath    = "/v1/login"
	refreshPath  = "/v1/auth/refresh-tokens"
	sessionsPath = refreshPath
	logoutPath   = "/v1/auth/logout"
	mePath       = "/v1/me"
	livePath     = "/v1/live" // for sessions that have not ended
)

// process is one process of the app: a server with an address and a pool of its own. Deploying replaces what answers there.
type process struct {
	server *httptest.Server
	db     *gorm.DB
	router atomic.Pointer[gin.Engine]
	plugin atomic.Pointer[refreshtokens.Plugin]
	build  build // what is deployed, for the operator alone
}

func newProcess(t *testing.T, db *gorm.DB) *process {
	t.Helper()
	p := &process{db: db}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.router.Load().ServeHTTP(w, r) }))
	t.Cleanup(p.server.Close)
	return p
}

// newPlugin makes a Plugin of a build. A connection may be killed in the middle of it.
func (p *process) newPlugin(w *world, b build, clock func() time.Time) *refreshtokens.Plugin {
	for try := 1; ; try++ {
		auth, err := refreshtokens.New(refreshtokens.Config{
			DB: p.db, Clock: clock, Logger: slog.New(slog.DiscardHandler), OnEvent: w.ledger.event,
			Secret: b.secret, PreviousSecrets: b.previousSecrets, AccessKey: b.accessKey, PreviousAccessKeys: b.previousAccessKeys,
			GracePeriod: grace, AccessTTL: accessTTL, RefreshTTL: refreshTTL, SessionTTL: sessionTTL,
		})
		if err == nil {
			return auth
		}
		if try == 20 {
			w.t.Errorf("%s: deploy: %v", w.name, err)
			return auth
		}
		pause(context.Background(), 100*time.Millisecond)
	}
}

// deploy replaces the Plugin. Requests under way end with the one before.
func (p *process) deploy(w *world, b build) {
	gin.SetMode(gin.TestMode)
	auth := p.newPlugin(w, b, time.Now)
	if auth == nil {
		return
	}
	router := gin.New()
	group := auth.Register(router.Group("/v1"), refreshtokens.WithBinding(refreshtokens.Binding{Policy: plugin.BindingIfOffered}))
	router.POST(loginPath, group.Protect, func(c *gin.Context) {
		tokens, err := auth.Issue(c.Request.Context(), c.Query("subject"), refreshtokens.DeviceOf(c))
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		group.WriteTokens(c, http.StatusOK, tokens)
	})
	answer := func(c *gin.Context) { c.String(http.StatusOK, middleware.Subject(c)) }
	router.GET(mePath, group.RequireAuth(), answer)
	router.GET(livePath, group.RequireAuth(middleware.LiveSession()), answer)
	p.build = b
	p.plugin.Store(auth)
	p.router.Store(router)
}

// rows counts the rows of the table.
func (p *process) rows(t *testing.T) int64 {
	t.Helper()
	var n int64
	if err := p.db.WithContext(context.Background()).Model(&models.RefreshToken{}).Count(&n).Error; err != nil {
		t.Error(err)
	}
	return n
}
