package conformance_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const busyBody = `{"code":503,"message":"Service Unavailable"}`

// oneConnection makes the pool of db have one connection, and so two places for refreshes.
func oneConnection(t *testing.T, db *gorm.DB) *sql.DB {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	return pool
}

// take takes the pool's only connection.
func take(t *testing.T, pool *sql.DB) *sql.Conn {
	t.Helper()
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// countUpdates returns how many UPDATEs are under way, and how many were at most. Some of them may wait for a connection.
func countUpdates(t *testing.T, db *gorm.DB) (now, most *atomic.Int64) {
	t.Helper()
	now, most = &atomic.Int64{}, &atomic.Int64{}
	update := db.Callback().Update()
	err := errors.Join(
		update.Before("*").Register("test:begins", func(*gorm.DB) {
			count, seen := now.Add(1), most.Load()
			for count > seen && !most.CompareAndSwap(seen, count) {
				seen = most.Load()
			}
		}),
		update.After("*").Register("test:ends", func(*gorm.DB) { now.Add(-1) }))
	if err != nil {
		t.Fatal(err)
	}
	return now, most
}

// waitFor waits until the count is as wanted.
func waitFor(t *testing.T, count *atomic.Int64, want int64) {
	t.Helper()
	for began := time.Now(); count.Load() != want; runtime.Gosched() {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("the count is %d, want %d", count.Load(), want)
		}
	}
}

// TestBusy: while the database has enough to do, a refresh is sent away with a 503 and its token is still good.
func TestBusy(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		pool := oneConnection(t, db)
		host := testhost.New(t, db, func(c *refreshtokens.Config) { c.GracePeriod = 8 * time.Second }) // 2 seconds for a refresh
		inFront, sentAway := []string{host.Login("a").Refresh.Token, host.Login("b").Refresh.Token}, host.Login("c").Refresh.Token
		updates, most := countUpdates(t, db)
		conn := take(t, pool)
		var wg sync.WaitGroup
		for _, token := range inFront {
			wg.Go(func() { host.WantRefresh(token, http.StatusOK) })
		}
		waitFor(t, updates, 2)

		answer := host.PostToken(testhost.RefreshPath, sentAway)
		testhost.WantAnswer(t, answer, http.StatusServiceUnavailable, busyBody)
		testhost.WantGroupHeaders(t, answer)
		if seconds, err := strconv.Atoi(answer.Header().Get("Retry-After")); err != nil || seconds < 1 || seconds > 5 {
			t.Errorf("Retry-After is %q", answer.Header().Get("Retry-After"))
		}
		if most.Load() != 2 {
			t.Errorf("%d refreshes came to the database, want 2", most.Load())
		}
		if stats := host.Stats(); stats.Busy != 1 || stats.Failed != 0 || stats.Rejected != 0 {
			t.Errorf("%+v", stats)
		}
		_ = conn.Close()
		wg.Wait()
		host.WantRefresh(sentAway, http.StatusOK)
	})
}

// TestRefreshesTakeTurns: 50 refreshes at once are all served, and no more than two at a time ask a pool of one connection.
func TestRefreshesTakeTurns(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		pool := oneConnection(t, db)
		host := testhost.New(t, db)
		updates, most := countUpdates(t, db)
		const refreshes = 50
		var tokens [refreshes]string
		for i := range tokens {
			tokens[i] = host.Login("alice").Refresh.Token
		}
		conn := take(t, pool)
		var wg sync.WaitGroup
		for _, token := range tokens {
			wg.Go(func() { host.WantRefresh(token, http.StatusOK) })
		}
		waitFor(t, updates, 2)
		_ = conn.Close()
		wg.Wait()
		if most.Load() != 2 || host.Stats().Busy != 0 {
			t.Errorf("up to %d at a time, and %d were sent away", most.Load(), host.Stats().Busy)
		}
	})
}

// TestTransactionsNeedNoTurn: a refresh in a transaction of the host's doesn't wait for those that wait for its connection.
func TestTransactionsNeedNoTurn(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		oneConnection(t, db)
		host := testhost.New(t, db)
		updates, _ := countUpdates(t, db)
		others, own := []string{host.Login("a").Refresh.Token, host.Login("b").Refresh.Token}, host.Login("c").Refresh.Token
		var wg sync.WaitGroup
		err := db.Transaction(func(tx *gorm.DB) error {
			for _, token := range others {
				wg.Go(func() { host.WantRefresh(token, http.StatusOK) })
			}
			waitFor(t, updates, 2)
			_, err := host.WithDB(tx).Refresh(t.Context(), own, plugin.Device{})
			return err
		})
		if err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

// TestMaxRefreshes: the host's number counts, a slow callback takes a place too, and who hangs up while it waits is not served.
func TestMaxRefreshes(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	answer := make(chan struct{})
	var asking atomic.Int64
	host := testhost.New(t, testdb.Migrate(t, db), func(c *refreshtokens.Config) {
		c.MaxRefreshes = 3
		c.Claims = func(_ context.Context, session plugin.Session) (map[string]any, error) {
			if session.Subject == "slow" && session.LastUsedAt != session.CreatedAt {
				asking.Add(1)
				<-answer
			}
			return nil, nil
		}
	})
	slow := []string{host.Login("slow").Refresh.Token, host.Login("slow").Refresh.Token, host.Login("slow").Refresh.Token}
	waits := host.Login("impatient").Refresh.Token
	host.Clock.Advance(time.Minute)
	var wg sync.WaitGroup
	for _, token := range slow {
		wg.Go(func() { host.WantRefresh(token, http.StatusOK) })
	}
	waitFor(t, &asking, 3)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	before := host.Rows()
	if _, err := host.Refresh(gone, waits, plugin.Device{}); !errors.Is(err, plugin.ErrBusy) || !errors.Is(err, context.Canceled) {
		t.Errorf("the client that hung up: %v", err)
	}
	if !slices.Equal(before, host.Rows()) {
		t.Error("its token was spent")
	}
	close(answer)
	wg.Wait()
	if _, err := host.Refresh(gone, waits, plugin.Device{}); err != nil {
		t.Errorf("with a place for it: %v", err)
	}
}

// TestBusyBrowser: a browser that is sent away keeps its cookies, and its session in the browser: only a 4xx would end that. It can bind
// the session later.
func TestBusyBrowser(t *testing.T) {
	answer, asked := make(chan struct{}), make(chan struct{})
	host := deviceHost(t, openSQLite(t), plugin.BindingIfOffered, func(c *refreshtokens.Config) {
		c.MaxRefreshes, c.GracePeriod = 1, 2*time.Second
		c.Claims = func(_ context.Context, session plugin.Session) (map[string]any, error) {
			if session.Subject == "slow" && session.LastUsedAt != session.CreatedAt {
				close(asked)
				<-answer
			}
			return nil, nil
		}
	})
	slow := host.Login("slow").Refresh.Token
	d := newDevice(t, host)
	offered := registration.FindStringSubmatch(d.send(http.MethodPost, webLogin).Header().Get("Secure-Session-Registration"))
	host.Clock.Advance(time.Second)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = host.Refresh(t.Context(), slow, plugin.Device{}) })
	<-asked
	for _, recorder := range []*httptest.ResponseRecorder{
		d.send(http.MethodPost, webDevice, "Secure-Session-Response", d.proof(offered[1], true)),
		d.send(http.MethodPost, webRefresh),
	} {
		testhost.WantAnswer(t, recorder, http.StatusServiceUnavailable, busyBody)
		if recorder.Header().Get("Set-Cookie") != "" || recorder.Header().Get("Retry-After") == "" {
			t.Errorf("headers: %v", recorder.Header())
		}
	}
	close(answer)
	wg.Wait()
	d.register(offered[1])
}
