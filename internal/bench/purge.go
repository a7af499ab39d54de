package main

import (
	"context"
	"fmt"
	"time"
)

// purging measures refreshes while many rows are purged.
func (r *run) purging() {
	const dead = 1_000_000
	r.section("Refreshes beside a purge", fmt.Sprintf("%s dead rows are purged while %d clients refresh. Every refresh rotates. Rounds of %v without a purge and beside one, in turns; "+
		"medians of %d. Each round goes on with the purge where the one before stopped it.", thousands(dead), clients, 2*r.duration, r.rounds),
		"database", "p99 without", "p99 beside the purge", "ratio", "refreshes/s without", "beside", "rows purged in a second")
	for _, e := range []*engine{r.pg, r.maria} {
		auth, addr := ours(e, noGrace)
		fill := insertInto + `SELECT gen_random_uuid(), 'user ' || i, 1, 1, 2, 1 + i / 100, 0, '', 'bench/1.0', '192.0.2.1' FROM generate_series(1, ?::bigint) i`
		analyze := "VACUUM ANALYZE refresh_tokens"
		if e == r.maria {
			fill = insertInto + `SELECT uuid(), concat('user ', seq), 1, 1, 2, 1 + seq DIV 100, 0, '', 'bench/1.0', '192.0.2.1' FROM seq_1_to_1000000 LIMIT ?`
			analyze = "ANALYZE TABLE refresh_tokens"
		}
		empty(e)
		execute(e, fill, dead)
		execute(e, analyze)
		requests := chains(mintOurs(auth), refreshPath, "refreshToken", refreshMark)
		without, beside := &contender{}, &contender{}
		var purged int64
		var took time.Duration
		load(addr, r.duration, requests())
		for range r.rounds {
			without.results = append(without.results, load(addr, 2*r.duration, requests()))
			next := requests()
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan int64)
			began := time.Now()
			go func() {
				n, _ := auth.Purge(ctx) // stopped by ctx
				done <- n
			}()
			beside.results = append(beside.results, load(addr, 2*r.duration, next))
			cancel()
			purged += <-done
			took += time.Since(began)
		}
		if purged == 0 || purged >= dead {
			r.note("The purge of " + e.name + " did nothing, or ended before the load did.")
		}
		w, b := without.median(), beside.median()
		rate := float64(purged) / took.Seconds()
		r.row(e.name, millis(w.p99), millis(b.p99), times(b.tail(w)), thousands(w.perSecond), thousands(b.perSecond), thousands(rate))
		r.atMost("p99 of a refresh beside a purge, of that without, "+e.name, b.tail(w), 1.2, "×")
		r.number("purged beside refreshes, "+e.name+", rows/s", rate)
		empty(e)
	}
}
