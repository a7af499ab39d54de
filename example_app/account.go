package main

import (
	"errors"
	"net/http"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	weakPassword  = "password must have 8 characters or more, with a letter and a digit"
	wrongEmail    = "email must be an email address"
	wrongName     = "name must have 1 to 100 characters"
	takenEmail    = "Email already taken"
	wrongLogin    = "Incorrect email or password"
	tooManyLogins = "Too many log-ins, try again in a minute"

	validEmail = "required,max=255,email"
)

func (a *app) register(c *gin.Context) {
	var name, email, password string
	if !bind(c, fields{"name": &name, "email": &email, "password": &password}, "The body must be a JSON object with the strings name, email and password") {
		return
	}
	u := user{ID: uuid.NewString(), Name: strings.TrimSpace(name), Email: models.Text(normalEmail(email)), Role: "user"}
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
	var err error
	if u.PasswordHash, err = a.passwords.hash(c.Request.Context(), password); err != nil {
		a.broken(c, err)
		return
	}
	err = a.db.WithContext(c.Request.Context()).Create(&u).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		fail(c, http.StatusBadRequest, takenEmail)
		return
	}
	if err != nil {
		a.broken(c, err)
		return
	}
	a.answerTokens(c, http.StatusCreated, &u)
}

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
	u, err := findUser(a.db.WithContext(c.Request.Context()), "email = ?", email)
	if err != nil {
		a.broken(c, err)
		return
	}
	match, err := a.passwords.matches(c.Request.Context(), u, password)
	if err != nil {
		a.broken(c, err)
		return
	}
	if !match {
		failLogin(c)
		return
	}
	a.answerTokens(c, http.StatusOK, u)
}

func failLogin(c *gin.Context) {
	c.Header("WWW-Authenticate", "Bearer")
	fail(c, http.StatusUnauthorized, wrongLogin)
}

// answerTokens logs the user in.
func (a *app) answerTokens(c *gin.Context, status int, u *user) {
	tokens, err := a.auth.Issue(c.Request.Context(), u.ID, refreshtokens.DeviceOf(c))
	if errors.Is(err, plugin.ErrSubjectRefused) { // deleted a moment ago
		failLogin(c)
		return
	}
	if err != nil {
		a.broken(c, err)
		return
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(status, struct {
		User   *user         `json:"user"`
		Tokens plugin.Tokens `json:"tokens"`
	}{u, tokens})
}

// me returns the caller, or answers for the caller that is no more.
func (a *app) me(c *gin.Context) *user {
	u, err := findUser(a.db.WithContext(c.Request.Context()), "id = ?", middleware.Subject(c))
	if err != nil {
		a.broken(c, err)
		return nil
	}
	if u == nil {
		c.Header("WWW-Authenticate", `Bearer error="invalid_token"`)
		fail(c, http.StatusUnauthorized, "Please Authenticate")
	}
	return u
}

func (a *app) show(c *gin.Context) {
	if u := a.me(c); u != nil {
		c.JSON(http.StatusOK, u)
	}
}

// changePassword also logs out every other device, in the same transaction.
func (a *app) changePassword(c *gin.Context) {
	var password string
	if !bind(c, fields{"password": &password}, weakPassword) {
		return
	}
	if !goodPassword(password) {
		fail(c, http.StatusBadRequest, weakPassword)
		return
	}
	u := a.me(c)
	if u == nil {
		return
	}
	hash, err := a.passwords.hash(c.Request.Context(), password)
	if err != nil {
		a.broken(c, err)
		return
	}
	claims, _ := middleware.Claims(c)
	ctx := c.Request.Context()
	err = a.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Model(u).Update("password_hash", hash).Error; err != nil {
			return err
		}
		return a.auth.WithDB(tx).RevokeAll(ctx, u.ID, claims.SessionID)
	})
	if err != nil {
		a.broken(c, err)
		return
	}
	c.JSON(http.StatusOK, u)
}

// remove deletes the user and ends all of their logins.
func (a *app) remove(c *gin.Context) {
	ctx := c.Request.Context()
	subject := middleware.Subject(c)
	err := a.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Where("id = ?", subject).Delete(&user{}).Error; err != nil {
			return err
		}
		return a.auth.WithDB(tx).RevokeAll(ctx, subject)
	})
	if err != nil {
		a.broken(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}
