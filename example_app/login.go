package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	wrongLogin    = "Incorrect email or password"
	tooManyLogins = "Too many logins, try again in a minute"
)

func (a group) login(c *gin.Context) {
	const wrongBody = "The body must be a JSON object with the strings email and password, and may have the string device " +
		"and the boolean remember"
	var email, password string
	session := newSession{remember: true}
	if !bind(c, fields{"email": &email, "password": &password, "device": &session.device, "remember": &session.remember}, wrongBody) {
		return
	}
	if email == "" || password == "" {
		fail(c, http.StatusBadRequest, wrongBody)
		return
	}
	email = normalEmail(email)
	if a.tooManyLogins(c, email) {
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
	u, tokens, err := a.logIn(c, u, session)
	if errors.Is(err, plugin.ErrSubjectRefused) {
		failLogin(c)
		return
	}
	if err != nil {
		a.broken(c, err)
		return
	}
	a.answerTokens(c, http.StatusOK, u, tokens)
}

// logIn starts a session of the user whose password was right. It returns [plugin.ErrSubjectRefused] where the password was
// changed, or the user deleted, since checked was read. That has ended the user's sessions, and it must not miss the one
// that starts now. The check of a password is slow, so it is done before, outside the transaction.
func (a *app) logIn(c *gin.Context, checked *user, session newSession) (u *user, tokens plugin.Tokens, err error) {
	err = a.transaction(c.Request.Context(), func(ctx context.Context, tx *gorm.DB) (err error) {
		if u, err = lockUser(tx, checked.ID); err != nil {
			return err
		}
		if u == nil || u.PasswordHash != checked.PasswordHash {
			return plugin.ErrSubjectRefused
		}
		tokens, err = a.auth.WithDB(tx).Issue(ctx, u.ID, session.deviceOf(c), session.options()...)
		return err
	})
	return u, tokens, err
}

// tooManyLogins counts a try of a password. It reports whether it was one too many, and has then answered 429.
func (a *app) tooManyLogins(c *gin.Context, email string) bool {
	if !a.logins.OnLimit(c.Writer, c.Request, c.ClientIP()+" "+email) {
		return false
	}
	c.Header("Retry-After", "60")
	fail(c, http.StatusTooManyRequests, tooManyLogins)
	return true
}

func failLogin(c *gin.Context) {
	c.Header("WWW-Authenticate", "Bearer")
	fail(c, http.StatusUnauthorized, wrongLogin)
}
