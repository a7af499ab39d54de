package shards_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// TestHungShard stops a shard without killing it, so that its connections stay open and nobody answers. The settings of
// docs/engines.md end the wait. Without them, requests to that shard would take all connections of the host's pool.
func TestHungShard(t *testing.T) {
	each(t, pairs, func(t *testing.T, table *table) {
		const victim = 1
		devices := table.newDevices(t, 32)
		table.load(t, devices, "the load", func(d *device) bool { return d.rotations > 5 })

		processes := table.shards[victim].processes(t)
		t.Cleanup(func() { signal(processes, syscall.SIGCONT) })
		signal(processes, syscall.SIGSTOP)
		for _, d := range devices {
			d.reset()
		}
		table.load(t, devices, "the stop", func(d *device) bool {
			return d.shard == victim && d.failures >= 2 || d.shard != victim && d.rotations >= 5
		})
		for _, d := range devices {
			d.expect(t, d.failures == 0 || d.shard == victim, "beside the shard that hung")
			d.expect(t, d.slowest < patience, "while a shard hung")
		}

		signal(processes, syscall.SIGCONT)
		for _, d := range devices {
			d.resume(table)
			d.expect(t, d.rotations == 1, "after the stop")
		}
	}, testhost.RealTime)
}

// patience is less than the time in which a refresh gives up by itself.
const patience = 12 * time.Second

func signal(processes []int, signal syscall.Signal) {
	for _, process := range processes {
		_ = syscall.Kill(process, signal)
	}
}

// processes returns the ids of the server's processes.
func (s *server) processes(t testing.TB) []int {
	t.Helper()
	root, err := s.pid()
	if err != nil {
		t.Fatal(err)
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	all := []int{root}
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		var id, parent int
		var state string
		name := strings.LastIndex(string(text), ")") // a program's name may have spaces
		_, _ = fmt.Sscan(string(text), &id)
		_, _ = fmt.Sscan(string(text[name+1:]), &state, &parent)
		if slices.Contains(all[:1], parent) {
			all = append(all, id)
		}
	}
	return all
}
