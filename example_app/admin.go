package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// maxUsersListed keeps one answer small.
const maxUsersListed = 200

// listUsers answers the users in the order of their emails. The query after=EMAIL goes on behind the last one.
func (a *app) listUsers(c *gin.Context) {
	after := normalEmail(c.Query("after"))
	if after != "" && a.validate.Var(after, validEmail) != nil {
		fail(c, http.StatusBadRequest, "after must be an email address")
		return
	}
	users := []user{}
	err := a.dbOf(c.Request.Context()).Where("email > ?", after).Order("email").Limit(maxUsersListed).Find(&users).Error
	if err != nil {
		a.broken(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"users": users})
}

// ban keeps a user out, from now on. A login under way either ends here or finds the user banned, because both lock the
// user's row.
func (a *app) ban(c *gin.Context) {
	ok := a.withUser(c, func(ctx context.Context, tx *gorm.DB, u *user) error {
		if err := tx.Model(u).Update("banned", true).Error; err != nil {
			return err
		}
		return a.auth.WithDB(tx).RevokeAll(ctx, u.ID)
	})
	if ok {
		c.Status(http.StatusNoContent)
	}
}

// impersonationTTL is how long an admin may act for a user without asking again.
const impersonationTTL = time.Hour

// impersonate starts a session of the user's for the admin. The user sees it in the list of sessions. Claims refuses it where
// the user is an admin.
func (a group) impersonate(c *gin.Context) {
	adminID := middleware.Subject(c)
	device := refreshtokens.DeviceOf(c)
	device.Name = "Administrator"
	var impersonated *user
	var tokens plugin.Tokens
	ok := a.withUser(c, func(ctx context.Context, tx *gorm.DB, u *user) (err error) {
		impersonated = u
		tokens, err = a.auth.WithDB(tx).Issue(ctx, u.ID, device,
			plugin.WithSessionTTL(impersonationTTL), plugin.WithData(actedBy(adminID)))
		return err
	})
	if !ok {
		return
	}
	a.logger.InfoContext(c.Request.Context(), "impersonation", "admin", adminID, "user", impersonated.ID, "session", tokens.SessionID)
	a.answerTokens(c, http.StatusOK, impersonated, tokens)
}

// withUser runs do in a transaction that locks the row of the user in the path, and reports whether that went well. If not, it
// has answered: 404 where there is no such user, and 403 where the user is refused.
func (a *app) withUser(c *gin.Context, do func(ctx context.Context, tx *gorm.DB, u *user) error) bool {
	id := c.Param("id")
	if uuid.Validate(id) != nil { // no database needs to see strange bytes
		fail(c, http.StatusNotFound, "Not found")
		return false
	}
	err := a.transaction(c.Request.Context(), func(ctx context.Context, tx *gorm.DB) error {
		u, err := lockUser(tx, id)
		if err != nil {
			return err
		}
		if u == nil {
			return gorm.ErrRecordNotFound
		}
		return do(ctx, tx, u)
	})
	switch {
	case err == nil:
		return true
	case errors.Is(err, gorm.ErrRecordNotFound):
		fail(c, http.StatusNotFound, "Not found")
	case errors.Is(err, plugin.ErrSubjectRefused):
		fail(c, http.StatusForbidden, "Forbidden")
	default:
		a.broken(c, err)
	}
	return false
}
