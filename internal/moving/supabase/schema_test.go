package supabase_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// schema has the columns, types and keys of Supabase Auth's tables that matter to a session.
const schema = `
CREATE SCHEMA auth;
CREATE TYPE auth.aal_level AS ENUM ('aal1', 'aal2', 'aal3');
CREATE TABLE auth.users (
	id uuid PRIMARY KEY,
	email varchar(255),
	encrypted_password varchar(255),
	banned_until timestamptz,
	deleted_at timestamptz
);
CREATE TABLE auth.sessions (
	id uuid PRIMARY KEY,
	user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
	created_at timestamptz,
	updated_at timestamptz,
	factor_id uuid,
	aal auth.aal_level,
	not_after timestamptz,
	refreshed_at timestamp,
	user_agent text,
	ip inet,
	tag text,
	oauth_client_id uuid,
	refresh_token_hmac_key text,
	refresh_token_counter bigint,
	scopes text
);
CREATE TABLE auth.refresh_tokens (
	instance_id uuid,
	id bigserial PRIMARY KEY,
	token varchar(255) CONSTRAINT refresh_tokens_token_unique UNIQUE,
	user_id varchar(255),
	revoked boolean,
	created_at timestamptz,
	updated_at timestamptz,
	parent varchar(255),
	session_id uuid REFERENCES auth.sessions (id) ON DELETE CASCADE
);`

// newDatabase returns a database of its own with Supabase's tables: their schema has a fixed name.
func newDatabase(t *testing.T) *gorm.DB {
	t.Helper()
	dsn := os.Getenv(testdb.PostgresDSN)
	if dsn == "" {
		t.Skipf("%s is not set", testdb.PostgresDSN)
	}
	admin := open(t, dsn)
	name := "moving_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := admin.Exec("CREATE DATABASE " + name).Error; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)").Error; err != nil {
			t.Error(err)
		}
	})
	before, _, _ := strings.Cut(dsn, "?")
	_, query, _ := strings.Cut(dsn, "?")
	db := open(t, before[:strings.LastIndex(before, "/")+1]+name+"?"+query)
	if err := db.Exec(schema).Error; err != nil {
		t.Fatal(err)
	}
	return db
}

func open(t *testing.T, dsn string) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return db
}
