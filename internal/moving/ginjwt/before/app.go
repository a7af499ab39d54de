// Package before is an app that uses gin-jwt.
package before

import (
	"net/http"
	"time"

	ginjwt "github.com/appleboy/gin-jwt/v3"
	"github.com/appleboy/gin-jwt/v3/core"
	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"
)

// User is an account.
type User struct {
	ID           string `gorm:"primaryKey" json:"id"`
	Email        string `gorm:"uniqueIndex" json:"email"`
	Role         string `json:"role"`
	PasswordHash string `json:"-"`
}

// New returns the app. Without a store, gin-jwt keeps refresh tokens in memory.
func New(db *gorm.DB, key []byte, store core.TokenStore) (*gin.Engine, error) {
	auth, err := ginjwt.New(&ginjwt.GinJWTMiddleware{
		Realm:               "shop",
		Key:                 key,
		Timeout:             15 * time.Minute,
		RefreshTokenTimeout: 30 * 24 * time.Hour,
		RefreshTokenStore:   store,
		IdentityKey:         "id",
		SendCookie:          true,
		SecureCookie:        true,
		CookieHTTPOnly:      true,
		CookieSameSite:      http.SameSiteStrictMode,
		Authenticator:       func(c *gin.Context) (any, error) { return authenticate(c, db) },
		PayloadFunc:         payload,
	})
	if err != nil {
		return nil, err
	}

	router := gin.New()
	router.POST("/login", auth.LoginHandler)
	router.POST("/refresh", auth.RefreshHandler)
	router.POST("/logout", auth.LogoutHandler)
	api := router.Group("/api", auth.MiddlewareFunc())
	api.GET("/me", func(c *gin.Context) {
		var user User
		if err := db.Take(&user, "id = ?", c.GetString("id")).Error; err != nil {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		c.JSON(http.StatusOK, user)
	})
	api.GET("/admin", func(c *gin.Context) {
		if ginjwt.ExtractClaims(c)["role"] != "admin" {
			c.AbortWithStatus(http.StatusForbidden)
			return
		}
		c.Status(http.StatusNoContent)
	})
	return router, nil
}

func authenticate(c *gin.Context, db *gorm.DB) (any, error) {
	var login struct {
		Email    string `json:"email" binding:"required"`
		Password string `json:"password" binding:"required"`
	}
	if err := c.ShouldBindJSON(&login); err != nil {
		return nil, ginjwt.ErrMissingLoginValues
	}
	var user User
	err := db.Take(&user, "email = ?", login.Email).Error
	if err != nil || bcrypt.CompareHashAndPassword([]byte(user.PasswordHash), []byte(login.Password)) != nil {
		return nil, ginjwt.ErrFailedAuthentication
	}
	return &user, nil
}

// payload gets what authenticate returned: the user after a login, and what Redis made of it after a refresh.
func payload(data any) jwt.MapClaims {
	switch user := data.(type) {
	case *User:
		return jwt.MapClaims{"id": user.ID, "role": user.Role}
	case map[string]any:
		return jwt.MapClaims{"id": user["id"], "role": user["role"]}
	default:
		return nil
	}
}
