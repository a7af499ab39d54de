package soak_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// world is one database, two processes on it, and their users.
type world struct {
	engine

	t         *testing.T
	processes [2]*process
	transport *http.Transport
	ledger    *ledger
	counts    counts

	mostStatements atomic.Int64 // that a connection had prepared
}

// newWorlds opens every database, with two pools each.
func newWorlds(t *testing.T) []*world {
	var worlds []*world
	for _, e := range engines(t) {
		w := &world{engine: e, t: t, ledger: newLedger(t, e.name), transport: &http.Transport{
			MaxIdleConnsPerHost: usersOfWorld, IdleConnTimeout: 2 * time.Second, // so that goroutines come and go with the load
		}}
		t.Cleanup(w.transport.CloseIdleConnections)
		for i := range w.processes {
			w.processes[i] = newProcess(t, testdb.Open(t, e.open(), &gorm.Config{}))
		}
		worlds = append(worlds, w)
	}
	return worlds
}

// run has the users and the operators work until ctx ends, and then lets them finish what they are at.
func (w *world) run(ctx context.Context, duration time.Duration) {
	var wait sync.WaitGroup
	w.deployFirst()
	wait.Go(func() { w.changeKeys(ctx) })
	wait.Go(func() { w.purge(ctx) })
	wait.Go(func() {
		// In the last third connections live long enough to show what is left on them.
		kills, cancel := context.WithTimeout(ctx, duration*2/3)
		defer cancel()
		w.killConnections(kills)
	})
	for i := range usersOfWorld {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for ctx.Err() == nil {
				newUser(w, random).live(ctx)
			}
		})
	}
	wait.Wait()
}

// judge looks at what is left after the run.
func (w *world) judge() {
	t := w.t
	w.transport.CloseIdleConnections()
	for _, p := range w.processes {
		p.server.Close()
		pool, err := p.db.DB()
		if err != nil {
			t.Fatal(err)
		}
		idle := wantSoon(t, w.name+": connections in use", func() (int, bool) {
			n := pool.Stats().InUse
			return n, n == 0
		})
		if !idle {
			return // there may be no connection left to look at the table with
		}
	}
	w.judgeStatements(true)
	t.Logf("%s: a connection had up to %d prepared statements", w.name, w.mostStatements.Load())
	w.ledger.judge(w.processes[0].db, w.counts.failedLogins.Load())
	w.counts.judge(t, w.name)
	if w.kill != nil && w.counts.killed.Load() == 0 {
		t.Errorf("%s: no connection was killed", w.name)
	}

	// Two minutes later, every session is past its end.
	later := w.processes[0].newPlugin(w, w.processes[0].build, func() time.Time { return time.Now().Add(2 * sessionTTL) })
	purged, err := later.Purge(context.Background())
	if rows := w.processes[0].rows(t); err != nil || rows > 0 {
		t.Errorf("%s: the last purge deleted %d and left %d rows, %v", w.name, purged, rows, err)
	}
}
