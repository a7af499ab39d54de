package plugin_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// breakUpdates breaks the connection of the next n UPDATEs, before or after they were carried out.
func breakUpdates(t *testing.T, db *gorm.DB, carriedOut bool, with error) (next func(n int)) {
	t.Helper()
	left := 0
	fail := func(db *gorm.DB) {
		if left > 0 {
			left--
			_ = db.AddError(with)
		}
	}
	register := db.Callback().Update().Before("gorm:update")
	if carriedOut {
		register = db.Callback().Update().After("*")
	}
	if err := register.Register("test:break", fail); err != nil {
		t.Fatal(err)
	}
	return func(n int) { left = n }
}

// TestBrokenConnection: a connection that breaks off in the middle of a refresh or a log-out costs the client nothing.
func TestBrokenConnection(t *testing.T) {
	for name, carriedOut := range map[string]bool{"before the statement": false, "after the statement": true} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				for _, broken := range []error{io.ErrUnexpectedEOF, driver.ErrBadConn} {
					host := testhost.New(t, db)
					first := host.Login("alice").Refresh.Token
					next := breakUpdates(t, db, carriedOut, broken)
					next(2)
					second := host.MustRefresh(first).Refresh.Token
					if again := host.MustRefresh(first).Refresh.Token; again != second || host.Rows()[0].Generation != 2 {
						t.Errorf("%v: not the same successor, rows %+v", broken, host.Rows())
					}
					next(1)
					if code := host.PostToken("/v1/auth/logout", second).Code; code != http.StatusNoContent {
						t.Errorf("%v: log-out answered %d", broken, code)
					}
					host.WantRefresh(second, http.StatusUnauthorized)
					if err := db.Callback().Update().Remove("test:break"); err != nil {
						t.Fatal(err)
					}
					db.Where("1 = 1").Delete(&models.RefreshToken{})
				}
			})
		})
	}
}

// TestBrokenConnectionWithoutGrace: a second try would meet the first one's row and take it for a theft, so there is none.
func TestBrokenConnectionWithoutGrace(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	host := testhost.New(t, db, testhost.Strict)
	token := host.Login("alice").Refresh.Token
	next := breakUpdates(t, db, true, io.ErrUnexpectedEOF)
	next(1)
	host.WantRefresh(token, http.StatusInternalServerError)
	if row := host.Rows()[0]; row.RevokedAt != 0 || row.Generation != 2 {
		t.Errorf("the row is %+v", row)
	}
}

// TestReuseIsReportedThoughTheConnectionBreaks, and once.
func TestReuseIsReportedThoughTheConnectionBreaks(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	reports := 0
	host := testhost.New(t, db, func(c *refreshtokens.Config) {
		c.OnEvent = func(_ context.Context, event plugin.Event) {
			if event.Kind == plugin.EventReuseDetected {
				reports++
			}
		}
	})
	spent := host.Login("alice").Refresh.Token
	host.MustRefresh(spent)
	host.Clock.Advance(time.Hour)
	left := 1
	err := db.Callback().Update().After("*").Register("test:break", func(db *gorm.DB) {
		if _, revocation := db.Statement.Dest.(map[string]any); revocation && left > 0 {
			left--
			_ = db.AddError(io.ErrUnexpectedEOF)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	host.WantRefresh(spent, http.StatusUnauthorized)
	host.WantRefresh(spent, http.StatusUnauthorized)
	if reports != 1 {
		t.Errorf("%d reports", reports)
	}
}

// TestEndedSessionCostsNothing: a client that goes on trying after a log-out costs no statement and no callback.
func TestEndedSessionCostsNothing(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	calls := 0
	host := testhost.New(t, db, func(c *refreshtokens.Config) {
		c.Claims = func(context.Context, plugin.Session) (map[string]any, error) { calls++; return nil, nil }
	})
	token := host.Login("alice").Refresh.Token
	host.PostToken("/v1/auth/logout", token)
	host.WantRefresh(token, http.StatusUnauthorized)
	statements := 0
	count := func(*gorm.DB) { statements++ }
	if err := db.Callback().Update().Register("test:count", count); err != nil {
		t.Fatal(err)
	}
	if err := db.Callback().Query().Register("test:count", count); err != nil {
		t.Fatal(err)
	}
	if err := db.Callback().Row().Register("test:count", count); err != nil {
		t.Fatal(err)
	}
	calls = 0
	for range 10 {
		host.WantRefresh(token, http.StatusUnauthorized)
	}
	if calls != 0 || statements != 0 {
		t.Errorf("%d callbacks and %d statements", calls, statements)
	}
	host.MustRefresh(host.Login("alice").Refresh.Token)
}

// TestRepeatsForAnotherDeviceAreLogged, with both devices, and no others are.
func TestRepeatsForAnotherDeviceAreLogged(t *testing.T) {
	var logs bytes.Buffer
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), func(c *refreshtokens.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&logs, nil))
	})
	victim, thief := plugin.Device{UserAgent: "Firefox", IP: "192.0.2.1"}, plugin.Device{UserAgent: "curl", IP: "198.51.100.9"}
	refresh := func(token string, device plugin.Device) string {
		tokens, err := host.Refresh(t.Context(), token, device)
		if err != nil {
			t.Fatal(err)
		}
		return tokens.Refresh.Token
	}
	spent := host.Login("alice").Refresh.Token
	logs.Reset() // of what New said of the clock
	live := refresh(spent, victim)
	refresh(spent, victim)
	refresh(live, victim)
	if logs.Len() > 0 {
		t.Errorf("logged %s", logs.String())
	}
	for _, token := range []string{spent, live} {
		logs.Reset()
		refresh(token, thief)
		for _, part := range []string{"answered again", "user_agent=curl", "ip=198.51.100.9", "previous_user_agent=Firefox", "previous_ip=192.0.2.1", "subject=alice"} {
			if !strings.Contains(logs.String(), part) {
				t.Errorf("%q is not in %s", part, logs.String())
			}
		}
	}
}

// TestStalledCallback: a client that came in time is no thief because the Claims callback stalled. Its refresh fails, and
// the token stays valid.
func TestStalledCallback(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		stall := false
		host := testhost.New(t, db, func(c *refreshtokens.Config) {
			c.GracePeriod = 2 * time.Second
			c.Claims = func(ctx context.Context, _ plugin.Session) (map[string]any, error) {
				if stall {
					<-ctx.Done() // half the grace period at most
				}
				return nil, nil // though it came too late
			}
		})
		token := host.Login("alice").Refresh.Token
		stall = true
		host.WantRefresh(token, http.StatusInternalServerError)
		if row := host.Rows()[0]; row.Generation != 1 || row.RevokedAt != 0 {
			t.Errorf("the row is %+v", row)
		}
		stall = false
		host.WantRefresh(token, http.StatusOK)
	})
}

// TestListIsBounded: a subject with very many sessions gets the 200 that were used last.
func TestListIsBounded(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		oldest := host.SessionID(host.Login("alice"))
		var newest string
		for range 200 {
			host.Clock.Advance(time.Second)
			newest = host.SessionID(host.Login("alice"))
		}
		sessions, err := host.Sessions(t.Context(), "alice")
		if err != nil || len(sessions) != 200 || sessions[0].ID != newest {
			t.Fatalf("%d sessions, %v", len(sessions), err)
		}
		for _, session := range sessions {
			if session.ID == oldest {
				t.Error("the oldest is listed")
			}
		}
	})
}

// TestLogoutWithAnExpiredToken: a spent one can be of a session that lives; an unspent one can't.
func TestLogoutWithAnExpiredToken(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		logout := func(token string) int { return host.PostToken("/v1/auth/logout", token).Code }
		spent := host.Login("alice").Refresh.Token
		unspent := host.Login("alice").Refresh.Token
		host.Clock.Advance(5 * 24 * time.Hour)
		live := host.MustRefresh(spent).Refresh.Token
		host.Clock.Advance(3 * 24 * time.Hour)
		if code := logout(unspent); code != http.StatusNotFound {
			t.Errorf("an unspent one answered %d", code)
		}
		if code := logout(spent); code != http.StatusNoContent {
			t.Errorf("a spent one answered %d", code)
		}
		if code := logout(spent); code != http.StatusNotFound {
			t.Errorf("once more, it answered %d", code)
		}
		host.WantRefresh(live, http.StatusUnauthorized)

		// The session's live token has idled out too.
		spent = host.Login("alice").Refresh.Token
		host.MustRefresh(spent)
		host.Clock.Advance(8 * 24 * time.Hour)
		if code := logout(spent); code != http.StatusNotFound {
			t.Errorf("of a session that idled out, it answered %d", code)
		}
	})
}
