package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

const (
	idA = "019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0a"
	idB = "019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0b"
	idC = "019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0c"
)

func row(id models.Text, subject models.Text) *models.RefreshToken {
	return &models.RefreshToken{
		ID: id, Subject: subject, Generation: 3, IssuedAt: 100, ExpiresAt: 200, CreatedAt: 50, UserAgent: "ua", IP: "192.0.2.1",
	}
}

func create(t *testing.T, s *store.Store, rows ...*models.RefreshToken) {
	t.Helper()
	for _, r := range rows {
		if err := s.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func find(t *testing.T, rows *store.Store, id models.Text) *models.RefreshToken {
	t.Helper()
	found, err := rows.Find(t.Context(), id, store.Whole)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRoundTrip(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		want := row(idA, "Älice ' 🙂 ")
		want.IssuedAt, want.ExpiresAt, want.CreatedAt = 1<<40, 1<<40+1, 1
		want.RevokedAt, want.RevokedFor = 7, models.ReasonRefused
		create(t, rows, want)
		if got := find(t, rows, idA); *got != *want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got := find(t, rows, idB); got != nil {
			t.Errorf("found %+v", got)
		}
		if err := rows.Create(t.Context(), want); err == nil {
			t.Error("the same id twice")
		}
	})
}

func TestRotateConditions(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		ended := row(idB, "alice")
		ended.RevokedAt, ended.RevokedFor = 60, models.ReasonLogout
		create(t, rows, row(idA, "alice"), ended)
		for _, test := range []struct {
			name       string
			id         models.Text
			subject    models.Text
			generation int64
			want       bool
		}{
			{"another subject", idA, "bob", 4, false},
			{"the subject in another case", idA, "Alice", 4, false},
			{"the subject and a space", idA, "alice ", 4, false},
			{"no such row", idC, "alice", 4, false},
			{"revoked", idB, "alice", 4, false},
			{"the same generation", idA, "alice", 3, false},
			{"an earlier generation", idA, "alice", 2, false},
			{"the next generation", idA, "alice", 4, true},
			{"the next generation again", idA, "alice", 4, false},
			{"generations ahead", idA, "alice", 9, true},
		} {
			before := find(t, rows, test.id)
			next := &models.RefreshToken{
				ID: test.id, Subject: test.subject, Generation: test.generation, IssuedAt: 110, ExpiresAt: 210, CreatedAt: 999, UserAgent: "new", IP: "::1",
			}
			rotated, err := rows.Rotate(t.Context(), next, true)
			if err != nil || rotated != test.want {
				t.Errorf("%s: %v, %v", test.name, rotated, err)
			}
			want := next
			if rotated {
				want.CreatedAt = 50 // never changes
			} else {
				want = before
			}
			if got := find(t, rows, test.id); (got == nil) != (want == nil) || got != nil && *got != *want {
				t.Errorf("%s: the row is %+v, want %+v", test.name, got, want)
			}
		}
	})
}

// TestCallbacksCount: what a callback of the host's does to an UPDATE of GORM's own making, it does to a refresh.
func TestCallbacksCount(t *testing.T) {
	for name, test := range map[string]struct {
		callback func(db *gorm.DB)
		rotated  bool
		ip       models.Text
	}{
		"sets a value": {func(db *gorm.DB) { db.Statement.SetColumn("ip", "masked") }, true, "masked"},
		"adds a condition": {func(db *gorm.DB) {
			db.Statement.AddClause(clause.Where{Exprs: []clause.Expression{clause.Eq{Column: "ip", Value: "x"}}})
		}, false, "192.0.2.1"},
		"wants one": {func(db *gorm.DB) {
			if _, ok := db.Statement.Clauses["WHERE"]; !ok {
				_ = db.AddError(gorm.ErrMissingWhereClause)
			}
		}, true, "192.0.2.2"},
		"asks for the row back": {func(db *gorm.DB) {
			if db.Name() != "mysql" { // which has no such thing
				db.Statement.AddClause(clause.Returning{})
			}
		}, true, "192.0.2.2"},
	} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				rows := store.New(db, "")
				create(t, rows, row(idA, "alice"))
				if err := db.Callback().Update().Before("gorm:update").Register("test:callback", test.callback); err != nil {
					t.Fatal(err)
				}
				next := row(idA, "alice")
				next.Generation, next.IP = 4, "192.0.2.2"
				rotated, err := rows.Rotate(t.Context(), next, true)
				if rotated != test.rotated || err != nil {
					t.Errorf("rotated: %v, %v", rotated, err)
				}
				if got := find(t, rows, idA).IP; got != test.ip {
					t.Errorf("the IP is %q, want %q", got, test.ip)
				}
			})
		})
	}
}

func TestRevoke(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		bound := row(idB, "alice")
		bound.Binding = `{"jkt":"B"}`
		create(t, rows, row(idA, "alice"), bound, row(idC, "Alice"))
		ctx := t.Context()
		reused := func(id models.Text, spent int64, proven models.Text) func() (bool, error) {
			return func() (bool, error) { return rows.RevokeReused(ctx, id, "alice", spent, proven, 150) }
		}
		steps := []struct {
			name string
			do   func() (bool, error)
			want bool
		}{
			{"another's", func() (bool, error) { return rows.Revoke(ctx, idC, "alice", 150, models.ReasonLogout) }, false},
			{"reused, at the row's generation", reused(idA, 3, ""), false},
			{"reused, before it", reused(idA, 2, `{"jkt":"B"}`), true},
			{"reused, by the holder of its key", reused(idB, 2, bound.Binding), false},
			{"reused, by the holder of another", reused(idB, 2, `{"jkt":"b"}`), true},
			{"reused, once more", reused(idB, 2, ""), false},
			{"twice", func() (bool, error) { return rows.Revoke(ctx, idA, "alice", 160, models.ReasonLogout) }, false},
			{"one's own", func() (bool, error) { return rows.Revoke(ctx, idC, "Alice", 160, models.ReasonLogout) }, true},
		}
		for _, step := range steps {
			if got, err := step.do(); got != step.want || err != nil {
				t.Errorf("%s: %v, %v", step.name, got, err)
			}
		}
		for id, want := range map[models.Text]models.Reason{idA: models.ReasonReuse, idB: models.ReasonReuse, idC: models.ReasonLogout} {
			if got := find(t, rows, id); got.RevokedFor != want {
				t.Errorf("%s is revoked for %q, want %q", id, got.RevokedFor, want)
			}
		}
	})
}

func TestRevokeAllAndListLive(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		newest := row(idB, "alice")
		newest.IssuedAt = 101
		create(t, rows, row(idA, "alice"), newest, row(idC, "bob"))
		ids := func(subject models.Text, now, cutoff int64) string {
			found, err := rows.ListLive(t.Context(), subject, now, cutoff, 200)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, r := range found {
				ids = append(ids, string(r.ID[len(r.ID)-1:]))
			}
			return strings.Join(ids, "")
		}
		for _, test := range []struct {
			subject     models.Text
			now, cutoff int64
			want        string
		}{{"alice", 199, 49, "ba"}, {"ALICE", 199, 49, ""}, {"alice", 200, 49, ""}, {"alice", 199, 50, ""}, {"bob", 150, 0, "c"}} {
			if got := ids(test.subject, test.now, test.cutoff); got != test.want {
				t.Errorf("%+v: %q", test, got)
			}
		}
		if _, _, err := rows.RevokeAll(t.Context(), "alice", []models.Text{idA, idC}, 150, models.ReasonRevoked); err != nil {
			t.Error(err)
		}
		if got := ids("alice", 150, 0) + ids("bob", 150, 0); got != "ac" {
			t.Errorf("live: %q", got)
		}
		if _, _, err := rows.RevokeAll(t.Context(), "alice", nil, 150, models.ReasonRevoked); err != nil {
			t.Error(err)
		}
		if got := ids("alice", 150, 0) + ids("bob", 150, 0); got != "c" {
			t.Errorf("live: %q", got)
		}
	})
}

func TestPurgeInBatches(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		const dead, cutoff = 7, 1000
		for i := range int64(dead) {
			r := row(models.Text(strings.Replace(idA, "019b7d3c", "019b7d3"+string('0'+rune(i)), 1)), "alice")
			r.CreatedAt = cutoff - i
			create(t, rows, r)
		}
		alive := row(idC, "alice")
		alive.CreatedAt = cutoff + 1
		create(t, rows, alive)
		for _, want := range []int64{3, 3, 1, 0} {
			first, got, err := rows.PurgeBatch(t.Context(), cutoff, 3)
			if got != want || (first == "") != (want == 0) || err != nil {
				t.Errorf("purged %d from %q on, %v, want %d", got, first, err, want)
			}
		}
		if find(t, rows, idC) == nil {
			t.Error("purged one that was younger than the cutoff")
		}
	})
}

func TestCancelledContextDoesNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		rows := store.New(db, "")
		create(t, rows, row(idA, "alice"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if rotated, err := rows.Rotate(ctx, &models.RefreshToken{ID: idA, Subject: "alice", Generation: 4}, true); rotated || err == nil {
			t.Errorf("rotated: %v, %v", rotated, err)
		}
		if got := find(t, rows, idA); got.Generation != 3 {
			t.Errorf("the generation is %d", got.Generation)
		}
	})
}

// TestSlowCommit: a database that refuses a statement for a second, at once each time, is asked until it takes it.
func TestSlowCommit(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	rows := store.New(db, "")
	create(t, rows, row(idA, "alice"))
	committed := time.Now().Add(time.Second)
	err := db.Callback().Update().Before("*").Register("test:commit", func(db *gorm.DB) {
		if time.Now().Before(committed) {
			_ = db.AddError(&pgconn.PgError{Code: "40001", Message: "could not serialize access due to read/write dependencies among transactions"})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := rows.Rotate(t.Context(), &models.RefreshToken{ID: idA, Subject: "alice", Generation: 4}, true)
	if !rotated || err != nil {
		t.Errorf("rotated: %v, %v", rotated, err)
	}
}

// TestCancelledNeighbour: a request that is cancelled while it prepares a statement takes no other with it.
func TestCancelledNeighbour(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var wait sync.WaitGroup
		for round := range 20 {
			rows := store.New(db, "") // a fresh one: nothing is prepared yet
			if pool, ok := db.Session(&gorm.Session{PrepareStmt: true}).Statement.ConnPool.(*gorm.PreparedStmtDB); ok {
				pool.Close()
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(round)*50*time.Microsecond)
			for i := range 8 {
				wait.Go(func() {
					if i%2 == 0 {
						_, _ = rows.Find(ctx, idA, store.Whole)
					} else if _, err := rows.Find(t.Context(), idA, store.Whole); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			cancel()
		}
	})
}

func TestNamingStrategy(t *testing.T) {
	for _, test := range []struct {
		naming schema.NamingStrategy
		table  string
	}{
		{schema.NamingStrategy{TablePrefix: "auth_"}, "auth_refresh_tokens"},
		{schema.NamingStrategy{SingularTable: true}, "refresh_token"},
		{schema.NamingStrategy{NoLowerCase: true}, "RefreshTokens"},
	} {
		for name, open := range map[string]func(testing.TB) gorm.Dialector{"sqlite": testdb.SQLite, "postgres": testdb.Postgres, "mysql": testdb.MySQL} {
			t.Run(test.table+"/"+name, func(t *testing.T) {
				db := testdb.Open(t, open(t), &gorm.Config{NamingStrategy: test.naming})
				if !db.Migrator().HasTable(test.table) {
					t.Fatalf("there is no table %s", test.table)
				}
				if err := store.New(db, "").Check(t.Context()); err != nil {
					t.Error(err)
				}
				rows := store.New(db, "")
				create(t, rows, row(idA, "alice"))
				if rotated, err := rows.Rotate(t.Context(), &models.RefreshToken{ID: idA, Subject: "alice", Generation: 4}, true); !rotated || err != nil {
					t.Errorf("rotated: %v, %v", rotated, err)
				}
			})
		}
	}
}
