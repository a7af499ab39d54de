package refreshtokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/binding"
	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// newDBSC returns nil where sessions are not bound.
func newDBSC(p *Plugin, cookies *httpapi.Cookies, settings Binding) *httpapi.DBSC {
	if settings.Policy == plugin.BindingOff {
		return nil
	}
	devices, err := httpapi.NewDBSC(cookies, p.service.NonceSecrets()...)
	if err != nil {
		panic("refreshtokens: bad Binding: " + err.Error())
	}
	return devices
}

// registerDevice binds the session of the refresh cookie to the key that the browser has made, and tells the browser what to do with it.
func (g *Group) registerDevice(c *gin.Context) {
	now := g.plugin.service.Now()
	refreshToken, err := g.refreshToken(c)
	if err != nil {
		g.plugin.fail(c, err)
		return
	}
	sessionID, _, err := g.plugin.service.BindingOf(refreshToken)
	if err != nil {
		g.plugin.fail(c, err)
		return
	}
	key, err := g.devices.Register(c, sessionID, now)
	if err != nil {
		g.plugin.fail(c, err)
		return
	}
	ctx := binding.With(c.Request.Context(), binding.Offer{Policy: g.binding.Policy, Key: key})
	tokens, err := g.plugin.Refresh(ctx, refreshToken, DeviceOf(c))
	if err != nil {
		g.plugin.fail(c, err)
		return
	}
	if _, bound, err := g.plugin.service.BindingOf(tokens.Refresh.Token); err != nil || bound != key {
		// The live token is too young to rotate, or another key was first. A later answer offers it again.
		g.plugin.fail(c, httpapi.ErrForbidden)
		return
	}
	instructions, err := g.devices.Instructions(c, sessionID)
	if err != nil {
		g.plugin.fail(c, err)
		return
	}
	if _, ok := g.setCookies(c, tokens); ok {
		c.JSON(http.StatusOK, instructions)
	}
}

// proveDevice returns the context of a refresh, with the key that the browser has proven. It returns false where it has answered: 403 with
// a challenge, after which the browser tries again, or 401 to a browser that refreshes an earlier login's session. That ends it there.
func (g *Group) proveDevice(c *gin.Context, refreshToken string) (context.Context, bool) {
	ctx := c.Request.Context()
	if g.devices == nil {
		return ctx, true
	}
	sessionID, key, err := g.plugin.service.BindingOf(refreshToken)
	if err == nil && g.devices.IsOfAnother(c.Request, sessionID) {
		g.plugin.fail(c, fmt.Errorf("%w: the browser refreshes the session of an earlier login", httpapi.ErrInvalidToken))
		return nil, false
	}
	if err != nil || key == "" {
		return ctx, true // Refresh says what is wrong with it
	}
	err = g.devices.Prove(c, sessionID, key, g.plugin.service.Now())
	if err != nil {
		g.devices.Challenge(c, sessionID, g.plugin.service.Now())
	}
	if errors.Is(err, httpapi.ErrChallenge) {
		g.plugin.fail(c, httpapi.ErrForbidden)
		return nil, false
	}
	if err != nil {
		return ctx, true // Refresh refuses and reports it
	}
	return binding.With(ctx, binding.Offer{Policy: g.binding.Policy, Key: key}), true
}

// offerDevice asks the browser to bind the session of a login. After a refresh, the new token is too young to rotate, so it asks later.
func (g *Group) offerDevice(c *gin.Context, tokens Tokens) {
	if g.devices != nil && tokens.Refresh.Token != "" {
		g.devices.Offer(c, tokens.SessionID, g.plugin.service.Now())
	}
}

// offerDeviceLater asks the browser to bind a living session, once its refresh token may rotate.
func (g *Group) offerDeviceLater(c *gin.Context) {
	now := g.plugin.service.Now()
	claims, ok := ClaimsOf(c)
	if ok && claims.Binding == "" && now.Sub(claims.IssuedAt) > g.plugin.service.RepeatWindow()+time.Second {
		g.devices.Offer(c, claims.SessionID, now)
	}
}
