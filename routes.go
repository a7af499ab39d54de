// Package refreshtokens gives a Gin app refresh tokens: a route group to refresh them, list the devices they are on and
// log out; a middleware for access tokens; and one table that the host migrates.
//
//	db.AutoMigrate(models.All()...)
//	auth, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: secret})
//	auth.Register(router.Group("/v1"))               // POST /v1/auth/refresh-tokens, …
//	router.GET("/v1/me", auth.RequireAuth(), me)     // refreshtokens.Subject(c) inside
//	tokens, err := auth.Issue(ctx, user.ID, refreshtokens.DeviceOf(c)) // in the host's login handler
//
// A host's handlers need this import alone. Package middleware has the options of RequireAuth, package plugin the errors
// and the types in full.
package refreshtokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/internal/origin"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// The types that a host's handlers name most.
type (
	// Config is [plugin.Config].
	Config = plugin.Config
	// Session is [plugin.Session].
	Session = plugin.Session
	// Event is [plugin.Event].
	Event = plugin.Event
	// Device is [plugin.Device].
	Device = plugin.Device
	// Tokens is [plugin.Tokens].
	Tokens = plugin.Tokens
	// Claims is [token.Claims].
	Claims = token.Claims
)

// ErrSubjectRefused is for the host's Claims callback to return; see [plugin.ErrSubjectRefused].
var ErrSubjectRefused = plugin.ErrSubjectRefused

// Plugin is a [plugin.Service] with its routes and its middleware. It is safe for concurrent use.
type Plugin struct {
	service *plugin.Service
}

// New checks config, and that the table is there. Every mistake is in the error, each with what to do about it.
func New(config Config) (*Plugin, error) {
	service, err := plugin.New(config)
	if err != nil {
		return nil, err
	}
	return &Plugin{service}, nil
}

// Register adds the route group to the host's router, or to a group of it:
//
//	POST   auth/refresh-tokens       {"refreshToken":"…"} → 200 Tokens
//	POST   auth/logout               {"refreshToken":"…"} → 204
//	GET    auth/refresh-tokens       Bearer → 200 {"sessions":[…]}, the caller's live sessions
//	DELETE auth/refresh-tokens/:id   Bearer → 204, ends one of the caller's sessions
//	DELETE auth/refresh-tokens       Bearer → 204, ends all of them; ?except=current keeps this one
//
// No answer may be cached. [WithCookies] carries the refresh token in a cookie instead of bodies. The Group that is returned
// knows how the group carries tokens; a host whose groups all use bodies doesn't need it.
func (p *Plugin) Register(router gin.IRouter, options ...RegisterOption) *Group {
	var o registerOptions
	for _, option := range options {
		option(&o)
	}
	routes := router.Group("/auth", httpapi.NoStore)
	group := newGroup(p, routes, o)
	auth := group.RequireAuth(append(o.sessionRoutes, middleware.LiveSession())...)
	routes.POST("/refresh-tokens", group.protectRefresh, group.refresh)
	routes.POST("/logout", group.protectLogout, group.logout)
	routes.GET("/refresh-tokens", auth, p.needSubject, p.list)
	routes.DELETE("/refresh-tokens/:id", auth, p.needSubject, p.revokeOne)
	routes.DELETE("/refresh-tokens/", auth, p.needSubject, p.refuseEmptyID)
	routes.DELETE("/refresh-tokens", auth, p.needSubject, p.revokeAll)
	if group.devices != nil {
		routes.POST(httpapi.DeviceRoute, group.protectRefresh, group.registerDevice)
	}
	return group
}

// RegisterOption is an option of [Plugin.Register].
type RegisterOption func(*registerOptions)

type registerOptions struct {
	sessionRoutes []middleware.Option
	cookies       *Cookies
	binding       Binding
}

// ForSessionRoutes makes the three Bearer routes ask for more, for instance for a login that is fresh, before a session can be
// ended (OWASP ASVS 5.0, 7.5.2):
//
//	auth.Register(group, refreshtokens.ForSessionRoutes(middleware.AuthenticatedWithin(5*time.Minute)))
func ForSessionRoutes(options ...middleware.Option) RegisterOption {
	return func(o *registerOptions) { o.sessionRoutes = append(o.sessionRoutes, options...) }
}

// RequireAuth lets requests with a valid access token through; see [middleware.RequireAuth].
func (p *Plugin) RequireAuth(options ...middleware.Option) gin.HandlerFunc {
	return middleware.RequireAuth(p.service, options...)
}

// Service returns the Plugin without its routes.
func (p *Plugin) Service() *plugin.Service { return p.service }

// Stats returns counts of what is of no session, or too frequent for an event; see [plugin.Service.Stats].
func (p *Plugin) Stats() plugin.Stats { return p.service.Stats() }

// Issue starts a session and returns its first tokens; see [plugin.Service.Issue].
func (p *Plugin) Issue(ctx context.Context, subject string, device Device, options ...plugin.SessionOption) (Tokens, error) {
	return p.service.Issue(ctx, subject, device, options...)
}

// Refresh spends a refresh token; see [plugin.Service.Refresh].
func (p *Plugin) Refresh(ctx context.Context, refreshToken string, device Device) (Tokens, error) {
	return p.service.Refresh(ctx, refreshToken, device)
}

// VerifyAccess returns the claims of an access token; see [plugin.Service.VerifyAccess].
func (p *Plugin) VerifyAccess(accessToken string) (Claims, error) {
	return p.service.VerifyAccess(accessToken)
}

// Session returns one live session of the subject's; see [plugin.Service.Session].
func (p *Plugin) Session(ctx context.Context, subject, id string) (Session, error) {
	return p.service.Session(ctx, subject, id)
}

// Sessions lists the subject's live sessions; see [plugin.Service.Sessions].
func (p *Plugin) Sessions(ctx context.Context, subject string) ([]Session, error) {
	return p.service.Sessions(ctx, subject)
}

// Revoke ends the session of a refresh token; see [plugin.Service.Revoke].
func (p *Plugin) Revoke(ctx context.Context, refreshToken string) error {
	return p.service.Revoke(ctx, refreshToken)
}

// RevokeSession ends one session of the subject's; see [plugin.Service.RevokeSession].
func (p *Plugin) RevokeSession(ctx context.Context, subject, id string) error {
	return p.service.RevokeSession(ctx, subject, id)
}

// RevokeAll ends the subject's sessions but those in except; see [plugin.Service.RevokeAll].
func (p *Plugin) RevokeAll(ctx context.Context, subject string, except ...string) error {
	return p.service.RevokeAll(ctx, subject, except...)
}

// RevokeEveryone ends every session of everybody's; see [plugin.Service.RevokeEveryone].
func (p *Plugin) RevokeEveryone(ctx context.Context) (int64, error) {
	return p.service.RevokeEveryone(ctx)
}

// Forget deletes every row of the subject's; see [plugin.Service.Forget].
func (p *Plugin) Forget(ctx context.Context, subject string) (int64, error) {
	return p.service.Forget(ctx, subject)
}

// Reauthenticate returns an access token with a new auth_time; see [plugin.Service.Reauthenticate].
func (p *Plugin) Reauthenticate(ctx context.Context, claims Claims, options ...plugin.SessionOption) (plugin.Token, error) {
	return p.service.Reauthenticate(ctx, claims, options...)
}

// WithDB returns the Service on the host's transaction; see [plugin.Service.WithDB].
func (p *Plugin) WithDB(db *gorm.DB) *plugin.Service {
	return p.service.WithDB(db)
}

// Purge deletes the rows of sessions that are long over; see [plugin.Service.Purge].
func (p *Plugin) Purge(ctx context.Context) (int64, error) {
	return p.service.Purge(ctx)
}

// Janitor runs Purge at every interval until ctx is done; see [plugin.Service.Janitor].
func (p *Plugin) Janitor(ctx context.Context, interval time.Duration) error {
	return p.service.Janitor(ctx, interval)
}

// DeviceOf returns the device that sends a request, for Issue. The host's router decides which proxies it
// trusts for the IP: see SetTrustedProxies of [gin.Engine].
func DeviceOf(c *gin.Context) Device {
	return Device{UserAgent: c.Request.UserAgent(), IP: c.ClientIP()}
}

// Subject returns the authenticated user's id, behind RequireAuth; see [middleware.Subject].
func Subject(ctx context.Context) string {
	return middleware.Subject(ctx)
}

// ClaimsOf returns the claims of the request's access token, behind RequireAuth; see [middleware.Claims].
func ClaimsOf(ctx context.Context) (Claims, bool) {
	return middleware.Claims(ctx)
}

// needSubject refuses a stranger whom ForSessionRoutes(middleware.Optional()) let through.
func (p *Plugin) needSubject(c *gin.Context) {
	if Subject(c) == "" {
		p.fail(c, httpapi.ErrNoToken)
	}
}

// requestContext is the request's context, from which the events know the device.
func requestContext(c *gin.Context) context.Context {
	return origin.With(c.Request.Context(), origin.Request{UserAgent: c.Request.UserAgent(), IP: c.ClientIP()})
}

func (g *Group) refresh(c *gin.Context) {
	refreshToken, err := g.refreshToken(c)
	if err != nil {
		g.plugin.fail(c, err)
		return
	}
	ctx, ok := g.proveDevice(c, refreshToken)
	if !ok {
		return
	}
	tokens, err := g.plugin.Refresh(ctx, refreshToken, DeviceOf(c))
	switch {
	case errors.Is(err, plugin.ErrUnproven) && g.devices != nil:
		if sessionID, key, err := g.plugin.service.BindingOf(refreshToken); err == nil && key == "" {
			g.devices.Offer(c, sessionID, g.plugin.service.Now()) // the session has to be bound first
		}
		g.plugin.fail(c, fmt.Errorf("%w: %w", httpapi.ErrForbidden, err))
	case errors.Is(err, plugin.ErrUnproven) && g.dpop != nil:
		g.dpop.OfferNonce(c, g.plugin.service.Now())
		g.plugin.fail(c, err)
	case err != nil:
		g.plugin.fail(c, err)
	case g.devices != nil && g.devices.IsBrowser(c.Request):
		if _, ok := g.setCookies(c, tokens); ok {
			c.Status(http.StatusOK) // a browser takes any other body than instructions for the end of the session
		}
	default:
		if tokens, ok := g.setCookies(c, tokens); ok {
			c.JSON(http.StatusOK, tokens)
		}
	}
}

func (g *Group) logout(c *gin.Context) {
	refreshToken, err := g.refreshToken(c)
	if err == nil {
		err = g.plugin.Revoke(requestContext(c), refreshToken)
	}
	// Whoever logs out wants the cookies gone, also those of a session that is over. Only a fault of ours keeps them, for the next try.
	if g.cookies != nil && !isFault(err) {
		g.cookies.Clear(c)
	}
	g.plugin.noContent(c, err)
}

// listed is a session in the answer of the list route.
type listed struct {
	Session
	Current bool `json:"current"`
}

func (p *Plugin) list(c *gin.Context) {
	claims, _ := ClaimsOf(c)
	sessions, err := p.Sessions(c.Request.Context(), claims.Subject)
	if err != nil {
		p.fail(c, err)
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
	p.noContent(c, p.RevokeSession(requestContext(c), Subject(c), id))
}

// refuseEmptyID answers 404 to an empty id. It must not fall through to revokeAll.
func (p *Plugin) refuseEmptyID(c *gin.Context) {
	p.fail(c, plugin.ErrNotFound)
}

func (p *Plugin) revokeAll(c *gin.Context) {
	// A router that cleans paths takes …/refresh-tokens/x/.. for this route.
	if !strings.HasSuffix(c.Request.URL.EscapedPath(), "/auth/refresh-tokens") {
		p.refuseEmptyID(c)
		return
	}
	claims, _ := ClaimsOf(c)
	var keep []string
	// A query that is misspelt must not end more than was meant.
	if query := c.Request.URL.RawQuery; query == "except=current" {
		keep = append(keep, claims.SessionID)
	} else if query != "" {
		p.fail(c, httpapi.BadRequest{Status: http.StatusBadRequest, Message: `The query can only be "except=current"`})
		return
	}
	p.noContent(c, p.RevokeAll(requestContext(c), claims.Subject, keep...))
}

func (p *Plugin) noContent(c *gin.Context, err error) {
	if err != nil {
		p.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

type clientError struct{ err, answer error }

// clientErrors are the Service's errors that are the client's doing. Any other is a 500.
var clientErrors = []clientError{
	{plugin.ErrNotFound, httpapi.ErrNotFound}, // first: it may wrap the reason, which is one of the others
	{plugin.ErrInvalidToken, httpapi.ErrInvalidToken},
	{plugin.ErrExpired, httpapi.ErrInvalidToken},
	{plugin.ErrReused, httpapi.ErrInvalidToken},
	{plugin.ErrRevoked, httpapi.ErrInvalidToken},
	{plugin.ErrUnproven, httpapi.NewProofError(httpapi.InvalidProof, httpapi.ErrNoProof)},
	{plugin.ErrSubjectRefused, httpapi.ErrInvalidToken},
}

// isFault tells whether err is none of the client's doing.
func isFault(err error) bool {
	return err != nil && !errors.Is(err, httpapi.ErrNoToken) && !errors.Is(err, httpapi.ErrInvalidToken) &&
		!slices.ContainsFunc(clientErrors, func(known clientError) bool { return errors.Is(err, known.err) })
}

func (p *Plugin) fail(c *gin.Context, err error) {
	for _, known := range clientErrors {
		if errors.Is(err, known.err) && !errors.Is(err, httpapi.ErrForbidden) {
			err = fmt.Errorf("%w: %w", known.answer, err)
			break
		}
	}
	if errors.Is(err, plugin.ErrBusy) {
		err = fmt.Errorf("%w: %w", httpapi.ErrBusy, err)
	}
	httpapi.Error(c, p.service.Logger(), err)
}
