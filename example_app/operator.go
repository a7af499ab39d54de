package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// asOperator opens the app's database for a command, runs do, and closes the database.
func asOperator(
	settings config, logger *slog.Logger, onEvent func(context.Context, plugin.Event),
	do func(db *gorm.DB, admin *plugin.Admin) error,
) error {
	db, err := openDatabase(settings.DatabaseURL, logger)
	if err != nil {
		return err
	}
	defer closeDatabase(db, logger)
	admin, err := plugin.NewAdmin(plugin.AdminConfig{DB: db, SessionTTL: settings.SessionTTL, OnEvent: onEvent})
	if err != nil {
		return err
	}
	return do(db, admin)
}

// subjectNamed returns the id of the user with an email. Anything else is an id: sessions may outlive their user.
func subjectNamed(db *gorm.DB, emailOrID string) (string, error) {
	if !strings.Contains(emailOrID, "@") {
		return emailOrID, nil
	}
	u, err := findUser(db, "email = ?", normalEmail(emailOrID))
	if err != nil {
		return "", err
	}
	if u == nil {
		return "", fmt.Errorf("no user has the email %s", emailOrID)
	}
	return u.ID, nil
}
