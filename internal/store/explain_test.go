package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// What each dialect calls an explanation, and a primary key in one.
var (
	explain    = map[string]string{"sqlite": "EXPLAIN QUERY PLAN ", "postgres": "EXPLAIN ", "mysql": "EXPLAIN "}
	primaryKey = map[string]string{"sqlite": "sqlite_autoindex_refresh_tokens_1", "postgres": "refresh_tokens_pkey", "mysql": "key=PRIMARY"}
)

// TestIndexesAreUsed runs every statement on a table of some size and asks the database how it would run it again.
func TestIndexesAreUsed(t *testing.T) {
	const size = 20_000
	for _, engine := range testdb.Engines() {
		t.Run(engine.Name, func(t *testing.T) {
			db := testdb.Open(t, engine.Open(t), &gorm.Config{})
			newcomer := fill(t, db, 300, 1)
			wantPrimary(t, db, engine.Name, newcomer) // while the database knows nothing of the table
			id := fill(t, db, size, size/3)
			analyze := map[string]string{"sqlite": "ANALYZE", "postgres": "ANALYZE refresh_tokens", "mysql": "ANALYZE TABLE refresh_tokens"}
			if err := db.Exec(analyze[engine.Name]).Error; err != nil {
				t.Fatal(err)
			}
			recorder, rows := record(db)
			ctx := t.Context()
			primary, subject, created := primaryKey[engine.Name], "idx_refresh_tokens_subject", "idx_refresh_tokens_created_at"
			for _, row := range []struct {
				name  string
				run   func() error
				index string
			}{
				{"rotate", func() error {
					_, err := rows.Rotate(ctx, &models.RefreshToken{ID: id, Subject: "subject 0", Generation: 9}, true)
					return err
				}, primary},
				{"find", func() error { _, err := rows.Find(ctx, id, store.Whole); return err }, primary},
				{"revoke", func() error { _, err := rows.Revoke(ctx, id, "subject 0", 1, models.ReasonLogout); return err }, primary},
				{"revoke reused", func() error { _, err := rows.RevokeReused(ctx, id, "subject 0", 1, "", 1); return err }, primary},
				{"revoke all", func() error {
					_, _, err := rows.RevokeAll(ctx, "subject 1", []models.Text{id}, 1, models.ReasonRevoked)
					return err
				}, subject},
				{"list", func() error { _, err := rows.ListLive(ctx, "subject 1", 1, 1, 200); return err }, subject},
				{"list others", func() error { _, err := rows.ListOthers(ctx, id, "subject 1", 1, 1, 4, 100); return err }, subject},
				{"forget", func() error { _, err := rows.Forget(ctx, "subject 2"); return err }, subject},
				{"purge", func() error { _, _, err := rows.PurgeBatch(ctx, size/100, 10); return err }, created},
			} {
				recorder.Reset()
				if err := row.run(); err != nil {
					t.Fatal(err)
				}
				for _, statement := range recorder.Seen() {
					plan := testdb.Query(t, db, explain[engine.Name]+statement)
					uses := strings.Contains(plan, row.index)
					if row.name == "purge" && strings.HasPrefix(statement, "DELETE") { // of a few rows, by either index
						uses = strings.Contains(plan, primary) || strings.Contains(plan, created)
					}
					if !uses || strings.Contains(plan, "Seq Scan") {
						t.Errorf("%s: %s\ndoes not use %s:\n%s", row.name, statement, row.index, plan)
					}
				}
			}
		})
	}
}

// wantPrimary fails the test unless a refresh goes by the primary key.
func wantPrimary(t *testing.T, db *gorm.DB, dialect string, id models.Text) {
	t.Helper()
	recorder, rows := record(db)
	if _, err := rows.Rotate(t.Context(), &models.RefreshToken{ID: id, Subject: "subject 0", Generation: 9}, true); err != nil {
		t.Fatal(err)
	}
	if plan := testdb.Query(t, db, explain[dialect]+recorder.Seen()[0]); !strings.Contains(plan, primaryKey[dialect]) {
		t.Errorf("without statistics, %s\ngoes by\n%s", recorder.Seen()[0], plan)
	}
}

// record returns a Store on db, and where the statements that it runs are written down.
func record(db *gorm.DB) (*testdb.Recorder, *store.Store) {
	recorder := testdb.NewRecorder()
	return recorder, store.New(db.Session(&gorm.Session{Logger: recorder}), "")
}

// fill makes n rows of so many subjects, created a second apart, and returns the id of the first.
func fill(t *testing.T, db *gorm.DB, n, subjects int) models.Text {
	t.Helper()
	rows := make([]models.RefreshToken, n)
	for i := range rows {
		rows[i] = models.RefreshToken{
			ID: models.Text(uuid.NewString()), Subject: models.Text(fmt.Sprint("subject ", i%subjects)), Generation: 1,
			IssuedAt: int64(i), ExpiresAt: int64(i) + 100, CreatedAt: int64(i),
		}
	}
	if err := db.CreateInBatches(rows, 1000).Error; err != nil {
		t.Fatal(err)
	}
	return rows[0].ID
}

// TestRefreshesAreHOT: PostgreSQL rotates a row in place and touches no index, as long as its page has room.
func TestRefreshesAreHOT(t *testing.T) {
	db := testdb.Open(t, testdb.Postgres(t), &gorm.Config{})
	err := db.Transaction(func(tx *gorm.DB) error {
		rows := store.New(tx, "")
		next := row(idA, "alice")
		create(t, rows, next)
		const refreshes = 20
		for range refreshes {
			next.Generation++
			next.IssuedAt++
			next.ExpiresAt++
			next.UserAgent, next.IP = models.Text(fmt.Sprint("agent ", next.Generation)), models.Text(fmt.Sprint("192.0.2.", next.Generation))
			if rotated, err := rows.Rotate(t.Context(), next, true); !rotated || err != nil {
				t.Fatal(rotated, err)
			}
		}
		var inPlace int
		err := tx.Raw("SELECT pg_stat_get_xact_tuples_hot_updated('refresh_tokens'::regclass)").Scan(&inPlace).Error
		if inPlace != refreshes {
			t.Errorf("%d of %d in place", inPlace, refreshes)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
