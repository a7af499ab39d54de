// Package before is an app with a table of hashed refresh tokens of its own.
package before

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"
)

// User is an account.
type User struct {
	ID           uint
	Email        string `gorm:"uniqueIndex"`
	PasswordHash string
}

// RefreshToken is a row of refresh_tokens.
type RefreshToken struct {
	ID        uint
	UserID    uint   `gorm:"index;not null"`
	TokenHash string `gorm:"uniqueIndex;size:64;not null"`
	ExpiresAt time.Time
	RevokedAt *time.Time
	CreatedAt time.Time
}

// App is the app.
type App struct {
	DB  *gorm.DB
	Key []byte
}

type request struct {
	Email        string `json:"email"`
	Password     string `json:"password"`
	RefreshToken string `json:"refreshToken"`
}

// Router returns its routes.
func (a App) Router() *gin.Engine {
	router := gin.New()
	router.POST("/auth/login", a.login)
	router.POST("/auth/refresh", a.refresh)
	router.POST("/auth/logout", a.logout)
	router.GET("/me", a.requireAuth, func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"id": c.GetString("user")}) })
	return router
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (a App) login(c *gin.Context) {
	var body request
	var user User
	if c.ShouldBindJSON(&body) != nil || a.DB.Take(&user, "email = ?", body.Email).Error != nil ||
		bcrypt.CompareHashAndPassword([]byte(user.PasswordHash), []byte(body.Password)) != nil {
		c.AbortWithStatus(http.StatusUnauthorized)
		return
	}
	a.answer(c, a.DB, user.ID)
}

func (a App) refresh(c *gin.Context) {
	var body request
	if c.ShouldBindJSON(&body) != nil {
		c.AbortWithStatus(http.StatusBadRequest)
		return
	}
	err := a.DB.Transaction(func(tx *gorm.DB) error {
		var old RefreshToken
		if err := tx.Take(&old, "token_hash = ? AND revoked_at IS NULL AND expires_at > ?", hash(body.RefreshToken), time.Now()).Error; err != nil {
			return err
		}
		spent := tx.Model(&old).Where("revoked_at IS NULL").Update("revoked_at", time.Now())
		if spent.Error != nil {
			return spent.Error
		}
		if spent.RowsAffected == 0 {
			return gorm.ErrRecordNotFound // a tab was faster, and this one is logged out
		}
		a.answer(c, tx, old.UserID)
		return nil
	})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		c.AbortWithStatus(http.StatusUnauthorized)
	} else if err != nil {
		c.AbortWithStatus(http.StatusInternalServerError)
	}
}

func (a App) logout(c *gin.Context) {
	var body request
	if c.ShouldBindJSON(&body) != nil {
		c.AbortWithStatus(http.StatusBadRequest)
		return
	}
	a.DB.Model(&RefreshToken{}).Where("token_hash = ?", hash(body.RefreshToken)).Update("revoked_at", time.Now())
	c.Status(http.StatusNoContent)
}

func (a App) answer(c *gin.Context, db *gorm.DB, userID uint) {
	now, token := time.Now(), rand.Text()
	access, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"user": userID, "exp": now.Add(15 * time.Minute).Unix(),
	}).SignedString(a.Key)
	if err == nil {
		err = db.Create(&RefreshToken{UserID: userID, TokenHash: hash(token), ExpiresAt: now.Add(30 * 24 * time.Hour)}).Error
	}
	if err != nil {
		c.AbortWithStatus(http.StatusInternalServerError)
		return
	}
	c.JSON(http.StatusOK, gin.H{"accessToken": access, "refreshToken": token})
}
