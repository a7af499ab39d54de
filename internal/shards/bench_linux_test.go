package shards_test

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// share is the part of one CPU that a shard may use, so that a small machine can be outgrown by one shard.
const share = 0.12

// BenchmarkRefreshes rotates the tokens of 64 sessions through both fronts, on 1, 2 and 4 shards. Each shard is held to the share.
// Where that can't be done, the rate says little, because all shards share this machine; then the CPU time of the busiest shard is
// what to look at.
func BenchmarkRefreshes(b *testing.B) {
	for _, engine := range []string{"postgres_fdw", "Spider"} {
		b.Run(engine, func(b *testing.B) {
			rates := map[int]float64{}
			for _, shards := range []int{1, 2, 4} {
				b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) { rates[shards] = benchmarkRefreshes(b, engine, shards) })
			}
			if rates[1] > 0 {
				b.Logf("%s: %.0f, %.0f and %.0f refreshes/s on 1, 2 and 4 shards: × %.2f and × %.2f",
					engine, rates[1], rates[2], rates[4], rates[2]/rates[1], rates[4]/rates[1])
			}
		})
	}
}

func benchmarkRefreshes(b *testing.B, engine string, shards int) float64 {
	table := newTable(b, engine, shards, testhost.Strict) // where every refresh rotates
	const clients = 64
	var tokens [clients]string
	for i := range tokens {
		tokens[i] = table.hosts[i%2].Login(fmt.Sprint("user ", i)).Refresh.Token
	}
	for _, host := range table.hosts {
		pool, err := host.DB.DB()
		if err != nil {
			b.Fatal(err)
		}
		pool.SetMaxOpenConns(clients / 2)
		pool.SetMaxIdleConns(clients / 2)
	}
	refresh := func(i int) bool {
		status, next := table.hosts[i%2].TryRefresh(tokens[i])
		tokens[i] = next.Refresh.Token
		return status == http.StatusOK
	}
	if slices.Contains(together(clients, refresh), false) { // it opens all connections
		b.Fatal("a refresh failed")
	}
	used := table.shards[:shards]
	for _, shard := range used {
		if err := limit(b, shard.name, shard.processes(b), share); err != nil {
			b.Logf("the shards are not limited: %v", err)
			break
		}
	}
	before := make([]time.Duration, shards)
	for i, shard := range used {
		before[i] = shard.cpu(b)
	}
	var client atomic.Int64
	b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := int(client.Add(1)) - 1
		for i < clients && pb.Next() {
			if !refresh(i) {
				b.Error("a refresh failed")
				return
			}
		}
	})
	b.StopTimer()
	var spent []time.Duration
	for i, shard := range used {
		spent = append(spent, shard.cpu(b)-before[i])
	}
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "refreshes/s")
	b.ReportMetric(float64(slices.Max(spent).Microseconds())/float64(b.N), "busiest-cpu-µs/op")
	return rate
}

// cpu returns the CPU time that the server's processes have used.
func (s *server) cpu(t testing.TB) time.Duration {
	t.Helper()
	var ticks int64
	for _, process := range s.processes(t) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process))
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:])) // the third field is the first of these
		for _, field := range fields[11:13] {                                           // user and system time
			var n int64
			if _, err := fmt.Sscan(field, &n); err != nil {
				t.Error(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ, on every architecture that Go runs on
}
