package plugin_test

import (
	"context"
	"database/sql/driver"
	"io"
	"net/http"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// everyTokenIsAlices is a Legacy callback.
func everyTokenIsAlices(c *refreshtokens.Config) {
	c.Legacy = func(context.Context, string) (string, error) { return "alice", nil }
}

// breakInserts breaks the connection of the next n INSERTs, before or after they were carried out.
func breakInserts(t *testing.T, db *gorm.DB, carriedOut bool, with error) (next func(n int)) {
	t.Helper()
	left := 0
	register := db.Callback().Create().Before("gorm:create")
	if carriedOut {
		register = db.Callback().Create().After("*")
	}
	err := register.Register("test:break", func(db *gorm.DB) {
		if left > 0 {
			left--
			_ = db.AddError(with)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(n int) { left = n }
}

// TestTakeOverOnABrokenConnection: a connection that breaks off in the middle of a take-over, or of a log-out with a legacy token,
// costs the client nothing.
func TestTakeOverOnABrokenConnection(t *testing.T) {
	for name, carriedOut := range map[string]bool{"before the statement": false, "after the statement": true} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				for _, broken := range []error{io.ErrUnexpectedEOF, driver.ErrBadConn} {
					host := testhost.New(t, db, everyTokenIsAlices)
					next := breakInserts(t, db, carriedOut, broken)
					next(2)
					first := host.MustRefresh("legacy")
					if again := host.MustRefresh("legacy"); again.Refresh != first.Refresh {
						t.Errorf("%v: the token has two answers", broken)
					}
					next(2)
					if code := host.PostToken(testhost.LogoutPath, "another").Code; code != http.StatusNoContent {
						t.Errorf("%v: log-out answered %d", broken, code)
					}
					host.WantRefresh("another", http.StatusUnauthorized)
					next(3) // more than are tried again
					testhost.WantAnswer(t, host.PostToken(testhost.RefreshPath, "third"), http.StatusInternalServerError, testhost.InternalBody)
					host.WantRefresh("third", http.StatusOK)
					if rows := host.Rows(); len(rows) != 3 {
						t.Errorf("%v: %d rows", broken, len(rows))
					}
					if err := db.Callback().Create().Remove("test:break"); err != nil {
						t.Fatal(err)
					}
					db.Where("1 = 1").Delete(&models.RefreshToken{})
				}
			})
		})
	}
}

// TestTakeOverOnABrokenConnectionWithoutGrace: a second try would meet the first one's row and take it for a theft, so there is none.
func TestTakeOverOnABrokenConnectionWithoutGrace(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	host := testhost.New(t, db, testhost.Strict, everyTokenIsAlices)
	breakInserts(t, db, true, io.ErrUnexpectedEOF)(1)
	host.WantRefresh("legacy", http.StatusInternalServerError)
	if rows := host.Rows(); len(rows) != 1 || rows[0].RevokedAt != 0 {
		t.Errorf("the rows are %+v", rows)
	}
}

// TestReuseOfALegacyTokenIsReported, once.
func TestReuseOfALegacyTokenIsReported(t *testing.T) {
	var reports []plugin.Event
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), everyTokenIsAlices, func(c *refreshtokens.Config) {
		c.OnEvent = func(_ context.Context, event plugin.Event) {
			if event.Kind == plugin.EventReuseDetected {
				reports = append(reports, event)
			}
		}
	})
	tokens := host.MustRefresh("legacy")
	host.Clock.Advance(time.Hour)
	for range 3 {
		host.WantRefresh("legacy", http.StatusUnauthorized)
	}
	if len(reports) != 1 || reports[0].Session.ID != host.SessionID(tokens) || reports[0].Session.Subject != "alice" {
		t.Errorf("the reports are %+v", reports)
	}
	host.WantRefresh(tokens.Refresh.Token, http.StatusUnauthorized)
}

// TestPurgedTakeOver: once its row is deleted, a legacy token is as before. So the host must refuse it by then.
func TestPurgedTakeOver(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	now := time.Now()
	host := testhost.New(t, db, everyTokenIsAlices, func(c *refreshtokens.Config) {
		c.Clock, c.SessionTTL = func() time.Time { return now }, 30*time.Minute
	})
	host.MustRefresh("legacy")
	now = now.Add(30*time.Minute - time.Second)
	host.WantRefresh("legacy", http.StatusUnauthorized)
	now = now.Add(time.Second)
	if purged, err := host.Purge(t.Context()); purged != 1 || err != nil {
		t.Fatal(purged, err)
	}
	host.WantRefresh("legacy", http.StatusOK)
}

// TestLosersOfATakeOver: another request inserts the row while the callback is under way.
func TestLosersOfATakeOver(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		winner := testhost.New(t, db, everyTokenIsAlices)
		subject, asked, vanish := "", 0, false
		var won plugin.Tokens
		loser := testhost.New(t, db, func(c *refreshtokens.Config) {
			c.Legacy = func(_ context.Context, token string) (string, error) {
				asked++
				if asked == 1 {
					won = winner.MustRefresh(token)
				}
				return subject, nil
			}
		})
		err := db.Callback().Create().After("*").Register("test:vanish", func(db *gorm.DB) {
			if vanish && db.RowsAffected == 0 {
				vanish = false
				db.Session(&gorm.Session{NewDB: true}).Where("1 = 1").Delete(&models.RefreshToken{})
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			name, subject string
			vanish        bool
			status        int
			same          bool
		}{
			{"answers the winner's tokens", "alice", false, 200, true},
			{"does not answer another subject's", "bob", false, 401, false},
			{"starts over, and asks nobody again, if the row is gone", "alice", true, 200, true}, // at the same instant, so the tokens are the same
		} {
			subject, asked, vanish = row.subject, 0, row.vanish
			status, lost := loser.TryRefresh("legacy " + row.name)
			if vanish {
				t.Error("the row did not vanish")
			}
			if status != row.status || asked != 1 || (lost.Refresh == won.Refresh) != row.same {
				t.Errorf("%s: %d; the callback was asked %d times; the same tokens: %t", row.name, status, asked, lost.Refresh == won.Refresh)
			}
		}
	})
}
