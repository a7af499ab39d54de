package conformance_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const parallel = 50

// together runs work n times at once and returns the results.
func together[T any](n int, work func(i int) T) []T {
	results := make([]T, n)
	start := make(chan struct{})
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			<-start
			results[i] = work(i)
		})
	}
	close(start)
	wait.Wait()
	return results
}

func TestParallelRefreshesShareOneSuccessor(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		tokens := host.Login("alice")
		for range 3 {
			successors := together(parallel, func(int) string {
				status, tokens := host.TryRefresh(tokens.Refresh.Token)
				if status != http.StatusOK {
					t.Errorf("answered %d", status)
				}
				return tokens.Refresh.Token
			})
			for _, successor := range successors {
				if successor != successors[0] {
					t.Fatal("one token has two successors")
				}
			}
			tokens.Refresh.Token = successors[0]
			host.Clock.Advance(2 * testhost.Grace) // so that the token can rotate again
		}
		if rows := host.Rows(); len(rows) != 1 || rows[0].Generation != 4 {
			t.Errorf("rows are %+v", rows)
		}
	})
}

func TestParallelRefreshesWithoutGraceHaveOneWinner(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db, func(config *refreshtokens.Config) { config.GracePeriod = -1 })
		tokens := host.Login("alice")
		counts := map[int]int{}
		for _, status := range together(parallel, func(int) int {
			status, _ := host.TryRefresh(tokens.Refresh.Token)
			return status
		}) {
			counts[status]++
		}
		if counts[http.StatusOK] != 1 || counts[http.StatusUnauthorized] != parallel-1 {
			t.Errorf("statuses are %v", counts)
		}
		if rows := host.Rows(); rows[0].RevokedFor != models.ReasonReuse {
			t.Errorf("revoked for %q", rows[0].RevokedFor)
		}
	})
}

// TestLogoutBeatsRefresh checks that no token of a session works after log-out has answered 204, even if others were
// refreshing the session at the same time.
func TestLogoutBeatsRefresh(t *testing.T) {
	logouts := map[string]func(host *testhost.Host, tokens plugin.Tokens) int{
		"logout": func(host *testhost.Host, tokens plugin.Tokens) int {
			return host.PostToken(testhost.LogoutPath, tokens.Refresh.Token).Code
		},
		"delete one": func(host *testhost.Host, tokens plugin.Tokens) int {
			return host.Bearer(http.MethodDelete, testhost.RefreshPath+"/"+host.SessionID(tokens), tokens.Access.Token).Code
		},
		"delete all": func(host *testhost.Host, tokens plugin.Tokens) int {
			return host.Bearer(http.MethodDelete, testhost.RefreshPath, tokens.Access.Token).Code
		},
	}
	for name, logout := range logouts {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				host := testhost.New(t, db)
				for range 10 {
					tokens := host.Login("alice")
					survivors := together(8, func(i int) string {
						if i == 0 {
							if status := logout(host, tokens); status != http.StatusNoContent {
								t.Errorf("log-out answered %d", status)
							}
						}
						_, next := host.TryRefresh(tokens.Refresh.Token)
						return next.Refresh.Token
					})
					for _, token := range append(survivors, tokens.Refresh.Token) {
						if token != "" {
							host.WantRefresh(token, http.StatusUnauthorized)
						}
					}
				}
			})
		})
	}
}

// TestStaleDatabase checks that a restored backup or a lagging replica logs nobody out, even when tabs race.
func TestStaleDatabase(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		tokens := host.Login("alice")
		backup := host.Rows()
		for range 5 {
			host.Clock.Advance(time.Hour)
			tokens = host.MustRefresh(tokens.Refresh.Token)
		}
		restore(t, host.DB, backup)

		for _, status := range together(10, func(int) int {
			status, _ := host.TryRefresh(tokens.Refresh.Token)
			return status
		}) {
			if status != http.StatusOK {
				t.Errorf("answered %d", status)
			}
		}
		if rows := host.Rows(); rows[0].Generation != 6 {
			t.Errorf("the generation is %d, want the presented token's, which is 6", rows[0].Generation)
		}

		// The restored row is so old that its session seems to have idled out. Log-out must end it all the same.
		restore(t, host.DB, backup)
		host.Clock.Advance(6*24*time.Hour + 20*time.Hour)
		testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, tokens.Refresh.Token), http.StatusNoContent, "")
	})
}

// TestLostWriteAmongTabs: the database loses a rotation while some tabs have the new token already, and others still come with
// the old one. None is logged out, whatever the order.
func TestLostWriteAmongTabs(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for name, order := range map[string]string{"new first": "nnoon", "old first": "onoon"} {
			host := testhost.New(t, db).For(t)
			spent := host.Login("alice").Refresh.Token
			host.Clock.Advance(time.Hour)
			before := host.Rows()
			live := host.MustRefresh(spent).Refresh.Token
			host.DB.Save(&before)
			for i, tab := range order {
				host.Clock.Advance(3 * time.Second)
				token := live
				if tab == 'o' {
					token = spent
				}
				status, tokens := host.TryRefresh(token)
				if status != http.StatusOK {
					t.Fatalf("%s: request %d answered %d", name, i, status)
				}
				live = tokens.Refresh.Token
			}
			if rows := host.Rows(); rows[0].Generation != 2 {
				t.Errorf("%s: the generation is %d, want 2", name, rows[0].Generation)
			}
			host.Clock.Advance(time.Hour)
			host.WantRefresh(live, http.StatusOK)
			host.DB.Where("1 = 1").Delete(&models.RefreshToken{})
		}
	})
}

func restore(t *testing.T, db *gorm.DB, backup []models.RefreshToken) {
	t.Helper()
	for i := range backup {
		if result := db.Select("*").Updates(&backup[i]); result.Error != nil || result.RowsAffected != 1 {
			t.Fatalf("restored %d rows, %v", result.RowsAffected, result.Error)
		}
	}
}
