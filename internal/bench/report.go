package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// report collects the text of docs/benchmarks.md. It also prints the text at once.
type report struct {
	dir  string
	text strings.Builder
}

func (r *report) print(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	fmt.Print(line)
	r.text.WriteString(line)
}

func (r *report) head(pg, maria *engine, rounds int, d time.Duration, rows int) {
	var pgVersion, mariaVersion string
	pg.db.Raw("SHOW server_version").Scan(&pgVersion)
	maria.db.Raw("SELECT version()").Scan(&mariaVersion)
	r.print("# Benchmarks\n\nWritten by `make bench`; don't edit. The server, the database and the load share one machine, so only the\n" +
		"ratios mean something, and a few percent either way don't.\n\n")
	r.print("- %s, %s, %d cores\n- %s, PostgreSQL %s, MariaDB %s, %s\n", time.Now().Format(time.DateOnly), cpu(), runtime.NumCPU(),
		runtime.Version(), pgVersion, mariaVersion, strings.Join(strings.Fields(output("redis-server", "--version"))[:3], " "))
	r.print("- `make bench ROUNDS=%d DURATION=%v ROWS=%d`\n", rounds, d, rows)
	r.print("- Where every refresh rotates, the Plugin has `GracePeriod: -1`. With the default of 30 s, a token that is younger than a\n" +
		"  minute is answered again, so chains of refreshes would hardly ever rotate. A rotation is the same work either way:\n" +
		"  verify, mint, one `UPDATE`.\n")
	r.print("- PostgreSQL with fsync, MariaDB with its defaults, and SQLite twice, through mattn/go-sqlite3. *As in the README* is\n"+
		"  `file:app.db%s` and the pool that `database/sql` makes by itself.\n"+
		"  *With one connection* has `SetMaxOpenConns(1)` and `_synchronous=NORMAL` too.\n", listingDSN)
	r.print("  - `_journal_mode=WAL`: a commit appends to a log, and readers don't wait for the writer.\n" +
		"  - `_busy_timeout`: a writer that meets another one sleeps and tries again, for up to 10 s, before it fails.\n" +
		"  - `_txlock=immediate`: a transaction waits for its turn to write when it begins. Later it could only fail. This is for\n" +
		"    transactions of the host's: a refresh or a login has none.\n" +
		"  - One connection: writers queue in Go, and each goes on as soon as the one before is done.\n" +
		"  - `_synchronous=NORMAL`: only checkpoints wait for the disk. A power cut can undo the last commits, and does no other\n" +
		"    harm. It is this driver's default, so both have it. SQLite's own default waits at every commit.\n")
}

func (r *report) section(title, text string) { r.print("\n## %s\n\n%s\n\n", title, text) }

func (r *report) table(columns ...string) {
	r.row(columns...)
	r.print("|%s\n", strings.Repeat(" --- |", len(columns)))
}

func (r *report) row(cells ...string) { r.print("| %s |\n", strings.Join(cells, " | ")) }

// result adds a row to the table: a name, the result, and further cells.
func (r *report) result(name string, m result, cells ...string) {
	r.row(append([]string{name, thousands(m.perSecond), millis(m.p50), millis(m.p99)}, cells...)...)
}

func (r *report) write() {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "benchmarks.md"), []byte(r.text.String()), 0o644); err != nil {
		log.Fatal(err)
	}
}

type bar struct {
	name  string
	value float64
}

type point struct{ x, p50, p99 float64 }

func (r *report) plotBars(name, label string, bars []bar) {
	p := plot.New()
	p.X.Label.Text = label
	values, names := make(plotter.Values, len(bars)), make([]string, len(bars))
	for i, b := range bars { // in reverse, because the plot starts at the bottom
		values[len(bars)-1-i] = b.value
		names[len(bars)-1-i] = strings.NewReplacer("*", "", "`", "").Replace(b.name)
	}
	chart := must(plotter.NewBarChart(values, vg.Points(14)))
	chart.Horizontal = true
	chart.Color = plotutil.Color(2)
	p.Add(chart)
	p.NominalY(names...)
	r.save(p, name)
}

func (r *report) plotLines(name, x, y string, points []point) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Y.Min = 0
	p50, p99 := make(plotter.XYs, len(points)), make(plotter.XYs, len(points))
	for i, pt := range points {
		p50[i] = plotter.XY{X: pt.x, Y: pt.p50}
		p99[i] = plotter.XY{X: pt.x, Y: pt.p99}
	}
	if err := plotutil.AddLinePoints(p, "p50", p50, "p99", p99); err != nil {
		log.Fatal(err)
	}
	p.Y.Min = 0
	r.save(p, name)
}

func (r *report) save(p *plot.Plot, name string) {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		log.Fatal(err)
	}
	if err := p.Save(7*vg.Inch, 3.5*vg.Inch, filepath.Join(r.dir, name+".svg")); err != nil {
		log.Fatal(err)
	}
	r.print("\n![%s](%s.svg)\n", name, name)
}

func times(ratio float64) string { return fmt.Sprintf("%.2f ×", ratio) }

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }

func thousands(n float64) string {
	text := fmt.Sprintf("%.0f", n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
