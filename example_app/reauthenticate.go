package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// freshness is how old a check of the password may be for what can't be undone.
const freshness = 5 * time.Minute

// reauthenticate checks the caller's password again, and answers an access token that says so (RFC 9470). The session stays
// what it is.
func (a group) reauthenticate(c *gin.Context) {
	const wrongBody = "The body must be a JSON object with the string password"
	var password string
	if !bind(c, fields{"password": &password}, wrongBody) {
		return
	}
	if password == "" {
		fail(c, http.StatusBadRequest, wrongBody)
		return
	}
	ctx := c.Request.Context()
	claims, _ := middleware.Claims(c)
	u, err := findUser(a.dbOf(ctx), "id = ?", claims.Subject)
	if err == nil && u == nil {
		err = plugin.ErrRevoked
	}
	if err != nil {
		a.failCaller(c, err)
		return
	}
	if a.tooManyLogins(c, string(u.Email)) { // tries of login count too
		return
	}
	match, err := a.passwords.matches(ctx, u, password)
	if err != nil {
		a.broken(c, err)
		return
	}
	if !match {
		failLogin(c)
		return
	}
	access, err := a.auth.Reauthenticate(ctx, claims, plugin.WithData(map[string]any{"amr": []string{"pwd"}})) // RFC 8176 §2
	if errors.Is(err, plugin.ErrSubjectRefused) {
		err = plugin.ErrRevoked
	}
	if err != nil {
		a.failCaller(c, err)
		return
	}
	if tokens, ok := a.tokens.SetCookies(c, plugin.Tokens{Access: access}); ok {
		c.JSON(http.StatusOK, gin.H{"access": tokens.Access})
	}
}
