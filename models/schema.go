package models

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed schema/*.sql
var schemas embed.FS

// Schema returns what AutoMigrate of [All] creates, as plain SQL for goose, golang-migrate, Atlas or a person. dialect is
// the name of a GORM dialector: "sqlite", "postgres" or "mysql" (which is MariaDB too). table is the name in Config.Table;
// empty means refresh_tokens. The error is for an unknown dialect.
func Schema(dialect, table string) (string, error) {
	text, err := schemas.ReadFile("schema/" + dialect + ".sql")
	if err != nil {
		return "", fmt.Errorf("models: there is no schema for dialect %q: use sqlite, postgres or mysql", dialect)
	}
	if table == "" {
		return string(text), nil
	}
	return strings.ReplaceAll(string(text), "refresh_tokens", table), nil
}
