package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const introduction = "# Benchmarks\n\nWritten by `make bench`; don't edit. The server, the database and the load share one machine, so only the\n" +
	"ratios mean something, and a few percent either way don't. [benchmarks.json](benchmarks.json) has the same for programs.\n\n"

const settings = `
- Where every refresh rotates, the Plugin has ` + "`GracePeriod: -1`" + `. With the default of 30 s, a token that is younger than a
  minute is answered again, so chains of refreshes would hardly ever rotate. A rotation is the same work either way:
  verify, mint, one ` + "`UPDATE`" + `.
- PostgreSQL with fsync, MariaDB with its defaults, and SQLite twice, through mattn/go-sqlite3. *As in the README* is
  ` + "`file:app.db" + listingDSN + "`" + ` and the pool that ` + "`database/sql`" + ` makes by itself.
  *With one connection* has ` + "`SetMaxOpenConns(1)`" + ` and ` + "`_synchronous=NORMAL`" + ` too.
  - ` + "`_journal_mode=WAL`" + `: a commit appends to a log, and readers don't wait for the writer.
  - ` + "`_busy_timeout`" + `: a writer that meets another one sleeps and tries again, for up to 10 s, before it fails.
  - ` + "`_txlock=immediate`" + `: a transaction waits for its turn to write when it begins. Later it could only fail. This is for
    transactions of the host's: a refresh or a login has none.
  - One connection: writers queue in Go, and each goes on as soon as the one before is done.
  - ` + "`_synchronous=NORMAL`" + `: only checkpoints wait for the disk. A power cut can undo the last commits, and does no other
    harm. It is this driver's default, so both have it. SQLite's own default waits at every commit.
- The *floor* is a Gin server that runs a bare statement and signs two tokens with golang-jwt. The *hard floor* has no Gin, no
  golang-jwt and no ` + "`encoding/json`" + `: it is net/http, a prepared statement, HMACs from a pool, and JSON put together by hand. Both
  check nothing.
`

// render returns the report, or with one part, its sections.
func render(parts []*part) string {
	var b strings.Builder
	if len(parts) > 1 {
		b.WriteString(introduction)
		writeRuns(&b, parts)
		b.WriteString(settings)
	}
	writeGoals(&b, parts)
	for _, p := range parts {
		for _, s := range p.Sections {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", s.Title, s.Text)
			writeTable(&b, s.Columns, s.Rows)
			if s.Note != "" {
				fmt.Fprintf(&b, "\n%s\n", s.Note)
			}
			if s.Plot != "" {
				fmt.Fprintf(&b, "\n![%s](%s.svg)\n", strings.ReplaceAll(s.Plot, "-", " "), s.Plot)
			}
		}
	}
	return b.String()
}

// writeRuns says which parts were measured together.
func writeRuns(b *strings.Builder, parts []*part) {
	type key struct{ measured, command, machine string }
	var keys []key
	names, seconds := map[key][]string{}, map[key]float64{}
	for _, p := range parts {
		k := key{p.Measured, p.Command, p.Machine}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
		names[k] = append(names[k], p.Name)
		seconds[k] += p.Seconds
	}
	for _, k := range keys {
		which := ""
		if len(keys) > 1 {
			which = ": " + strings.Join(names[k], ", ")
		}
		fmt.Fprintf(b, "- %s, %s\n- %s took %v%s\n", k.measured, k.machine, k.command, time.Duration(seconds[k])*time.Second, which)
	}
}

func writeGoals(b *strings.Builder, parts []*part) {
	var rows [][]string
	for _, p := range parts {
		for _, g := range p.Goals {
			bound, met := "at most ", "**no**"
			if g.AtLeast {
				bound = "at least "
			}
			if g.met() {
				met = "yes"
			}
			rows = append(rows, []string{g.What, quantity(g.Measured, g.Unit), bound + quantity(g.Bound, g.Unit), met})
		}
	}
	if len(rows) > 0 {
		b.WriteString("\n## Goals\n\n")
		writeTable(b, []string{"", "measured", "goal", "met"}, rows)
	}
}

func writeTable(b *strings.Builder, columns []string, rows [][]string) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)))
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}

func quantity(value float64, unit string) string {
	if unit == "×" {
		return times(value)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

func times(ratio float64) string { return fmt.Sprintf("%.2f ×", ratio) }

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }

func micros(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}

func thousands(n float64) string {
	text := fmt.Sprintf("%.0f", n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
