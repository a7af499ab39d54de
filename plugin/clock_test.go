package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestTwoClocks: a second tab, at a host whose clock differs, within half the grace period and beyond it.
func TestTwoClocks(t *testing.T) {
	const grace = testhost.Grace
	for _, row := range []struct {
		ahead  time.Duration // of the first tab's host
		after  time.Duration // the first tab's rotation, by the second tab's host
		status int
	}{
		{-11 * time.Second, 0, 200}, // was taken for a theft with 10 s of grace
		{-grace / 2, 0, 200},
		{-grace / 2, grace / 2, 200}, // the grace period is shorter by as much
		{-grace / 2, grace/2 + time.Second, 401},
		{grace / 2, 0, 200},
		{grace / 2, grace + grace/2, 200}, // longer by as much
		{grace / 2, grace + grace/2 + time.Second, 401},
		{time.Hour, time.Minute, 401}, // was answered for an hour
	} {
		t.Run(fmt.Sprintf("%v ahead, after %v", row.ahead, row.after), func(t *testing.T) {
			testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
				ours := testhost.New(t, db)
				theirs := testhost.New(t, db, func(c *refreshtokens.Config) {
					c.Clock = func() time.Time { return ours.Clock.Now().Add(row.ahead) }
				})
				spent := ours.Login("alice").Refresh.Token
				theirs.MustRefresh(spent)
				ours.Clock.Advance(row.after)
				ours.WantRefresh(spent, row.status)
			})
		})
	}
}

// TestRotationDuringAStall: a request waits for the Claims callback. Meanwhile a host whose clock is ahead rotates the token. The
// request came before the rotation, so it is no theft.
func TestRotationDuringAStall(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		var meanwhile func()
		ours := testhost.New(t, db, func(c *refreshtokens.Config) {
			c.Claims = func(context.Context, plugin.Session) (map[string]any, error) {
				if do := meanwhile; do != nil {
					meanwhile = nil
					do()
				}
				return nil, nil
			}
		})
		theirs := testhost.New(t, db, func(c *refreshtokens.Config) {
			c.Clock = func() time.Time { return ours.Clock.Now().Add(testhost.Grace / 2) }
		})
		token, live := ours.Login("alice").Refresh.Token, ""
		meanwhile = func() {
			ours.Clock.Advance(12 * time.Second)
			live = theirs.MustRefresh(token).Refresh.Token
		}
		if status, tokens := ours.TryRefresh(token); status != http.StatusOK || tokens.Refresh.Token != live {
			t.Errorf("answered %d", status)
		}
		theirs.WantRefresh(live, http.StatusOK)
	})
}

// TestWrongClockPurgesNothing: a host whose clock is 31 days ahead would delete sessions that live.
func TestWrongClockPurgesNothing(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		for _, row := range []struct {
			ahead         time.Duration
			warns, purges bool
		}{
			{0, false, true},
			{20 * time.Second, true, true},
			{-20 * time.Second, true, true},
			{59 * time.Minute, true, true},
			{61 * time.Minute, true, false},
			{-61 * time.Minute, true, false},
			{31 * 24 * time.Hour, true, false},
		} {
			var logs bytes.Buffer
			right := testhost.New(t, db, testhost.RealTime)
			wrong := testhost.New(t, db, func(c *refreshtokens.Config) {
				c.Clock = func() time.Time { return time.Now().Add(row.ahead) }
				c.Logger = slog.New(slog.NewTextHandler(&logs, nil))
			})
			if warned := strings.Contains(logs.String(), "clock differs"); warned != row.warns {
				t.Errorf("%v ahead: New logged %q", row.ahead, logs.String())
			}
			token := right.Login("alice").Refresh.Token
			_, err := wrong.Purge(t.Context())
			if refused := errors.Is(err, plugin.ErrClock); refused == row.purges || row.purges && err != nil {
				t.Errorf("%v ahead: %v", row.ahead, err)
			}
			for range 150 { // some of which purge
				wrong.Login("bob")
			}
			right.WantRefresh(token, http.StatusOK)
		}
	})
}

// TestTableStaysBounded: without a Janitor, the logins themselves delete what is long over.
func TestTableStaysBounded(t *testing.T) {
	const logins, live = 1500, 10
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db, testhost.Strict, func(c *refreshtokens.Config) { c.SessionTTL = live * time.Second })
		host.Clock.Set(time.Now().Add(-logins / 2 * time.Second)) // within an hour of the database's
		for range logins {
			host.Login("alice")
			host.Clock.Advance(time.Second)
		}
		// A batch takes 256 rows, and one login in 64 takes a batch: at a bad draw some hundred rows wait for it.
		if rows := len(host.Rows()); rows > logins/3 {
			t.Errorf("%d rows are left of %d logins", rows, logins)
		}
	})
}
