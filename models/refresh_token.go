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

// Sizes of the text columns, in bytes.
const (
	SubjectSize   = 255
	UserAgentSize = 255
	IPSize        = 45 // the longest text form of an IPv6 address (RFC 4291 §2.2)
	DataSize      = 1536
)

// RefreshToken is a login and its one live refresh token, which is derived from the row and the host's secret.
//
// Instants are Unix seconds: they mean the same on every dialect and in every time zone, compare as numbers, and survive
// a round trip exactly, which the derivation needs.
//
// No index contains a column that a refresh changes, so PostgreSQL updates in place (HOT), wherever the page has room for
// one more version, and InnoDB touches no secondary index.
type RefreshToken struct {
	// ID is the session's id, a UUIDv7 (RFC 9562 §5.7) in its canonical text form.
	ID Text `gorm:"column:id;primaryKey;size:36"`
	// Subject is the host's user id.
	Subject Text `gorm:"column:subject;size:255;not null;index:,composite:subject,priority:1"`
	// Generation is the generation of the one live refresh token; the first is 1.
	Generation int64 `gorm:"column:generation;not null"`
	// IssuedAt is when that generation was minted, which is when the session was last used.
	IssuedAt int64 `gorm:"column:issued_at;not null"`
	// ExpiresAt is when that generation idles out.
	ExpiresAt int64 `gorm:"column:expires_at;not null"`
	// CreatedAt is when the user authenticated (OIDC's auth_time).
	CreatedAt int64 `gorm:"column:created_at;not null;index;index:,composite:subject,priority:2;autoCreateTime:false"`
	// RevokedAt is when the session ended before its time; 0 where it has not.
	RevokedAt int64 `gorm:"column:revoked_at;not null"`
	// RevokedFor is why; empty where RevokedAt is 0.
	RevokedFor Reason `gorm:"column:revoked_for;size:16;not null"`
	// UserAgent and IP are of the last use; empty where unknown.
	UserAgent Text `gorm:"column:user_agent;size:255;not null"`
	IP        Text `gorm:"column:ip;size:45;not null"`
	// IdleLimit and AbsoluteLimit are this session's own lifetimes, in seconds, where the host made them shorter than the
	// configured ones; 0 where not.
	IdleLimit     int64 `gorm:"column:idle_limit;not null;default:0"`
	AbsoluteLimit int64 `gorm:"column:absolute_limit;not null;default:0"`
	// Data is the device's name and what the host gave at login, as JSON; empty where there is neither.
	Data Text `gorm:"column:data;size:1536;not null;default:''"`
}

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

// GormDBDataType makes it a column of type [Text].
func (Reason) GormDBDataType(db *gorm.DB, field *schema.Field) string {
	return Text("").GormDBDataType(db, field)
}

// Text is a string that compares byte by byte on every dialect: no case folding, no ignored trailing spaces, no
// dependence on the database's collation, nor, on MySQL, on its character set. A PostgreSQL database has to be in UTF8.
type Text string

// GormDBDataType picks the column type; it is part of GORM's schema.GormDataTypeInterface.
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
