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
	"strings"

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
	group.DELETE("/refresh-tokens/", bearer, p.revokeNone)
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
	// The last parameter is this route's own. The host's group may have others, of any name.
	id := c.Params[len(c.Params)-1].Value
	p.noContent(c, p.RevokeSession(c.Request.Context(), middleware.Subject(c), id))
}

// revokeNone answers an empty id: it names no session, and must not log out everywhere.
func (p *Plugin) revokeNone(c *gin.Context) {
	p.noContent(c, plugin.ErrNotFound)
}

func (p *Plugin) revokeAll(c *gin.Context) {
	// A router that cleans paths takes …/refresh-tokens/x/.. for this route.
	if !strings.HasSuffix(c.Request.URL.EscapedPath(), "/auth/refresh-tokens") {
		p.revokeNone(c)
		return
	}
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
	body, err := readBody(c)
	if err != nil {
		return "", err
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

// readBody returns a JSON body of at most maxBody bytes.
func readBody(c *gin.Context) ([]byte, error) {
	request := c.Request
	if request.Body == nil { // not from a server, which never leaves it out
		request.Body = http.NoBody
	}
	header := request.Header.Get("Content-Type")
	if mediaType, _, err := mime.ParseMediaType(header); (err != nil || mediaType != "application/json") && (header != "" || request.ContentLength != 0) {
		return nil, refuseUnread(c, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
	}
	// ShouldBindBodyWith, in a middleware of the host's, leaves the body here.
	if read, ok := c.Get(gin.BodyBytesKey); ok {
		if body, ok := read.([]byte); ok {
			if len(body) > maxBody {
				return nil, refuseUnread(c, http.StatusRequestEntityTooLarge, bodyTooLarge)
			}
			return body, nil
		}
	}
	if request.ContentLength > maxBody { // before a read would send "100 Continue"
		return nil, refuseUnread(c, http.StatusRequestEntityTooLarge, bodyTooLarge)
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, request.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, refuseUnread(c, http.StatusRequestEntityTooLarge, bodyTooLarge)
	}
	if err != nil {
		return nil, reply.BadRequest{Status: http.StatusBadRequest, Message: `The body with "refreshToken" ended early`}
	}
	return body, nil
}

const bodyTooLarge = "The body may have 8 KiB at most"

// refuseUnread refuses a body that was not read to its end. It closes the connection after the answer: net/http would
// wait for the rest of the body first.
func refuseUnread(c *gin.Context, status int, message string) error {
	c.Header("Connection", "close")
	return reply.BadRequest{Status: status, Message: message}
}
