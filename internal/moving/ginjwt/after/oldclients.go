package after

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// oldClients adds the routes that clients of gin-jwt know, for apps on phones that were not updated yet.
func oldClients(router gin.IRouter, auth *refreshtokens.Plugin) {
	type request struct {
		RefreshToken string `json:"refresh_token" form:"refresh_token" binding:"required"`
	}
	router.POST("/refresh", func(c *gin.Context) {
		var old request
		if c.ShouldBind(&old) != nil {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		tokens, err := auth.Refresh(c.Request.Context(), old.RefreshToken, refreshtokens.DeviceOf(c))
		if err != nil {
			c.AbortWithStatus(statusOf(err))
			return
		}
		c.Header("Cache-Control", "no-store")
		c.JSON(http.StatusOK, gin.H{
			"access_token":  tokens.Access.Token,
			"token_type":    "Bearer",
			"expires_in":    int(time.Until(tokens.Access.Expires.Time).Seconds()),
			"refresh_token": tokens.Refresh.Token,
		})
	})
	router.POST("/logout", func(c *gin.Context) {
		var old request
		if c.ShouldBind(&old) == nil {
			if err := auth.Revoke(c.Request.Context(), old.RefreshToken); err != nil && !errors.Is(err, plugin.ErrNotFound) {
				c.AbortWithStatus(http.StatusInternalServerError)
				return
			}
		}
		c.JSON(http.StatusOK, gin.H{"code": http.StatusOK})
	})
}

// statusOf returns 401 if the token was refused. With anything else the token is still good, and the client may try again.
func statusOf(err error) int {
	refused := []error{plugin.ErrInvalidToken, plugin.ErrExpired, plugin.ErrRevoked, plugin.ErrReused, plugin.ErrSubjectRefused}
	if slices.ContainsFunc(refused, func(refusal error) bool { return errors.Is(err, refusal) }) {
		return http.StatusUnauthorized
	}
	return http.StatusInternalServerError
}
