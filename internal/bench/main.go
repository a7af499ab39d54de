// Command bench measures refreshtokens against floors and against other modules, side by side in one run. A floor does only
// the work that no refresh can do without. The command writes docs/benchmarks.md, its plots, and the same as JSON.
//
// The server, the database and the load share one machine, so only the ratios mean something.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"
)

// run is one run of the command.
type run struct {
	*report
	rounds   int
	duration time.Duration
	rows     int

	postgresDSN, mysqlDSN string
	pg, maria             *engine
	lite, listing         *engine // SQLite with one connection, and as in the README
}

func (r *run) engines() []*engine { return []*engine{r.pg, r.maria, r.lite, r.listing} }

// parts are what can be measured by itself, in the order of the report.
var parts = []struct {
	name    string
	measure func(*run)
}{
	{"refresh", (*run).refreshes},
	{"login", (*run).logins},
	{"dpop", (*run).proofs},
	{"live", (*run).liveSessions},
	{"extras", (*run).extras},
	{"burst", (*run).bursts},
	{"purge", (*run).purging},
	{"growth", (*run).growth},
	{"access", (*run).accessTokens},
	{"cpu", (*run).processors},
	{"connections", (*run).pools},
	{"written", (*run).written},
	{"sizes", (*run).sizes},
}

func main() {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	rounds := flag.Int("rounds", 5, "how many rounds each system runs; the systems take turns")
	duration := flag.Duration("duration", 3*time.Second, "how long a round lasts")
	rows := flag.Int("rows", 10_000_000, "rows of the largest table")
	only := flag.String("only", "", "the parts to measure, with commas between them; the report keeps what it has of the others: "+strings.Join(names, ","))
	out := flag.String("out", "../../docs", "the folder for the report")
	serveOn := flag.String("serve", "", "serve on a database of this kind, and print the address: the command starts itself with it")
	flag.Parse()
	if *serveOn != "" {
		serveAlone(*serveOn, flag.Arg(0))
		return
	}
	r := &run{
		rounds: *rounds, duration: *duration, rows: *rows,
		postgresDSN: os.Getenv("REFRESHTOKENS_POSTGRES_DSN"), mysqlDSN: os.Getenv("REFRESHTOKENS_MYSQL_DSN"),
	}
	if r.duration > time.Minute/2 {
		log.Fatal("-duration must be 30 s at most: a token repeats for a minute, and then it would rotate")
	}
	if r.postgresDSN == "" || r.mysqlDSN == "" {
		log.Fatal("set REFRESHTOKENS_POSTGRES_DSN and REFRESHTOKENS_MYSQL_DSN")
	}
	chosen := names
	if *only != "" {
		chosen = strings.Split(*only, ",")
	}
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			log.Fatalf("there is no part %q: choose from %s", name, strings.Join(names, ", "))
		}
	}
	r.pg, r.maria, r.lite, r.listing = openPostgres(r.postgresDSN), openMySQL(r.mysqlDSN), openTunedSQLite(), openListingSQLite()
	r.report = openReport(*out, names)
	machine := r.machine()
	for _, p := range parts {
		if !slices.Contains(chosen, p.name) {
			continue
		}
		r.begin(p.name, fmt.Sprintf("`make bench ROUNDS=%d DURATION=%v ROWS=%d`", r.rounds, r.duration, r.rows), machine)
		p.measure(r)
		r.end()
	}
	r.writeCapacity()
	for _, e := range r.engines() {
		e.close()
	}
}
