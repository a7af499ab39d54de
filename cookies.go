package refreshtokens

import (
	"fmt"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/binding"
	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/internal/maxlength"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
)

// Cookies are the settings of [WithCookies]. The zero value is right for most apps that browsers reach by https.
type Cookies struct {
	// BaseURL is the URL at which browsers reach the router: "https://example.com", or "https://example.com/api" where a proxy
	// takes /api off the path. It is needed only if a proxy changes the path or the Host header.
	//
	// "http://localhost:8080" is for development. The cookies then have neither Secure nor the prefix in their names, because
	// not every browser takes such cookies from http://localhost. Requests that are not from this machine are then answered
	// 500, so a deployment with this setting fails and is not less safe. Any other http URL is refused.
	BaseURL string

	// AccessToken also keeps the access token in a cookie, for pages that the server renders, images, and apps without token code.
	// [Group.RequireAuth] then takes that cookie too.
	AccessToken bool

	// TrustedOrigins are other origins whose pages may make requests with the cookies: "https://app.example.com". They must be of
	// the same site, or browsers don't send the cookies. The host also has to allow them by CORS, with credentials.
	TrustedOrigins []string

	// Name is a part of the cookies' names. Two Plugins on one domain need different ones. Letters, digits, hyphens and
	// underscores. Default: none. The cookies are then __Secure-refresh-token and __Host-access-token.
	Name string
}

// Validate returns the error that Register would panic with, for settings that come from outside the program.
func (c Cookies) Validate() error {
	_, err := c.at("/")
	return err
}

// WithCookies makes the group keep the refresh token in a cookie that scripts can't read (HttpOnly, Secure, SameSite=Strict,
// sent to the group's own routes only). The group's requests need no body, and its answers leave refresh.token out. Unsafe requests
// of other origins are answered 403: see [http.CrossOriginProtection]. Log-out clears the cookies, and nothing else does.
//
//	web := auth.Register(router.Group("/web"), refreshtokens.WithCookies(refreshtokens.Cookies{}))
//	router.POST("/web/login", web.Protect, func(c *gin.Context) {
//		…
//		web.WriteTokens(c, http.StatusOK, tokens)
//	})
//
// Register panics if the settings are wrong; see [Cookies.Validate].
func WithCookies(cookies Cookies) RegisterOption {
	return func(o *registerOptions) { o.cookies = &cookies }
}

// Group is a registered route group. It writes tokens the way that the group carries them: in the body, or in cookies
// where the group was registered [WithCookies]. The same login handler can serve groups of both kinds.
type Group struct {
	plugin  *Plugin
	cookies *httpapi.Cookies // nil: tokens travel in bodies
	dpop    *httpapi.DPoP    // nil: sessions are not bound
	devices *httpapi.DBSC    // nil: no session is bound to a browser's device
	binding Binding
}

func newGroup(p *Plugin, routes *gin.RouterGroup, o registerOptions) *Group {
	g := &Group{plugin: p, binding: o.binding}
	if o.cookies == nil {
		g.dpop = newDPoP(p, o.binding)
		return g
	}
	var err error
	if g.cookies, err = o.cookies.at(routes.BasePath()); err != nil {
		panic("refreshtokens: " + err.Error())
	}
	g.devices = newDBSC(p, g.cookies, o.binding)
	return g
}

// at returns the cookies of the routes under a path.
func (c Cookies) at(path string) (*httpapi.Cookies, error) {
	cookies, err := httpapi.NewCookies(httpapi.CookieSettings{
		BaseURL: c.BaseURL, Name: c.Name, AccessToken: c.AccessToken, TrustedOrigins: c.TrustedOrigins, Path: path,
	})
	if err != nil {
		return nil, fmt.Errorf("bad Cookies: %w", err)
	}
	return cookies, nil
}

// Protect is a middleware for the host's own routes that log users in, for instance login and register.
//
// With cookies, it answers 403 to a request of another origin, which may want to log the user in as somebody else. It also lets Issue
// fail with [plugin.ErrInvalidClaims] if a token is too large for its cookie, before the session exists.
//
// With binding, it checks the request's proof, and Issue binds the session to its key. It answers 400 to a bad proof, and to none
// where the policy requires one. Without either, it does nothing.
func (g *Group) Protect(c *gin.Context) {
	if err := g.checkOrigin(c); err != nil {
		g.plugin.fail(c, err)
		return
	}
	if err := g.offerKey(c, true); err != nil {
		g.plugin.fail(c, err)
	}
}

// protectRefresh is Protect for the refresh route, where a bad proof is a 401.
func (g *Group) protectRefresh(c *gin.Context) {
	err := g.checkOrigin(c)
	if err == nil {
		err = g.offerKey(c, false)
	}
	if err != nil {
		g.plugin.fail(c, err)
	}
}

// protectLogout needs no proof: whoever holds a token may end its session.
func (g *Group) protectLogout(c *gin.Context) {
	if err := g.checkOrigin(c); err != nil {
		g.plugin.fail(c, err)
	}
}

// checkOrigin refuses other origins where the request has cookies, and limits how large the tokens of the answer may get.
func (g *Group) checkOrigin(c *gin.Context) error {
	if g.cookies == nil {
		return nil
	}
	if err := g.cookies.Check(c.Request); err != nil {
		return err
	}
	ctx := maxlength.With(c.Request.Context(), g.cookies.Limits(c))
	if g.devices != nil {
		ctx = binding.With(ctx, binding.Offer{Policy: g.binding.Policy, Later: true})
	}
	*c.Request = *c.Request.WithContext(ctx)
	return nil
}

// WriteTokens answers with the tokens of a login, in the form that [Group.SetCookies] gives them.
func (g *Group) WriteTokens(c *gin.Context, status int, tokens Tokens) {
	if tokens, ok := g.SetCookies(c, tokens); ok {
		c.JSON(status, tokens)
	}
}

// SetCookies is for an answer that has more in it than tokens. It sets the group's cookies and returns the tokens without those
// that are in a cookie, for the body. Without cookies, it returns the tokens as they are. The answer may not be cached.
// tokens.Refresh may be empty, for the access token of a reauthentication.
//
// It returns false if it has refused, and has then answered: 403 to a request of another origin, 500 if a token is too large for
// its cookie. The session of the tokens has then ended. With [Group.Protect] before the handler, neither comes so late.
func (g *Group) SetCookies(c *gin.Context, tokens Tokens) (Tokens, bool) {
	g.offerDevice(c, tokens)
	return g.setCookies(c, tokens)
}

// setCookies is SetCookies for a session that exists already.
func (g *Group) setCookies(c *gin.Context, tokens Tokens) (Tokens, bool) {
	httpapi.NoStore(c)
	if g.cookies == nil {
		return tokens, true
	}
	err := g.cookies.Check(c.Request)
	if err == nil {
		err = g.cookies.Limits(c).Check(len(tokens.Refresh.Token), len(tokens.Access.Token))
	}
	if err != nil {
		if tokens.Refresh.Token != "" {
			_ = g.plugin.Revoke(requestContext(c), tokens.Refresh.Token) // nobody has got it
		}
		g.plugin.fail(c, err)
		return Tokens{}, false
	}
	now := g.plugin.service.Now().Unix()
	if tokens.Refresh.Token != "" {
		g.cookies.SetRefresh(c, tokens.Refresh.Token, tokens.Refresh.Expires.Unix()-now)
		tokens.Refresh.Token = ""
	}
	if g.cookies.AccessName() != "" {
		g.cookies.SetAccess(c, tokens.Access.Token, tokens.Access.Expires.Unix()-now)
		tokens.Access.Token = ""
	}
	return tokens, true
}

// RequireAuth is [Plugin.RequireAuth]. Where the group keeps the access token in a cookie, it takes a request without an
// Authorization header by that cookie: see [middleware.AccessCookie]. It then also looks up that the session still lives, by
// [middleware.LiveSession]: an answer that arrives after a log-out may bring the cookie back. Where the group binds sessions, it
// also takes their access tokens: see [middleware.DPoP].
func (g *Group) RequireAuth(options ...middleware.Option) gin.HandlerFunc {
	if g.cookies != nil && g.cookies.AccessName() != "" {
		options = append([]middleware.Option{
			middleware.LiveSession(), middleware.AccessCookie(g.cookies.AccessName(), g.cookies.TrustedOrigins...),
		}, options...)
	}
	if g.dpop != nil {
		options = append(options, middleware.DPoP(g.binding.BaseURL, g.plugin.service.NonceSecrets()...))
	}
	require := g.plugin.RequireAuth(options...)
	if g.devices == nil {
		return require
	}
	return func(c *gin.Context) {
		httpapi.BeforeHandler(c, g.offerDeviceLater)
		require(c)
	}
}

// refreshToken returns the refresh token that a request presents.
func (g *Group) refreshToken(c *gin.Context) (string, error) {
	if g.cookies == nil {
		return httpapi.RefreshToken(c)
	}
	return g.cookies.RefreshToken(c.Request)
}
