package main

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/plot/plotter"
)

// growth measures latency on tables of growing size. It refreshes sessions from all parts of the table.
func (r *run) growth() {
	_, addr := ours(r.pg, noGrace)
	floorAddr := floor(r.pg.floor)
	r.section("Latency over rows", fmt.Sprintf("PostgreSQL, %d clients, sessions drawn from the whole table, medians of %d rounds of %v. Every refresh rotates. "+
		"Each round comes right after a checkpoint, so PostgreSQL writes every page that it meets once in full. "+
		"Two sessions of every page have been refreshed before: where nothing but `INSERT` has been, a page has no room to update in place.",
		clients, r.rounds, r.duration),
		"rows", "refreshes/s", "p50", "p99", "p50 of the smallest's", "the floor's p50", "of its smallest's")
	rows := newSessions(r.pg)
	defer empty(r.pg)
	used := map[int64]bool{}
	var p50, p99 plotter.XYs
	var first, firstFloor, m result
	var smallest, loading float64
	for n := 10_000; n <= r.rows; n *= 10 {
		loading += rows.grow(n).Seconds()
		execute(r.pg, `UPDATE refresh_tokens SET ip = '192.0.2.2' WHERE ctid = ANY(ARRAY(SELECT format('(%s,%s)', page, line)::tid
			FROM generate_series(0, pg_relation_size('refresh_tokens') / current_setting('block_size')::int - 1) page, generate_series(1, 2) line))`)
		execute(r.pg, "VACUUM ANALYZE refresh_tokens")
		bare, tokens := make(chan string, n), make(chan string, n)
		for range min(100_000, n/4) {
			bare <- rows.id(unused(used, n))
			tokens <- rows.token(unused(used, n))
		}
		afterCheckpoint := func(draw func() []request) func() []request {
			return func() []request {
				execute(r.pg, "CHECKPOINT")
				return draw()
			}
		}
		bareOnes := &contender{addr: floorAddr, requests: afterCheckpoint(func() []request { return drawn(bare, "/refresh", "") })}
		us := &contender{addr: addr, requests: afterCheckpoint(func() []request { return drawn(tokens, refreshPath, refreshMark) })}
		r.compete(bareOnes, us)
		var f result
		f, m = bareOnes.median(), us.median()
		if smallest == 0 {
			first, firstFloor, smallest = m, f, float64(n)
		}
		r.row(thousands(float64(n)), thousands(m.perSecond), millis(m.p50), millis(m.p99), times(float64(m.p50)/float64(first.p50)),
			millis(f.p50), times(float64(f.p50)/float64(firstFloor.p50)))
		p50 = append(p50, plotter.XY{X: float64(n), Y: float64(m.p50) / 1e6})
		p99 = append(p99, plotter.XY{X: float64(n), Y: float64(m.p99) / 1e6})
	}
	r.note(fmt.Sprintf("The rows were inserted in %.0f s, half a million with each statement.", loading))
	r.lines("latency", "sessions in the table", "ms", []line{{"p50", p50}, {"p99", p99}})
	r.atMost(fmt.Sprintf("p50 of a refresh on %s rows, of that on %s, PostgreSQL", thousands(float64(rows.n)), thousands(smallest)),
		float64(m.p50)/float64(first.p50), 1.2, "×")
}

// unused draws a number up to n that was not drawn before.
func unused(used map[int64]bool, n int) int64 {
	for {
		if i := 1 + rand.Int64N(int64(n)); !used[i] {
			used[i] = true
			return i
		}
	}
}
