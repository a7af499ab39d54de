package boilerplate

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/oldtokens"
)

// New returns an app with the boilerplate's routes for tokens. It takes no old token from the instant until on.
func New(db *gorm.DB, secret []byte, until time.Time) (*gin.Engine, error) {
	auth, err := refreshtokens.New(refreshtokens.Config{
		DB:     db,
		Secret: secret,
		Legacy: oldtokens.Legacy(db, until),
	})
	if err != nil {
		return nil, err
	}
	router := gin.New()
	v1 := router.Group("/v1")
	auth.Register(v1) // POST /v1/auth/refresh-tokens, POST /v1/auth/logout, …
	v1.GET("/users/me", auth.RequireAuth(), func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"id": refreshtokens.Subject(c)}) })
	return router, nil
}
