package soak_test

import (
	"context"
	"database/sql"
	"os"
	"runtime"
	"testing"
	"time"
)

// sample is what the process holds at an instant.
type sample struct{ goroutines, heap, files int }

// watched is what the process held from time to time.
type watched struct{ samples []sample }

// every is how often a sample is taken.
const every = 3 * time.Second

// watch takes samples until ctx ends, once every session that there was at the beginning is over. Every minute, it logs what has
// happened.
func watch(ctx context.Context, t *testing.T, worlds []*world) *watched {
	t.Helper()
	watched := &watched{}
	began, minute := time.Now(), 1
	for pause(ctx, every) {
		passed := time.Since(began)
		s := take()
		if passed > sessionTTL {
			watched.samples = append(watched.samples, s)
		}
		for _, w := range worlds {
			w.judgeStatements(false)
		}
		if passed < time.Duration(minute)*time.Minute {
			continue
		}
		t.Logf("minute %d: heap %d KiB, %d goroutines, %d files", minute, s.heap>>10, s.goroutines, s.files)
		for _, w := range worlds {
			t.Logf("minute %d: %s: %s", minute, w.name, w.counts.String())
		}
		minute++
	}
	return watched
}

func take() sample {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, _ := os.ReadDir("/proc/self/fd") // on Linux
	return sample{runtime.NumGoroutine(), int(memory.HeapAlloc), len(files)}
}

// judge compares the least of the last third with the least of the first one: load comes and goes, and what has leaked stays. A quarter
// more is no leak, and neither is a little.
func (w *watched) judge(t *testing.T) {
	t.Helper()
	third := len(w.samples) / 3
	if third < 3 {
		t.Errorf("%d samples are too few", len(w.samples))
		return
	}
	for what, count := range map[string]struct {
		of     func(sample) int
		little int
	}{
		"goroutines":    {func(s sample) int { return s.goroutines }, 40},
		"bytes of heap": {func(s sample) int { return s.heap }, 1 << 20},
		"open files":    {func(s sample) int { return s.files }, 20},
	} {
		first, last := least(w.samples[:third], count.of), least(w.samples[len(w.samples)-third:], count.of)
		t.Logf("%s: %d in the first third, %d in the last", what, first, last)
		if last > first+first/4+count.little {
			t.Errorf("%s have grown from %d to %d", what, first, last)
		}
	}
}

func least(samples []sample, of func(sample) int) int {
	n := of(samples[0])
	for _, s := range samples {
		n = min(n, of(s))
	}
	return n
}

// maxStatements is more than the texts of statements that the module and this test have.
const maxStatements = 48

// judgeStatements counts the prepared statements of one connection of each pool, or of all when they are idle.
func (w *world) judgeStatements(idle bool) {
	if w.statements == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, p := range w.processes {
		pool, err := p.db.DB()
		if err != nil {
			w.t.Error(err)
			return
		}
		connections := 1
		if idle {
			connections = pool.Stats().Idle
		}
		var held []*sql.Conn
		for range connections {
			conn, err := pool.Conn(ctx)
			if err != nil {
				break // it was killed, or all are busy
			}
			held = append(held, conn)
			n, err := w.statements(ctx, conn)
			if err == nil && n > maxStatements {
				w.t.Errorf("%s: a connection has %d prepared statements", w.name, n)
			}
			w.mostStatements.Store(max(w.mostStatements.Load(), int64(n)))
		}
		for _, conn := range held {
			_ = conn.Close()
		}
	}
}
