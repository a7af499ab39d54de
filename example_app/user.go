package main

import (
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// user is a row of the host's own table. Clients see the fields that have a JSON name. Email is a models.Text, which is compared
// byte by byte, so that no collation takes two addresses for one.
type user struct {
	ID              string      `json:"id" gorm:"primaryKey;size:36"`
	Name            string      `json:"name" gorm:"size:100;not null"`
	Email           models.Text `json:"email" gorm:"size:255;not null;uniqueIndex"`
	Role            string      `json:"role" gorm:"size:20;not null"`
	IsEmailVerified bool        `json:"isEmailVerified" gorm:"not null"`
	PasswordHash    string      `json:"-" gorm:"size:255;not null"`
	Banned          bool        `json:"-" gorm:"not null;default:false"` // may neither log in nor refresh
}

// The roles.
const (
	roleUser  = "user"
	roleAdmin = "admin"
)

// isAdmin is false for a nil user and for a banned one.
func (u *user) isAdmin() bool {
	return u != nil && u.Role == roleAdmin && !u.Banned
}

// findUser returns the user that the condition finds, or nil if there is none.
func findUser(db *gorm.DB, condition string, value string) (*user, error) {
	var users []user
	if err := db.Where(condition, value).Limit(1).Find(&users).Error; err != nil || len(users) == 0 {
		return nil, err
	}
	return &users[0], nil
}

// lockUser returns the user with that id, or nil. It locks the row against other transactions until tx ends. On SQLite, tx has
// locked the whole database already: see sqliteDSN.
func lockUser(tx *gorm.DB, id string) (*user, error) {
	return findUser(tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}), "id = ?", id)
}

// normalEmail returns the form of an email address that is stored and compared.
func normalEmail(email string) string {
	return strings.ToLower(strings.TrimSpace(email))
}
