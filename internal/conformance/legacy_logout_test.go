package conformance_test

import (
	"net/http"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// TestLogoutWithALegacyToken: it ends the session that the token has started, or keeps one from starting.
func TestLogoutWithALegacyToken(t *testing.T) {
	const grace, week = testhost.Grace, 7 * 24 * time.Hour
	takenOver := func(d time.Duration) func(*testhost.Host) {
		return func(host *testhost.Host) {
			host.MustRefresh(oldToken)
			host.Clock.Advance(d)
		}
	}
	for _, row := range []struct {
		name    string
		prepare func(*testhost.Host)
		token   string
		status  int
		rows    int
		asked   int
	}{
		{name: "not taken over", status: 204, rows: 1, asked: 1},
		{name: "unknown", token: "x", status: 404, asked: 1},
		{name: "expired", token: expiredToken, status: 404, asked: 1},
		{name: "taken over", prepare: takenOver(0), status: 204, rows: 1},
		{name: "taken over long ago", prepare: takenOver(week - time.Second), status: 204, rows: 1},
		{name: "taken over, and the session rotated", prepare: func(host *testhost.Host) {
			first := host.MustRefresh(oldToken)
			host.Clock.Advance(2 * grace)
			host.MustRefresh(first.Refresh.Token)
		}, status: 204, rows: 1},
		{name: "the session idled out", prepare: takenOver(week), status: 404, rows: 1},
		{name: "logged out before", prepare: func(host *testhost.Host) { host.PostToken(testhost.LogoutPath, oldToken) }, status: 404, rows: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				events := &diary{}
				host, old := legacyHost(t, db, func(c *refreshtokens.Config) { c.OnEvent = events.write })
				if row.prepare != nil {
					row.prepare(host)
				}
				old.calls()
				events.read()
				token := row.token
				if token == "" {
					token = oldToken
				}
				body := map[int]string{404: testhost.NotFoundBody}
				testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, token), row.status, body[row.status])
				if n := old.calls(); n != row.asked {
					t.Errorf("the callback was asked %d times, want %d", n, row.asked)
				}
				rows := host.Rows()
				if len(rows) != row.rows {
					t.Fatalf("%d rows, want %d", len(rows), row.rows)
				}
				if row.status == http.StatusNoContent {
					if rows[0].RevokedFor != models.ReasonLogout || rows[0].Subject != "alice" {
						t.Errorf("the row is %+v", rows[0])
					}
					wantEvents(t, events, "log-out", "revoked logout")
				}
				host.WantRefresh(token, http.StatusUnauthorized)
			})
		})
	}
}
