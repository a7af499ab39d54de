package models

import (
	"embed"
	"fmt"
)

//go:embed schema/*.sql
var schemas embed.FS

// Schema returns what AutoMigrate of [All] creates, as plain SQL for goose, golang-migrate, Atlas or a person, with GORM's
// default names. dialect is the name of a GORM dialector: "sqlite", "postgres" or "mysql" (which is MariaDB too).
func Schema(dialect string) (string, error) {
	text, err := schemas.ReadFile("schema/" + dialect + ".sql")
	if err != nil {
		return "", fmt.Errorf("models: there is no schema for dialect %q: use sqlite, postgres or mysql", dialect)
	}
	return string(text), nil
}
