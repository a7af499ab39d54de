// Package refreshtokens gives a Gin app refresh tokens: a route group to refresh them, list the devices they are on and
// log out, a middleware for access tokens, and one table that the host migrates.
//
//	db.AutoMigrate(models.All()...)
//	auth, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: secret})
//	auth.Register(router.Group("/v1"))               // POST /v1/auth/refresh-tokens, …
//	router.GET("/v1/me", auth.RequireAuth(), me)     // middleware.Subject(c) inside
//	tokens, err := auth.Issue(ctx, user.ID, refreshtokens.ClientOf(c)) // in the host's login handler
package refreshtokens

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/reply"
	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// Config holds every setting; see [plugin.Config].
type Config = plugin.Config

// Plugin is the Service with its routes and its middleware. Issue, Refresh, VerifyAccess, Session, Sessions, Revoke,
// RevokeSession, RevokeAll, Purge, Janitor and WithDB are methods of the embedded [plugin.Service].
type Plugin struct {
	*plugin.Service
}

// New checks config and that the table is there. Every mistake is in the error, each with what to do about it.
func New(config Config) (*Plugin, error) {
	service, err := plugin.New(config)
	if err != nil {
		return nil, err
	}
	return &Plugin{service}, nil
}

// Register adds the route group to the host's router, or to a group of it:
//
//	POST   auth/refresh-tokens       {"refreshToken":"…"} → 200 plugin.Tokens
//	POST   auth/logout               {"refreshToken":"…"} → 204
//	GET    auth/refresh-tokens       Bearer → 200 {"sessions":[…]}, the caller's live logins
//	DELETE auth/refresh-tokens/:id   Bearer → 204, ends one login of the caller's
//	DELETE auth/refresh-tokens       Bearer → 204, ends all of them; ?except=current keeps this one
//
// No answer may be cached.
func (p *Plugin) Register(router gin.IRouter) {
	bearer := p.RequireAuth(middleware.LiveSession())
	group := router.Group("/auth", noStore)
	group.POST("/refresh-tokens", p.refresh)
	group.POST("/logout", p.logout)
	group.GET("/refresh-tokens", bearer, p.list)
	group.DELETE("/refresh-tokens/:id", bearer, p.revokeOne)
	group.DELETE("/refresh-tokens/", bearer, p.revokeOne) // an empty id is of no session, and no way to log out everywhere
	group.DELETE("/refresh-tokens", bearer, p.revokeAll)
}

// RequireAuth lets requests with a valid access token through; see [middleware.RequireAuth].
func (p *Plugin) RequireAuth(options ...middleware.Option) gin.HandlerFunc {
	return middleware.RequireAuth(p.Service, options...)
}

// ClientOf returns the user agent and the IP of a request, for Issue. Which proxies' word on the IP counts is for the
// host's router to say: see SetTrustedProxies of [gin.Engine].
func ClientOf(c *gin.Context) plugin.Client {
	return plugin.Client{UserAgent: c.Request.UserAgent(), IP: c.ClientIP()}
}

func (p *Plugin) refresh(c *gin.Context) {
	token, err := readRefreshToken(c)
	if err != nil {
		reply.Error(c, p.Logger(), err)
		return
	}
	tokens, err := p.Refresh(c.Request.Context(), token, ClientOf(c))
	if err != nil {
		reply.Error(c, p.Logger(), err)
		return
	}
	c.JSON(http.StatusOK, tokens)
}

func (p *Plugin) logout(c *gin.Context) {
	token, err := readRefreshToken(c)
	if err == nil {
		err = p.Revoke(c.Request.Context(), token)
	}
	p.noContent(c, err)
}

// listed is a session in the answer of the list route.
type listed struct {
	plugin.Session
	Current bool `json:"current"`
}

func (p *Plugin) list(c *gin.Context) {
	claims, _ := middleware.Claims(c)
	sessions, err := p.Sessions(c.Request.Context(), claims.Subject)
	if err != nil {
		reply.Error(c, p.Logger(), err)
		return
	}
	body := make([]listed, len(sessions))
	for i, session := range sessions {
		body[i] = listed{session, session.ID == claims.SessionID}
	}
	c.JSON(http.StatusOK, gin.H{"sessions": body})
}

func (p *Plugin) revokeOne(c *gin.Context) {
	p.noContent(c, p.RevokeSession(c.Request.Context(), middleware.Subject(c), c.Param("id")))
}

func (p *Plugin) revokeAll(c *gin.Context) {
	claims, _ := middleware.Claims(c)
	var keep []string
	// A query that is misspelt must not end more than was meant.
	if query := c.Request.URL.RawQuery; query == "except=current" {
		keep = append(keep, claims.SessionID)
	} else if query != "" {
		p.noContent(c, reply.BadRequest{Status: http.StatusBadRequest, Message: `The query can only be "except=current"`})
		return
	}
	p.noContent(c, p.RevokeAll(c.Request.Context(), claims.Subject, keep...))
}

func (p *Plugin) noContent(c *gin.Context, err error) {
	if err != nil {
		reply.Error(c, p.Logger(), err)
		return
	}
	c.Status(http.StatusNoContent)
}

func noStore(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Pragma", "no-cache")
}

// maxBody is the most, in bytes, that a request body may have.
const maxBody = 8 << 10

// readRefreshToken reads a body of the form {"refreshToken":"…"}.
func readRefreshToken(c *gin.Context) (string, error) {
	mediaType, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || mediaType != "application/json" {
		closeUnread(c)
		return "", reply.BadRequest{Status: http.StatusUnsupportedMediaType, Message: "Content-Type must be application/json"}
	}
	if c.Request.Body == nil { // not from a server, which never leaves it out
		c.Request.Body = http.NoBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		closeUnread(c)
		return "", reply.BadRequest{Status: http.StatusRequestEntityTooLarge, Message: "The body may have 8 KiB at most"}
	}
	if err != nil {
		return "", reply.BadRequest{Status: http.StatusBadRequest, Message: `The body with "refreshToken" ended early`}
	}
	var value [1][]byte
	if err := strictjson.Pick(body, []string{"refreshToken"}, value[:]); err != nil {
		return "", reply.BadRequest{
			Status:  http.StatusBadRequest,
			Message: `The body must be one JSON object that has "refreshToken" once`,
		}
	}
	token, ok := strictjson.String(value[0])
	if !ok || token == "" {
		return "", reply.BadRequest{Status: http.StatusBadRequest, Message: `"refreshToken" must be a non-empty string`}
	}
	return token, nil
}

// closeUnread has the answer sent at once, and the connection closed: net/http would wait for the rest of the body first.
func closeUnread(c *gin.Context) {
	c.Header("Connection", "close")
}
