package shards_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

const (
	sessions = 20
	parallel = 50
)

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

// TestOneSuccessor presents each token many times at once, through both fronts.
func TestOneSuccessor(t *testing.T) {
	each(t, layouts, func(t *testing.T, table *table) {
		for session := range sessions {
			tokens := table.hosts[session%2].Login(fmt.Sprint("user ", session))
			successors := together(parallel, func(i int) string {
				status, next := table.hosts[i%2].TryRefresh(tokens.Refresh.Token)
				if status != http.StatusOK {
					t.Errorf("session %d: answered %d", session, status)
				}
				return next.Refresh.Token
			})
			for _, successor := range successors {
				if successor != successors[0] {
					t.Fatalf("session %d: one token has two successors", session)
				}
			}
		}
		for _, row := range table.hosts[0].Rows() {
			if row.Generation != 2 || row.RevokedAt != 0 {
				t.Errorf("a row is %+v", row)
			}
		}
		table.wantSpread(t, sessions)
	})
}

// TestOneWinner does so without a grace period.
func TestOneWinner(t *testing.T) {
	each(t, layouts, func(t *testing.T, table *table) {
		for session := range sessions {
			tokens := table.hosts[session%2].Login(fmt.Sprint("user ", session))
			counts := map[int]int{}
			for _, status := range together(parallel, func(i int) int {
				status, _ := table.hosts[i%2].TryRefresh(tokens.Refresh.Token)
				return status
			}) {
				counts[status]++
			}
			if counts[http.StatusOK] != 1 || counts[http.StatusUnauthorized] != parallel-1 {
				t.Errorf("session %d: the statuses are %v", session, counts)
			}
		}
		for _, row := range table.hosts[0].Rows() {
			if row.Generation != 2 || row.RevokedFor != models.ReasonReuse {
				t.Errorf("a row is %+v", row)
			}
		}
		table.wantSpread(t, sessions)
	}, testhost.Strict)
}

// wantSpread fails the test unless the shards have that many rows together, and each of them has some.
func (table *table) wantSpread(t *testing.T, want int64) {
	t.Helper()
	counts := table.rows(t)
	if total(counts) != want || slices.Contains(counts, 0) {
		t.Errorf("the shards have %v rows, want %d in all, and some on each", counts, want)
	}
}

func total(counts []int64) (sum int64) {
	for _, count := range counts {
		sum += count
	}
	return sum
}
