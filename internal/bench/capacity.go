package main

import (
	_ "embed"
	"fmt"
	"log"
	"math"
	"os"
	"strings"
	"text/template"
	"time"

	"gonum.org/v1/plot/plotter"
)

//go:embed capacity.md.tmpl
var capacityTemplate string

const (
	accessTTL    = 15 * time.Minute
	shareInUse   = 0.1
	rowsFor      = 2  // rows for each living session
	coresOfShard = 16 // of which half are idle
)

var fleetSizes = []struct {
	name     string
	sessions float64
}{{"100 thousand", 1e5}, {"10 million", 1e7}, {"1 billion", 1e9}}

// capacityEngine is what one database needs.
type capacityEngine struct {
	Name, Rows                                string
	App, Database, AppLogin, DatabaseLogin    string
	Row, RowAfter                             string
	ByPool                                    []string
	appMicros, databaseMicros, bytesOfSession float64
}

type fleetNeeds struct {
	Sessions, Rate, AppCores, WAL, Binlog string
	DatabaseCores, Disk                   []string
}

// writeCapacity writes docs/capacity.md from the numbers of all parts. It writes nothing if one is missing.
func (r *run) writeCapacity() {
	numbers, missing := map[string]float64{}, []string{}
	machine := ""
	for _, p := range r.report.parts {
		for name, value := range p.Numbers {
			numbers[name] = value
		}
		if p.Name == "cpu" {
			machine = p.Machine
		}
	}
	number := func(format string, args ...any) float64 {
		name := fmt.Sprintf(format, args...)
		value, ok := numbers[name]
		if !ok {
			missing = append(missing, name)
		}
		return value
	}
	largest := r.largestTable(numbers)
	var engines []capacityEngine
	for _, name := range []string{r.pg.name, r.maria.name} {
		e := capacityEngine{
			Name: name, Rows: thousands(float64(largest)),
			appMicros:      number("a refresh that rotates, %s, server CPU, µs", name),
			databaseMicros: number("a refresh that rotates, %s, database CPU, µs", name),
			bytesOfSession: number("session, %s, %d rows, both after 1000000 refreshes, B", name, largest),
		}
		e.App, e.Database = rounded(e.appMicros), rounded(e.databaseMicros)
		e.AppLogin = rounded(number("a login, %s, server CPU, µs", name))
		e.DatabaseLogin = rounded(number("a login, %s, database CPU, µs", name))
		e.Row = rounded(number("session, %s, %d rows, table, B", name, largest) + number("session, %s, %d rows, indexes, B", name, largest))
		e.RowAfter = rounded(e.bytesOfSession)
		for _, size := range poolSizes {
			e.ByPool = append(e.ByPool, thousands(number("refreshes with %d connections, %s, /s", size, name)))
		}
		engines = append(engines, e)
	}
	wal := number("session, %s, %d rows, log of a refresh, B", r.pg.name, largest)
	binlog := number("binary log of MariaDB, binlog_format=MIXED, of a refresh, B")
	logs := []struct{ Name, Bytes string }{
		{"WAL of PostgreSQL, 100 sessions", rounded(number("WAL of PostgreSQL, of a refresh, B"))},
		{"WAL of PostgreSQL, sessions drawn from " + thousands(float64(largest)), rounded(wal)},
		{"redo log of MariaDB", rounded(number("redo log of MariaDB, of a refresh, B"))},
		{"binary log of MariaDB, `MIXED`", rounded(binlog)},
		{"binary log of MariaDB, `ROW`", rounded(number("binary log of MariaDB, binlog_format=ROW, of a refresh, B"))},
	}
	if len(missing) > 0 {
		fmt.Printf("capacity.md is not written: %s were not measured\n", strings.Join(missing, "; "))
		return
	}
	var sizes []fleetNeeds
	for _, fleet := range fleetSizes {
		rate := rateOf(fleet.sessions)
		needs := fleetNeeds{
			Sessions: fleet.name, Rate: thousands(rate), AppCores: cores(rate * engines[0].appMicros),
			WAL: bytesOf(rate / 2 * 86_400 * wal), Binlog: bytesOf(rate / 2 * 86_400 * binlog),
		}
		for _, e := range engines {
			needs.DatabaseCores = append(needs.DatabaseCores, cores(rate*e.databaseMicros))
			needs.Disk = append(needs.Disk, bytesOf(rowsFor*fleet.sessions*e.bytesOfSession))
		}
		sizes = append(sizes, needs)
	}
	shards := math.Ceil(2 * rateOf(1e9) * engines[0].databaseMicros / 1e6 / coresOfShard)
	var pools []struct{ Connections int }
	for _, size := range poolSizes {
		pools = append(pools, struct{ Connections int }{size})
	}
	var page strings.Builder
	err := template.Must(template.New("capacity").Parse(capacityTemplate)).Execute(&page, map[string]any{
		"Machine": machine, "AccessTTL": "15 minutes", "Sizes": sizes, "Engines": engines, "Logs": logs, "Pools": pools,
		"MaxConnections": connections, "Argon": "the example app's takes tens of milliseconds",
		"Shards": shards, "ShardDisk": bytesOf(rowsFor * 1e9 * engines[0].bytesOfSession / shards),
	})
	if err != nil {
		log.Fatal(err)
	}
	r.plotCapacity(engines)
	if err := os.WriteFile(r.path("capacity.md"), []byte(page.String()), 0o644); err != nil {
		log.Fatal(err)
	}
}

// largestTable returns how many rows the largest table had whose sessions were measured.
func (r *run) largestTable(numbers map[string]float64) (rows int) {
	for name := range numbers {
		var n int
		after, ours := strings.CutPrefix(name, "session, "+r.pg.name+", ")
		if _, err := fmt.Sscanf(after, "%d rows, table, B", &n); ours && err == nil {
			rows = max(rows, n)
		}
	}
	return rows
}

func (r *run) plotCapacity(engines []capacityEngine) {
	lines := []line{{name: "app"}, {name: engines[0].Name}, {name: engines[1].Name}}
	for sessions := 1e5; sessions <= 1e7; sessions *= math.Sqrt(10) {
		rate := rateOf(sessions)
		for i, micros := range []float64{engines[0].appMicros, engines[0].databaseMicros, engines[1].databaseMicros} {
			lines[i].points = append(lines[i].points, plotter.XY{X: sessions, Y: rate * micros / 1e6})
		}
	}
	r.report.part = &part{Sections: []*section{{}}}
	r.lines("capacity", "sessions", "cores that are busy", lines)
}

func rateOf(sessions float64) float64 { return sessions * shareInUse / accessTTL.Seconds() }

func rounded(value float64) string { return fmt.Sprintf("%.0f", value) }

// cores writes an amount of CPU: microseconds a second.
func cores(micros float64) string {
	if micros < 1e6 {
		return fmt.Sprintf("%.2g", micros/1e6)
	}
	return thousands(micros / 1e6)
}

func bytesOf(bytes float64) string {
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		if bytes /= 1000; bytes < 1000 || unit == "TB" {
			return fmt.Sprintf("%.3g %s", bytes, unit)
		}
	}
	return ""
}
