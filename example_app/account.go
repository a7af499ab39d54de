package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	weakPassword = "password must have 8 characters or more, with a letter and a digit"
	wrongEmail   = "email must be an email address"
	wrongName    = "name must have 1 to 100 characters"
	takenEmail   = "Email already taken"

	validEmail = "required,max=255,email"
)

// register creates a user and logs them in. Both happen in one transaction.
func (a group) register(c *gin.Context) {
	const wrongBody = "The body must be a JSON object with the strings name, email and password, and may have the string device " +
		"and the boolean remember"
	var name, email, password string
	session := newSession{remember: true}
	body := fields{"name": &name, "email": &email, "password": &password, "device": &session.device, "remember": &session.remember}
	if !bind(c, body, wrongBody) {
		return
	}
	u := user{ID: uuid.NewString(), Name: strings.TrimSpace(name), Email: models.Text(normalEmail(email)), Role: roleUser}
	if u.Email == a.adminEmail {
		u.Role = roleAdmin
	}
	switch {
	case a.validate.Var(u.Email, validEmail) != nil:
		fail(c, http.StatusBadRequest, wrongEmail)
		return
	case a.validate.Var(u.Name, "required,max=100") != nil || strings.ContainsFunc(u.Name, unicode.IsControl):
		fail(c, http.StatusBadRequest, wrongName)
		return
	case !goodPassword(password):
		fail(c, http.StatusBadRequest, weakPassword)
		return
	}
	ctx := c.Request.Context()
	var err error
	if u.PasswordHash, err = a.passwords.hash(ctx, password); err != nil {
		a.broken(c, err)
		return
	}
	var tokens plugin.Tokens
	err = a.transaction(ctx, func(ctx context.Context, tx *gorm.DB) (err error) {
		if err := tx.Create(&u).Error; err != nil {
			return err
		}
		tokens, err = a.auth.WithDB(tx).Issue(ctx, u.ID, session.deviceOf(c), session.options()...)
		return err
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		fail(c, http.StatusBadRequest, takenEmail)
		return
	}
	if err != nil {
		a.broken(c, err)
		return
	}
	a.answerTokens(c, http.StatusCreated, &u, tokens)
}

// show answers the caller's own user.
func (a *app) show(c *gin.Context) {
	u, err := findUser(a.dbOf(c.Request.Context()), "id = ?", middleware.Subject(c))
	if err == nil && u == nil {
		err = plugin.ErrRevoked
	}
	if err != nil {
		a.failCaller(c, err)
		return
	}
	c.JSON(http.StatusOK, u)
}

// changePassword stores the new password and logs out every other device.
func (a *app) changePassword(c *gin.Context) {
	var password string
	if !bind(c, fields{"password": &password}, weakPassword) {
		return
	}
	if !goodPassword(password) {
		fail(c, http.StatusBadRequest, weakPassword)
		return
	}
	hash, err := a.passwords.hash(c.Request.Context(), password)
	if err != nil {
		a.broken(c, err)
		return
	}
	var u *user
	err = a.asCaller(c, func(ctx context.Context, tx *gorm.DB, caller *user, sessionID string) error {
		u = caller
		if err := tx.Model(u).Update("password_hash", hash).Error; err != nil {
			return err
		}
		return a.auth.WithDB(tx).RevokeAll(ctx, u.ID, sessionID)
	})
	if err != nil {
		a.failCaller(c, err)
		return
	}
	c.JSON(http.StatusOK, u)
}

// remove deletes the user and ends all of their sessions.
func (a *app) remove(c *gin.Context) {
	err := a.asCaller(c, func(ctx context.Context, tx *gorm.DB, caller *user, _ string) error {
		if err := tx.Delete(caller).Error; err != nil {
			return err
		}
		return a.auth.WithDB(tx).RevokeAll(ctx, caller.ID)
	})
	if err != nil {
		a.failCaller(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// asCaller runs do in a transaction that locks the caller's row. It returns [plugin.ErrRevoked] if the caller's session has
// ended since RequireAuth checked it. A thief who has just been logged out must not change the password.
func (a *app) asCaller(c *gin.Context, do func(ctx context.Context, tx *gorm.DB, caller *user, sessionID string) error) error {
	claims, _ := middleware.Claims(c)
	return a.transaction(c.Request.Context(), func(ctx context.Context, tx *gorm.DB) error {
		caller, err := lockUser(tx, claims.Subject)
		if err != nil {
			return err
		}
		if caller == nil {
			return plugin.ErrRevoked
		}
		_, err = a.auth.WithDB(tx).Session(ctx, caller.ID, claims.SessionID)
		if errors.Is(err, plugin.ErrNotFound) {
			return plugin.ErrRevoked
		}
		if err != nil {
			return err
		}
		return do(ctx, tx, caller, claims.SessionID)
	})
}

// failCaller answers a failed request that RequireAuth had let through: 401 if the session or the user is gone, or else 500.
func (a *app) failCaller(c *gin.Context, err error) {
	if !errors.Is(err, plugin.ErrRevoked) {
		a.broken(c, err)
		return
	}
	c.Header("WWW-Authenticate", `Bearer error="invalid_token"`)
	fail(c, http.StatusUnauthorized, "Please Authenticate")
}
