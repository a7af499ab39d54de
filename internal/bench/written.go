package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	writes   = 5_000 // refreshes
	writtenN = 100   // sessions
)

// written measures how many bytes a refresh makes the databases write. This does not depend on the machine. Nobody else may use them
// meanwhile.
func (r *run) written() {
	r.section("Bytes written", fmt.Sprintf("%s refreshes of %d sessions, one after the other, with the user agent and address of a browser. Every one rotates. Right after a checkpoint, PostgreSQL also writes "+
		"every page once in full that it meets; [Bytes of a session](#bytes-of-a-session) says what that adds up to.", thousands(writes), writtenN),
		"", "bytes for each refresh", "of a bare `UPDATE`")
	execute(r.pg, "CHECKPOINT")
	r.writes(r.pg, "WAL of PostgreSQL", r.pg.logged)
	r.row("table and indexes of PostgreSQL, after `VACUUM`", fmt.Sprintf("%.1f", r.grown(r.pg)))
	r.writes(r.maria, "redo log of MariaDB", r.maria.logged)
	r.writes(r.lite, "SQLite with one connection: all that is written", func() float64 { return float64(ownWrites()) })

	server, err := startMariaDB()
	if err != nil {
		r.note("The binary log was not measured: " + err.Error())
		return
	}
	defer server.stop()
	for _, format := range []string{"MIXED", "ROW"} {
		if err := server.setFormat(format); err != nil {
			r.note("The binary log was not measured: " + err.Error())
			return
		}
		e := openMySQL(server.dsn)
		r.writes(e, "binary log of MariaDB, `binlog_format="+format+"`", server.binlog)
		e.close()
	}
}

// writes adds a row: what a counter grows by for each refresh, and for each bare UPDATE.
func (r *run) writes(e *engine, name string, counter func() float64) {
	auth, _ := ours(e, noGrace)
	device := plugin.Device{UserAgent: userAgent, IP: "192.0.2.1"}
	ids, tokens := make([]string, writtenN), make([]string, writtenN)
	for i := range writtenN {
		ids[i], tokens[i] = mintFloor(e)(), must(auth.Issue(context.Background(), subject, device)).Refresh.Token
	}
	measure := func(work func(i int)) float64 {
		before := counter()
		for i := range writes {
			work(i)
		}
		return (counter() - before) / writes
	}
	now := time.Now().Unix()
	bare := measure(func(i int) { must(e.floor.bump(context.Background(), ids[i%writtenN], now+int64(i), now)) })
	whole := measure(func(i int) {
		tokens[i%writtenN] = must(auth.Refresh(context.Background(), tokens[i%writtenN], device)).Refresh.Token
	})
	r.row(name, fmt.Sprintf("%.0f", whole), times(whole/bare))
	r.number(strings.ReplaceAll(name, "`", "")+", of a refresh, B", whole)
}

// grown returns by how many bytes PostgreSQL's table and indexes grow with each refresh.
func (r *run) grown(e *engine) float64 {
	size := func() float64 {
		execute(e, "VACUUM refresh_tokens")
		return e.number("SELECT pg_total_relation_size('refresh_tokens')")
	}
	auth, _ := ours(e, noGrace)
	token := must(auth.Issue(context.Background(), subject, plugin.Device{})).Refresh.Token
	before := size()
	for range writes {
		token = must(auth.Refresh(context.Background(), token, plugin.Device{})).Refresh.Token
	}
	return (size() - before) / writes
}

// number returns the one number that a query finds.
func (e *engine) number(query string) float64 {
	var n sql.NullFloat64
	if err := e.db.Raw(query).Row().Scan(&n); err != nil {
		panic(err)
	}
	return n.Float64
}

// ownWrites returns how many bytes this process has written by system calls.
func ownWrites() (n int64) {
	text := must(os.ReadFile("/proc/self/io"))
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "wchar: %d", &n); err == nil {
			break
		}
	}
	return n
}
