// Package after is the app of package before, after it has moved here.
package after

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
)

// User is an account.
type User struct {
	ID           string `gorm:"primaryKey" json:"id"`
	Email        string `gorm:"uniqueIndex" json:"email"`
	Role         string `json:"role"`
	PasswordHash string `json:"-"`
}

// Legacy tells whose an old refresh token is.
type Legacy func(ctx context.Context, token string) (subject string, err error)

// New returns the app.
func New(db *gorm.DB, key []byte, legacy Legacy) (*gin.Engine, error) {
	auth, err := refreshtokens.New(refreshtokens.Config{
		DB:     db,
		Secret: key,
		Claims: func(ctx context.Context, session refreshtokens.Session) (map[string]any, error) {
			var user User
			if err := db.WithContext(ctx).Limit(1).Find(&user, "id = ?", session.Subject).Error; err != nil {
				return nil, err
			}
			if user.ID == "" {
				return nil, refreshtokens.ErrSubjectRefused // deleted
			}
			return map[string]any{"id": user.ID, "role": user.Role}, nil
		},
		Legacy: legacy,
	})
	if err != nil {
		return nil, err
	}

	router := gin.New()
	auth.Register(router) // POST /auth/refresh-tokens, POST /auth/logout, …
	router.POST("/login", func(c *gin.Context) { login(c, db, auth) })
	oldClients(router, auth)
	oldCookies(router, auth)
	api := router.Group("/api", auth.RequireAuth())
	api.GET("/me", func(c *gin.Context) {
		var user User
		if err := db.Take(&user, "id = ?", refreshtokens.Subject(c)).Error; err != nil {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		c.JSON(http.StatusOK, user)
	})
	api.GET("/admin", auth.RequireAuth(middleware.Allow(isAdmin)), func(c *gin.Context) { c.Status(http.StatusNoContent) })
	return router, nil
}

func isAdmin(claims refreshtokens.Claims) bool {
	var custom struct{ Role string }
	return claims.Decode(&custom) == nil && custom.Role == "admin"
}

func login(c *gin.Context, db *gorm.DB, auth *refreshtokens.Plugin) {
	var login struct {
		Email    string `json:"email" binding:"required"`
		Password string `json:"password" binding:"required"`
	}
	var user User
	if c.ShouldBindJSON(&login) != nil || db.Take(&user, "email = ?", login.Email).Error != nil ||
		bcrypt.CompareHashAndPassword([]byte(user.PasswordHash), []byte(login.Password)) != nil {
		c.AbortWithStatus(http.StatusUnauthorized)
		return
	}
	tokens, err := auth.Issue(c.Request.Context(), user.ID, refreshtokens.DeviceOf(c))
	if err != nil {
		c.AbortWithStatus(http.StatusInternalServerError)
		return
	}
	c.JSON(http.StatusOK, tokens)
}
