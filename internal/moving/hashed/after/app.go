// Package after is the app of package before, after it has moved here.
package after

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
)

// User is an account.
type User struct {
	ID           uint
	Email        string `gorm:"uniqueIndex"`
	PasswordHash string
}

// New returns the app. It takes no old token from the instant until on.
func New(db *gorm.DB, secret []byte, until time.Time) (*gin.Engine, error) {
	auth, err := refreshtokens.New(refreshtokens.Config{
		DB:     db,
		Table:  Table, // refresh_tokens is the old one
		Secret: secret,
		Claims: func(ctx context.Context, session refreshtokens.Session) (map[string]any, error) {
			var users int64
			err := db.WithContext(ctx).Model(&User{}).Where("id = ?", session.Subject).Count(&users).Error
			if err == nil && users == 0 {
				err = refreshtokens.ErrSubjectRefused // deleted
			}
			return nil, err
		},
		Legacy: Legacy(db, until),
	})
	if err != nil {
		return nil, err
	}
	router := gin.New()
	auth.Register(router) // POST /auth/refresh-tokens, POST /auth/logout, …
	router.GET("/me", auth.RequireAuth(), func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"id": refreshtokens.Subject(c)}) })
	router.POST("/auth/login", func(c *gin.Context) {
		var body struct{ Email, Password string }
		var user User
		if c.ShouldBindJSON(&body) != nil || db.Take(&user, "email = ?", body.Email).Error != nil ||
			bcrypt.CompareHashAndPassword([]byte(user.PasswordHash), []byte(body.Password)) != nil {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		tokens, err := auth.Issue(c.Request.Context(), strconv.FormatUint(uint64(user.ID), 10), refreshtokens.DeviceOf(c))
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.JSON(http.StatusOK, tokens)
	})
	return router, nil
}
