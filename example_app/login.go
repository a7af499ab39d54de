package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	wrongLogin    = "Incorrect email or password"
	tooManyLogins = "Too many logins, try again in a minute"
)

func (a *app) login(c *gin.Context) {
	const wrongBody = "The body must be a JSON object with the strings email and password"
	var email, password string
	if !bind(c, fields{"email": &email, "password": &password}, wrongBody) {
		return
	}
	if email == "" || password == "" {
		fail(c, http.StatusBadRequest, wrongBody)
		return
	}
	email = normalEmail(email)
	if a.logins.OnLimit(c.Writer, c.Request, c.ClientIP()+" "+email) {
		c.Header("Retry-After", "60")
		fail(c, http.StatusTooManyRequests, tooManyLogins)
		return
	}
	if a.validate.Var(email, validEmail) != nil {
		failLogin(c)
		return
	}
	ctx := c.Request.Context()
	u, err := findUser(a.dbOf(ctx), "email = ?", email)
	if err != nil {
		a.broken(c, err)
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
	u, tokens, err := a.startSession(ctx, u, refreshtokens.DeviceOf(c))
	if errors.Is(err, plugin.ErrSubjectRefused) {
		failLogin(c)
		return
	}
	if err != nil {
		a.broken(c, err)
		return
	}
	answerTokens(c, http.StatusOK, u, tokens)
}

// startSession issues tokens to a user whose password was right. checked is the user as read before the password was checked.
//
// startSession returns [plugin.ErrSubjectRefused] if the password was changed or the user was deleted since then. Such a change
// ends all of the user's sessions, and the new session must not escape it. The password is checked before the transaction,
// because that is slow.
func (a *app) startSession(ctx context.Context, checked *user, client plugin.Device) (u *user, tokens plugin.Tokens, err error) {
	err = a.transaction(ctx, func(ctx context.Context, tx *gorm.DB) (err error) {
		if u, err = lockUser(tx, checked.ID); err != nil {
			return err
		}
		if u == nil || u.PasswordHash != checked.PasswordHash {
			return plugin.ErrSubjectRefused
		}
		tokens, err = a.auth.WithDB(tx).Issue(ctx, u.ID, client)
		return err
	})
	return u, tokens, err
}

func failLogin(c *gin.Context) {
	c.Header("WWW-Authenticate", "Bearer")
	fail(c, http.StatusUnauthorized, wrongLogin)
}

func answerTokens(c *gin.Context, status int, u *user, tokens plugin.Tokens) {
	c.Header("Cache-Control", "no-store")
	c.JSON(status, struct {
		User   *user         `json:"user"`
		Tokens plugin.Tokens `json:"tokens"`
	}{u, tokens})
}
