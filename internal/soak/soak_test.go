package soak_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// variable is the environment variable that says how long the test runs: 5m or 1h.
const variable = "REFRESHTOKENS_SOAK"

// Lives are short and in real time, because Purge refuses a clock that is far from the database's. A session of a minute ends in every
// way there is within five minutes.
const (
	grace      = 8 * time.Second
	accessTTL  = 15 * time.Second
	refreshTTL = 40 * time.Second
	sessionTTL = 60 * time.Second
)

// shortest is the shortest run in which everything happens.
const shortest = 2 * time.Minute

// usersOfWorld is how many users each database has at a time.
const usersOfWorld = 40

func TestSoak(t *testing.T) {
	if os.Getenv(variable) == "" {
		t.Skipf("%s is not set", variable)
	}
	duration, err := time.ParseDuration(os.Getenv(variable))
	if err != nil || duration < shortest {
		t.Fatalf("%s must be a duration of %v or more, like 5m", variable, shortest)
	}
	goroutines := runtime.NumGoroutine()
	t.Run("all", func(t *testing.T) { soak(t, duration) })
	wantSoon(t, "goroutines at the end", func() (int, bool) {
		n := runtime.NumGoroutine() - min(cachesOfGORM(), maxCaches)
		return n, n <= goroutines
	})
}

// maxCaches is how many caches of prepared statements GORM may have: one for each of two pools of SQLite and of MariaDB, however often
// a Plugin is made. Each has a goroutine that nobody can stop.
const maxCaches = 4

func cachesOfGORM() int {
	stacks := make([]byte, 1<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("created by gorm.io/gorm/internal/lru.NewLRU"))
}

// soak runs the load on all databases at once, and judges it.
func soak(t *testing.T, duration time.Duration) {
	worlds := newWorlds(t)
	tmp := filepath.Join(t.TempDir(), "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)

	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	var wait sync.WaitGroup
	for _, w := range worlds {
		wait.Go(func() { w.run(ctx, duration) })
	}
	watched := watch(ctx, t, worlds)
	wait.Wait()

	watched.judge(t)
	for _, w := range worlds {
		w.judge()
	}
	if left, err := filepath.Glob(filepath.Join(tmp, "*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// wantSoon waits for a count to be as it should: what was closed may take a moment to be gone. It reports whether it is.
func wantSoon(t *testing.T, what string, count func() (int, bool)) bool {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		n, ok := count()
		if ok {
			return true
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Errorf("%s: %d are too many\n%s", what, n, stacks[:runtime.Stack(stacks, true)])
			return false
		}
		pause(context.Background(), 50*time.Millisecond)
	}
}

// pause waits, and reports whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
