// Package models holds the one table of refreshtokens, for the host to migrate:
//
//	err := db.AutoMigrate(models.All()...)
//
// A row is a login, which the module calls a session (OIDC's sid). It is no token: a refresh rotates the row's generation in
// place, so the table grows with logins and never with refreshes. No column holds a token, a hash of one, or a key.
package models

import (
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// RefreshToken is a session and its one live refresh token, which is derived from the row and the host's secret. Instants are
// Unix seconds: they mean the same on every dialect and in every time zone. No index contains a column that a refresh changes,
// so PostgreSQL updates in place (HOT) and InnoDB touches no secondary index.
type RefreshToken struct {
	ID         Text   `gorm:"column:id;primaryKey;size:36"` // UUIDv7 (RFC 9562 §5.7), or UUIDv8 after a take-over; the session's id
	Subject    Text   `gorm:"column:subject;size:255;not null;index:,composite:subject,priority:1"`
	Generation int64  `gorm:"column:generation;not null"` // of the one live refresh token; the first is 1
	IssuedAt   int64  `gorm:"column:issued_at;not null"`  // when that generation was minted
	ExpiresAt  int64  `gorm:"column:expires_at;not null"` // when that generation idles out
	CreatedAt  int64  `gorm:"column:created_at;not null;index;index:,composite:subject,priority:2;autoCreateTime:false"`
	RevokedAt  int64  `gorm:"column:revoked_at;not null"`          // when the session ended before its time, or 0
	RevokedFor Reason `gorm:"column:revoked_for;size:16;not null"` // why, or empty
	UserAgent  Text   `gorm:"column:user_agent;size:255;not null"` // of the last rotation, or empty
	IP         Text   `gorm:"column:ip;size:45;not null"`          // of the last rotation, or empty; 45 bytes hold any IPv6 address

	IdleLimit     int64 `gorm:"column:idle_limit;not null;default:0"`      // the session's own, in seconds, or 0
	AbsoluteLimit int64 `gorm:"column:absolute_limit;not null;default:0"`  // the session's own, in seconds, or 0
	Data          Text  `gorm:"column:data;size:1536;not null;default:''"` // what the login gave, as JSON, or empty

	// Binding is the public key that the session is bound to, as the cnf claim says it (RFC 7800 §3.1). "{}" says that the session has
	// to be bound before it is refreshed; empty is neither. A rotation may bind a session, and never changes its key.
	Binding Text `gorm:"column:binding;size:192;not null;default:''"`
}

// BindingPending is the Binding of a session that has to be bound before it is refreshed.
const BindingPending Text = "{}"

// Reason says why a session was revoked.
type Reason string

// The reasons in the revoked_for column.
const (
	ReasonLogout  Reason = "logout"  // its own refresh token asked for it
	ReasonRevoked Reason = "revoked" // the user or the host ended it
	ReasonReuse   Reason = "reuse"   // a spent refresh token came back outside the grace period (RFC 9700 §4.14.2)
	ReasonRefused Reason = "refused" // the host's Claims callback refused the session
	ReasonLimit   Reason = "limit"   // a newer login of the subject took its place
)

// GormDBDataType picks the column type for GORM.
func (Reason) GormDBDataType(db *gorm.DB, field *schema.Field) string {
	return Text("").GormDBDataType(db, field)
}

// Text is a string that compares byte by byte on every dialect, whatever the database's collation and, on MySQL, its character
// set are. A PostgreSQL database must be in UTF8.
type Text string

// GormDBDataType picks the column type for GORM.
func (Text) GormDBDataType(db *gorm.DB, field *schema.Field) string {
	switch db.Name() {
	case "mysql":
		return fmt.Sprintf("varbinary(%d)", field.Size)
	case "postgres":
		if field.PrimaryKey {
			return "uuid"
		}
		return fmt.Sprintf(`varchar(%d) COLLATE "C"`, field.Size)
	default:
		return "" // the dialect's own, which for SQLite is text with binary collation
	}
}

// All lists the models for the host's AutoMigrate.
func All() []any {
	return []any{&RefreshToken{}}
}
