package main

import (
	"fmt"
)

// cited are servers that were measured before, beside the floor on PostgreSQL of that time. They are not run again.
var cited = []struct {
	name             string
	perSecond, floor float64
}{
	{"Supabase Auth", 430, 4722},
	{"Ory Hydra", 422, 4722},
}

// refreshes measures a refresh that rotates and one that repeats, and the refreshes of other modules.
func (r *run) refreshes() {
	var measured []refreshContenders
	for _, e := range r.engines() {
		c := newRefreshContenders(e)
		r.compete(c.all()...)
		measured = append(measured, c)
	}
	r.rotations(measured, r.peers())
	r.repetitions(measured)
}

func (r *run) rotations(measured []refreshContenders, peers []*contender) {
	r.section("A refresh that rotates", fmt.Sprintf("Over HTTP. %d keep-alive clients each walk down a chain of refresh tokens of their own; "+
		"medians of %d rounds of %v, taken in turns. The floors run a bare `UPDATE` by primary key and sign two tokens.", clients, r.rounds, r.duration),
		"server", "refreshes/s", "p50", "p99", "of the floor's refreshes/s", "of the floor's p99", "of the hard floor's refreshes/s")
	var bars []bar
	row := func(name string, m result, cells ...string) {
		r.result(name, m, cells...)
		bars = append(bars, bar{name, m.perSecond})
	}
	for _, c := range measured {
		floor, ours, hard := c.floor.median(), c.rotating.median(), c.hard.median()
		row("floor, "+c.engine, floor)
		if c.sqlFloor != nil {
			m := c.sqlFloor.median()
			row("floor, "+c.engine+" through `database/sql`", m, times(m.speed(floor)), times(m.tail(floor)))
		}
		row("hard floor, "+c.engine, hard, times(hard.speed(floor)), times(hard.tail(floor)))
		row("**refreshtokens**, "+c.engine, ours, times(ours.speed(floor)), times(ours.tail(floor)), times(ours.speed(hard)))
		r.atLeast("refreshes/s, of the floor's, "+c.engine, ours.speed(floor), 1)
		r.atMost("p99 of a refresh, of the floor's, "+c.engine, ours.tail(floor), 1.1, "×")
		r.atLeast("refreshes/s, of the hard floor's, "+c.engine, ours.speed(hard), 0.85)
		r.number("refreshes, "+c.engine+", /s", ours.perSecond)
	}
	floor, ours := measured[0].floor.median(), measured[0].rotating.median()
	for _, p := range peers {
		row(p.name, p.median())
		if p.name == ginJWTAlways {
			r.atLeast("refreshes/s on PostgreSQL, of those of "+p.name, ours.speed(p.median()), 1)
		}
	}
	note := "In memory, gin-jwt is the fastest: it asks no database and writes to no disk. Its refresh tokens end with the process."
	for _, c := range cited {
		share := c.perSecond / c.floor
		note += fmt.Sprintf(" %s was measured before, and not again: %.0f refreshes/s where the floor on PostgreSQL made %s, which is %.2f × of it.",
			c.name, c.perSecond, thousands(c.floor), share)
		r.atLeast("share of the floor's refreshes/s on PostgreSQL, of that of "+c.name+" (measured before)", ours.speed(floor)/share, 1)
	}
	r.note(note)
	r.bars("throughput", "refreshes per second", bars)
}

func (r *run) repetitions(measured []refreshContenders) {
	r.section("A refresh that repeats", "Over HTTP, in turns with the refreshes above, with the default grace period. Each client presents a live token of "+
		"its own again and again. The token is younger than twice the grace period, so the answer is the same refresh token and a fresh access token: "+
		"one `SELECT`, no write. The floor runs a bare `SELECT` by primary key.",
		"server", "refreshes/s", "p50", "p99", "of the floor's refreshes/s", "of the floor's p99", "of its refreshes/s that rotate", "of the floor's that rotate")
	for _, c := range measured {
		rotating, floor, ours := c.floor.median(), c.reading.median(), c.repeating.median()
		r.result("floor, "+c.engine, floor, "", "", times(floor.speed(rotating)))
		r.result("**refreshtokens**, "+c.engine, ours, times(ours.speed(floor)), times(ours.tail(floor)),
			times(ours.speed(c.rotating.median())), times(ours.speed(rotating)))
		r.atLeast("refreshes/s that repeat, of the floor's refreshes/s, "+c.engine, ours.speed(rotating), 1.2)
		r.number("repeats, "+c.engine+", /s", ours.perSecond)
	}
}

// refreshContenders are the contenders on one engine.
type refreshContenders struct {
	engine                string
	floor, hard, rotating *contender
	sqlFloor              *contender // nil if the engine has none
	reading, repeating    *contender // the floor with a SELECT, and a refresh that repeats
}

func newRefreshContenders(e *engine) refreshContenders {
	strict, strictAddr := ours(e, noGrace)
	lenient, lenientAddr := ours(e, defaultGrace)
	floorAddr, bare := floor(e.floor), chains(mintFloor(e), "/refresh", "refreshToken", "")
	c := refreshContenders{
		engine:    e.name,
		floor:     &contender{addr: floorAddr, requests: bare},
		hard:      &contender{addr: hardFloor(e.hard), requests: bare},
		rotating:  &contender{addr: strictAddr, requests: chains(mintOurs(strict), refreshPath, "refreshToken", refreshMark)},
		reading:   &contender{addr: floorAddr, requests: chains(mintFloor(e), "/repeat", "refreshToken", "")},
		repeating: &contender{addr: lenientAddr, requests: repeats(lenient)},
	}
	if e.sqlFloor != nil {
		c.sqlFloor = &contender{addr: floor(e.sqlFloor), requests: bare}
	}
	return c
}

func (c refreshContenders) all() []*contender {
	all := []*contender{c.floor, c.hard, c.rotating, c.reading, c.repeating}
	if c.sqlFloor != nil {
		all = append(all, c.sqlFloor)
	}
	return all
}
