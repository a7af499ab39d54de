package shards_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestSessionsOfOneUser lists and ends sessions that are on all shards, each through the front that did not start it.
func TestSessionsOfOneUser(t *testing.T) {
	each(t, layouts, func(t *testing.T, table *table) {
		one, other := table.hosts[0], table.hosts[1]
		var logins []plugin.Tokens
		for range sessions {
			logins = append(logins, one.Login("alice"))
			one.Clock.Advance(time.Second)
		}
		bob := one.Login("bob")
		table.wantSpread(t, sessions+1)

		listed, err := other.Sessions(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		for i, login := range slices.Backward(logins) { // the newest comes first
			if at := sessions - 1 - i; at >= len(listed) || listed[at].ID != login.SessionID {
				t.Fatalf("session %d is not at its place in the list", i)
			}
		}

		testhost.WantAnswer(t, other.PostToken(testhost.LogoutPath, logins[0].Refresh.Token), http.StatusNoContent, "")
		one.WantRefresh(logins[0].Refresh.Token, http.StatusUnauthorized)
		if err := other.RevokeSession(t.Context(), "alice", logins[1].SessionID); err != nil {
			t.Error(err)
		}
		one.WantRefresh(logins[1].Refresh.Token, http.StatusUnauthorized)

		if err := other.RevokeAll(t.Context(), "alice", logins[2].SessionID); err != nil {
			t.Error(err)
		}
		for i, login := range logins {
			status := http.StatusUnauthorized
			if i == 2 {
				status = http.StatusOK
			}
			one.WantRefresh(login.Refresh.Token, status)
		}
		if n, err := other.Forget(t.Context(), "alice"); n != sessions || err != nil {
			t.Errorf("forgot %d, %v, want %d", n, err, sessions)
		}
		one.WantRefresh(bob.Refresh.Token, http.StatusOK)
		if n, err := other.RevokeEveryone(t.Context()); n != 1 || err != nil {
			t.Errorf("ended %d, %v, want 1", n, err)
		}
	})
}

// TestMaxSessions logs one user in through both fronts at once.
func TestMaxSessions(t *testing.T) {
	const limit = 3
	each(t, layouts, func(t *testing.T, table *table) {
		for range 3 {
			for _, err := range together(8, func(i int) error {
				_, err := table.hosts[i%2].Issue(t.Context(), "alice", plugin.Device{})
				return err
			}) {
				if err != nil {
					t.Error(err)
				}
			}
		}
		table.hosts[0].Login("alice")
		for _, host := range table.hosts {
			if listed, err := host.Sessions(t.Context(), "alice"); len(listed) != limit || err != nil {
				t.Errorf("%d sessions, %v, want %d", len(listed), err, limit)
			}
		}
	}, func(config *refreshtokens.Config) { config.MaxSessions = limit })
}

// TestPurge deletes old rows on all shards, beside a Janitor on the other front.
func TestPurge(t *testing.T) {
	each(t, layouts, func(t *testing.T, table *table) {
		table.bury(t, 1700)
		table.hosts[0].Login("alice")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- table.hosts[1].Janitor(ctx, time.Hour) }()
		if _, err := table.hosts[0].Purge(ctx); err != nil {
			t.Error(err)
		}
		err := waitFor("the end of the purge", func() bool { return total(table.rows(t)) == 1 })
		cancel()
		if err = errors.Join(err, <-ended); err != nil {
			t.Error(err)
		}
	}, testhost.RealTime)
}

// bury adds rows that are past their end.
func (table *table) bury(t testing.TB, n int) {
	t.Helper()
	rows := make([]models.RefreshToken, n)
	for i := range rows {
		rows[i] = models.RefreshToken{ID: models.Text(uuid.NewString()), Subject: models.Text(fmt.Sprint(i)), Generation: 1, CreatedAt: int64(1 + i/10)}
	}
	if err := table.hosts[0].DB.Session(&gorm.Session{CreateBatchSize: 100}).Create(&rows).Error; err != nil {
		t.Fatal(err)
	}
}
