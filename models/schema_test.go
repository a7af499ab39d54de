package models_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// script runs a file of statements on a database without our table.
func script(t *testing.T, db *gorm.DB, text string) {
	t.Helper()
	if err := db.Migrator().DropTable(&models.RefreshToken{}); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	for statement := range strings.SplitSeq(strings.Join(lines, ""), ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
}

// describe returns all that the database says of the table's columns and indexes.
func describe(t *testing.T, db *gorm.DB) string {
	t.Helper()
	queries := map[string][]string{
		// GORM's DDL leaves the primary key of a SQLite table nullable, which NOT NULL in a file is stricter than.
		"sqlite": {
			`SELECT name, type, "notnull" OR pk, dflt_value, pk FROM pragma_table_info('refresh_tokens')`,
			`SELECT l.name, l."unique", i.name FROM pragma_index_list('refresh_tokens') l, pragma_index_info(l.name) i ORDER BY 1, i.seqno`,
		},
		"postgres": {
			`SELECT attname, format_type(atttypid, atttypmod), attnotnull, (SELECT collname FROM pg_collation WHERE oid = attcollation), atthasdef
			 FROM pg_attribute WHERE attrelid = 'refresh_tokens'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
			`SELECT indexname, replace(indexdef, current_schema(), '') FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1`,
		},
		"mysql": {
			`SELECT column_name, column_type, is_nullable, collation_name, column_default FROM information_schema.columns
			 WHERE table_schema = database() ORDER BY ordinal_position`,
			`SELECT index_name, non_unique, column_name FROM information_schema.statistics WHERE table_schema = database() ORDER BY 1, seq_in_index`,
			`SELECT engine FROM information_schema.tables WHERE table_schema = database()`,
		},
	}
	var description strings.Builder
	for _, statement := range queries[db.Name()] {
		description.WriteString(testdb.Query(t, db, statement))
	}
	return description.String()
}

// TestSchemaIsWhatAutoMigrateMakes: whoever migrates by hand gets the same table, and AutoMigrate leaves it alone.
func TestSchemaIsWhatAutoMigrateMakes(t *testing.T) {
	for _, engine := range testdb.Engines() {
		t.Run(engine.Name, func(t *testing.T) {
			db := testdb.Open(t, engine.Open(t), &gorm.Config{})
			migrated := describe(t, db)
			if strings.Count(migrated, "\n") < 13 {
				t.Fatalf("hardly described:\n%s", migrated)
			}
			schema, err := models.Schema(engine.Name, "")
			if err != nil {
				t.Fatal(err)
			}
			script(t, db, schema)
			if written := describe(t, db); written != migrated {
				t.Errorf("AutoMigrate makes\n%s\nthe file\n%s", migrated, written)
			}
			wantNoDDL(t, db)
			if err := store.New(db, "").Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := models.Schema("oracle", ""); err == nil || !strings.Contains(err.Error(), `"oracle"`) {
		t.Errorf("an unknown dialect: %v", err)
	}
}

// TestOlderTablesMigrate: a session of every version since the first goes on after AutoMigrate.
func TestOlderTablesMigrate(t *testing.T) {
	for _, engine := range testdb.Engines() {
		t.Run(engine.Name, func(t *testing.T) {
			db := testdb.Open(t, engine.Open(t), &gorm.Config{})
			fixture, err := os.ReadFile("testdata/v1/" + engine.Name + ".sql")
			if err != nil {
				t.Fatal(err)
			}
			script(t, db, string(fixture))
			testdb.Migrate(t, db)
			host := testhost.New(t, db)
			const payload = `{"sub":"alice","sid":"019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f","iat":1767323045,"exp":1767927845,"auth_time":1767323045,"type":"refresh","gen":2}`
			host.WantRefresh(testhost.Sign(testhost.Header, payload, testhost.RefreshKey(t)), http.StatusOK)
		})
	}
}

// wantNoDDL fails the test if AutoMigrate finds anything to do.
func wantNoDDL(t *testing.T, db *gorm.DB) {
	t.Helper()
	recorder := testdb.NewRecorder()
	if err := db.Session(&gorm.Session{Logger: recorder}).AutoMigrate(models.All()...); err != nil {
		t.Fatal(err)
	}
	if len(recorder.Seen()) == 0 {
		t.Fatal("no statement was recorded")
	}
	for _, statement := range recorder.Seen() {
		for _, verb := range []string{"ALTER", "CREATE", "DROP"} {
			if strings.HasPrefix(statement, verb) {
				t.Errorf("it ran %s", statement)
			}
		}
	}
}

// TestAutoMigrateIsIdempotent: to migrate what is migrated changes nothing, on any dialect.
func TestAutoMigrateIsIdempotent(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		wantNoDDL(t, db)
	})
}
