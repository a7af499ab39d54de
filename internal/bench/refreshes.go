package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	refreshPath = "/auth/refresh-tokens"
	refreshMark = `"refresh":{"token":"` // the text before the refresh token in an answer of this module
)

// refreshes measures a refresh that rotates and one that repeats, and the refreshes of other modules.
func refreshes(r *report, engines []*engine, rounds int, d time.Duration) {
	var measured []refreshContenders
	for _, e := range engines {
		c := newRefreshContenders(e)
		compete(c.all(), rounds, d)
		measured = append(measured, c)
	}
	peers := competingPeers(rounds, d)

	r.section("A refresh that rotates", fmt.Sprintf("Over HTTP. %d keep-alive clients each walk down a chain of refresh tokens of their own; "+
		"medians of %d rounds of %v, taken in turns. The floor runs a bare `UPDATE` by primary key and signs two tokens; it checks nothing.", clients, rounds, d))
	var bars []bar
	r.table("server", "refreshes/s", "p50", "p99", "of the floor's refreshes/s", "of the floor's p99")
	row := func(name string, m result, cells ...string) {
		r.result(name, m, cells...)
		bars = append(bars, bar{name, m.perSecond})
	}
	for _, c := range measured {
		floor, ours := c.floor.median(), c.rotating.median()
		row("floor, "+c.engine, floor, "", "")
		if c.sqlFloor != nil {
			m := c.sqlFloor.median()
			row("floor, "+c.engine+" through `database/sql`", m, m.speed(floor), m.tail(floor))
		}
		row("**refreshtokens**, "+c.engine, ours, ours.speed(floor), ours.tail(floor))
	}
	for _, p := range peers {
		row(p.name, p.median(), "", "")
	}
	r.print("\nIn memory, gin-jwt is the fastest: it asks no database and writes to no disk. Its refresh tokens end with the process.\n")
	r.plotBars("throughput", "refreshes per second", bars)

	r.section("A refresh that repeats", "Over HTTP, in turns with the refreshes above, with the default grace period. Each client presents a live token of "+
		"its own again and again. The token is younger than twice the grace period, so the answer is the same refresh token and a fresh access token: "+
		"one `SELECT`, no write. The floor runs a bare `SELECT` by primary key.")
	r.table("server", "refreshes/s", "p50", "p99", "of the floor's refreshes/s", "of the floor's p99", "of its refreshes/s that rotate")
	for _, c := range measured {
		floor, ours := c.reading.median(), c.repeating.median()
		r.result("floor, "+c.engine, floor, "", "", floor.speed(c.floor.median()))
		r.result("**refreshtokens**, "+c.engine, ours, ours.speed(floor), ours.tail(floor), ours.speed(c.rotating.median()))
	}
}

// refreshContenders are the contenders on one engine.
type refreshContenders struct {
	engine             string
	floor, rotating    *contender
	sqlFloor           *contender // nil if the engine has none
	reading, repeating *contender // the floor with a SELECT, and a refresh that repeats
}

func newRefreshContenders(e *engine) refreshContenders {
	strict, strictAddr := ours(e, noGrace)
	lenient, lenientAddr := ours(e, defaultGrace)
	floorAddr := floor(e.floor)
	c := refreshContenders{
		engine:    e.name,
		floor:     &contender{addr: floorAddr, requests: chains(mintFloor(e), "/refresh", "refreshToken", "")},
		rotating:  &contender{addr: strictAddr, requests: chains(mintOurs(strict), refreshPath, "refreshToken", refreshMark)},
		reading:   &contender{addr: floorAddr, requests: chains(mintFloor(e), "/repeat", "refreshToken", "")},
		repeating: &contender{addr: lenientAddr, requests: repeats(lenient)},
	}
	if e.sqlFloor != nil {
		c.sqlFloor = &contender{addr: floor(e.sqlFloor), requests: c.floor.requests}
	}
	return c
}

func (c refreshContenders) all() []*contender {
	all := []*contender{c.floor, c.rotating, c.reading, c.repeating}
	if c.sqlFloor != nil {
		all = append(all, c.sqlFloor)
	}
	return all
}

// competingPeers measures other modules.
func competingPeers(rounds int, d time.Duration) []*contender {
	always, stopAlways := startRedis("always")
	none, stopNone := startRedis("")
	defer stopAlways()
	defer stopNone()
	var peers []*contender
	for name, addr := range map[string]string{"gin-jwt, memory": "", "gin-jwt, Redis `appendfsync always`": always, "gin-jwt, Redis without persistence": none} {
		mint, server := ginJWT(addr)
		peers = append(peers, &contender{name: name, addr: server, requests: chains(mint, "/refresh", "refresh_token", `"refresh_token":"`)})
	}
	slices.SortFunc(peers, func(a, b *contender) int { return strings.Compare(a.name, b.name) })
	compete(peers, rounds, d)
	return peers
}

// chains gives each client a chain of tokens of its own.
func chains(mint func() string, path, field, mark string) func() []request {
	return func() []request {
		all := make([]request, clients)
		for i := range all {
			all[i] = chain(path, field, mint(), mark)
		}
		return all
	}
}

// repeats gives each client a live token of its own. It refreshes once first, because the first token after a login always
// rotates.
func repeats(auth *refreshtokens.Plugin) func() []request {
	mint := mintOurs(auth)
	return func() []request {
		all := make([]request, clients)
		for i := range all {
			tokens := must(auth.Refresh(context.Background(), mint(), plugin.Device{}))
			all[i] = again(refreshPath, "refreshToken", tokens.Refresh.Token, refreshMark)
		}
		return all
	}
}

func mintOurs(auth *refreshtokens.Plugin) func() string {
	return func() string { return must(auth.Issue(context.Background(), subject, plugin.Device{})).Refresh.Token }
}

func mintFloor(e *engine) func() string {
	return func() string {
		id := newID()
		if err := e.floor.insert(context.Background(), id, subject, time.Now().Unix(), time.Now().Unix()+3600); err != nil {
			log.Fatal(err)
		}
		return id
	}
}
