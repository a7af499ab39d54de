// Command bench measures refreshtokens against a floor and against other modules, side by side in one run. The floor does only
// the work that no refresh can do without. The command writes docs/benchmarks.md and its plots.
//
// The server, the database and the load share one machine, so only the ratios mean something.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/jwtauth/v5"
	"github.com/golang-jwt/jwt/v5"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

func main() {
	rounds := flag.Int("rounds", 5, "how many rounds each system runs; the systems take turns")
	duration := flag.Duration("duration", 3*time.Second, "how long a round lasts")
	rows := flag.Int("rows", 1_000_000, "rows of the largest table to measure latency on")
	out := flag.String("out", "../../docs", "the folder for the report")
	flag.Parse()
	postgresDSN, mysqlDSN := os.Getenv("REFRESHTOKENS_POSTGRES_DSN"), os.Getenv("REFRESHTOKENS_MYSQL_DSN")
	if *duration > time.Minute/2 {
		log.Fatal("-duration must be 30 s at most: a token repeats for a minute, and then it would rotate")
	}
	if postgresDSN == "" || mysqlDSN == "" {
		log.Fatal("set REFRESHTOKENS_POSTGRES_DSN and REFRESHTOKENS_MYSQL_DSN")
	}

	pg, maria := openPostgres(postgresDSN), openMySQL(mysqlDSN)
	engines := []*engine{pg, maria, openTunedSQLite(), openListingSQLite()}
	r := &report{dir: *out}
	r.head(pg, maria, *rounds, *duration, *rows)

	refreshes(r, engines, *rounds, *duration)
	logins(r, engines, *rounds, *duration)
	bursts(r, engines)
	written(r, pg)
	growth(r, pg, *rows, *rounds, *duration)
	purging(r, engines[:2], *duration)
	middlewares(r)
	algorithms(r)
	r.write()
	for _, e := range engines {
		e.close()
	}
}

// contender is a system under load.
type contender struct {
	name     string
	addr     string
	requests func() []request
	results  []result
}

func (c *contender) median() result {
	slices.SortFunc(c.results, func(a, b result) int { return int(a.perSecond - b.perSecond) })
	m := c.results[len(c.results)/2]
	p99s := make([]time.Duration, 0, len(c.results))
	for _, r := range c.results {
		p99s = append(p99s, r.p99)
	}
	slices.Sort(p99s)
	m.p99 = p99s[len(p99s)/2]
	return m
}

// compete runs the contenders in turns, so that noise on the machine affects all of them.
func compete(contenders []*contender, rounds int, d time.Duration) {
	for _, c := range contenders {
		load(c.addr, d/3, c.requests()) // warm up
	}
	for round := range rounds {
		for i := range contenders {
			c := contenders[(i+round)%len(contenders)]
			runtime.GC()
			c.results = append(c.results, load(c.addr, d, c.requests()))
		}
	}
}

func logins(r *report, engines []*engine, rounds int, d time.Duration) {
	r.section("A login over HTTP", "`Issue` is one `INSERT`; the floor is a bare `INSERT` and two signatures. Each client logs in users of its own. "+
		"About one login in 64 also looks for old rows to delete, and finds none here.")
	r.table("server", "logins/s", "p50", "p99", "of the floor's logins/s")
	login := func() []request {
		all := make([]request, clients)
		for i := range all {
			n := 0
			all[i] = func([]byte) (string, []byte) {
				n++
				return "/login", fmt.Appendf(nil, `{"subject":"user %d of %d"}`, n, i)
			}
		}
		return all
	}
	for _, e := range engines {
		_, addr := ours(e, defaultGrace)
		contenders := []*contender{{name: "floor", addr: floor(e.floor), requests: login}, {name: "ours", addr: addr, requests: login}}
		compete(contenders, rounds, d)
		f, o := contenders[0].median(), contenders[1].median()
		r.result("floor, "+e.name, f, "")
		r.result("**refreshtokens**, "+e.name, o, o.speed(f))
	}
}

func bursts(r *report, engines []*engine) {
	const size, rounds = 200, 20
	r.section("One token, all at once", fmt.Sprintf("%d simultaneous refreshes of one token against %d of a token each, %d bursts, with the default grace period. Each token is "+
		"the first one after a login, which rotates. Every refresh is answered 200: one of the %d rotates the one token, and the others get its successor.", size, size, rounds, size))
	r.table("database", "one token, p99", "distinct tokens, p99", "ratio")
	for _, e := range engines {
		auth, addr := ours(e, defaultGrace)
		mint := mintOurs(auth)
		batch := func(token func() string) []request {
			all := make([]request, size)
			for i := range all {
				all[i] = chain(refreshPath, "refreshToken", token(), "")
			}
			return all
		}
		distinct := func() []request { return batch(mint) }
		same := func() []request {
			token := mint()
			return batch(func() string { return token })
		}
		burst(addr, 2, distinct)
		d := burst(addr, rounds, distinct)
		s := burst(addr, rounds, same)
		r.row(e.name, millis(s.p99), millis(d.p99), s.tail(d))
	}
}

// written measures the size of PostgreSQL's WAL and table. These don't depend on the machine.
func written(r *report, pg *engine) {
	const refreshes = 20_000
	auth, _ := ours(pg, noGrace)
	wal := func(work func()) float64 {
		pg.db.Exec("CHECKPOINT")
		var before, after string
		pg.db.Raw("SELECT pg_current_wal_insert_lsn()").Scan(&before)
		work()
		pg.db.Raw("SELECT pg_current_wal_insert_lsn()").Scan(&after)
		var bytes float64
		pg.db.Raw("SELECT pg_wal_lsn_diff(?, ?)", after, before).Scan(&bytes)
		return bytes / refreshes
	}
	size := func() (bytes int64) {
		pg.db.Exec("VACUUM refresh_tokens")
		pg.db.Raw("SELECT pg_total_relation_size('refresh_tokens')").Scan(&bytes)
		return bytes
	}
	const sessions = 100
	ids, tokens := make([]string, sessions), make([]string, sessions)
	for i := range sessions {
		ids[i] = mintFloor(pg)()
		tokens[i] = mintOurs(auth)()
	}
	bare := wal(func() {
		for i := range refreshes {
			must(pg.floor.bump(context.Background(), ids[i%sessions], int64(i), int64(i)))
		}
	})
	before := size()
	whole := wal(func() {
		for i := range refreshes {
			tokens[i%sessions] = must(auth.Refresh(context.Background(), tokens[i%sessions], plugin.Device{})).Refresh.Token
		}
	})
	r.section("Bytes written", fmt.Sprintf("PostgreSQL, %s refreshes of %d sessions. Every one rotates.", thousands(refreshes), sessions))
	r.table("", "WAL for each refresh", "table and indexes grew, after VACUUM")
	r.row("bare UPDATE", fmt.Sprintf("%.0f B", bare), "")
	r.row("**refreshtokens**", fmt.Sprintf("%.0f B (%s)", whole, times(whole/bare)), fmt.Sprintf("%d B", size()-before))
}

// growth measures latency on tables of growing size. It refreshes sessions from all parts of the table.
func growth(r *report, pg *engine, most, rounds int, d time.Duration) {
	_, addr := ours(pg, noGrace)
	floorAddr := floor(pg.floor)
	r.section("Latency over rows", fmt.Sprintf("PostgreSQL, %d clients, sessions drawn from the whole table, medians of %d rounds of %v. Every refresh rotates. "+
		"Each round comes right after a checkpoint, so PostgreSQL writes every page that it meets once in full. "+
		"Two sessions of every page have been refreshed before: where nothing but `INSERT` has been, a page has no room to update in place.",
		clients, rounds, d))
	r.table("rows", "refreshes/s", "p50", "p99", "p50 of the smallest's", "the floor's p50", "of its smallest's")
	var points []point
	var first, firstFloor result
	have := 0
	now := time.Now().Unix()
	pg.db.Exec("TRUNCATE refresh_tokens")
	for n := 10_000; n <= most; n *= 10 {
		// The ids are ordered like UUIDs of version 7.
		pg.db.Exec(insertInto+`
			SELECT (lpad(to_hex(?::bigint * 1000 + i), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid,
				'user ' || i, 1, ?::bigint, ?::bigint, ?::bigint, 0, '', 'bench/1.0', '192.0.2.1'
			FROM generate_series(?::bigint, ?::bigint) i`, now, now, now+604800, now, have+1, n)
		have = n
		pg.db.Exec(`UPDATE refresh_tokens SET ip = '192.0.2.2' WHERE ctid = ANY(ARRAY(SELECT format('(%s,%s)', page, line)::tid
			FROM generate_series(0, pg_relation_size('refresh_tokens') / current_setting('block_size')::int - 1) page, generate_series(1, 2) line))`)
		pg.db.Exec("VACUUM ANALYZE refresh_tokens")
		var picked []struct{ ID, Subject string }
		pg.db.Raw("SELECT id, subject FROM refresh_tokens TABLESAMPLE BERNOULLI (?) WHERE generation = 1 ORDER BY random() LIMIT 200000",
			min(100, 100*250_000/float64(n))).Scan(&picked)
		bare, tokens := make(chan string, len(picked)), make(chan string, len(picked))
		for i, p := range picked {
			if i%2 == 0 {
				bare <- p.ID
			} else {
				tokens <- refreshTokenOf(p.ID, p.Subject, now)
			}
		}
		afterCheckpoint := func(draw func() []request) func() []request {
			return func() []request {
				pg.db.Exec("CHECKPOINT")
				return draw()
			}
		}
		contenders := []*contender{
			{addr: floorAddr, requests: afterCheckpoint(func() []request { return drawn(bare, "/refresh", "") })},
			{addr: addr, requests: afterCheckpoint(func() []request { return drawn(tokens, refreshPath, refreshMark) })},
		}
		compete(contenders, rounds, d)
		f, m := contenders[0].median(), contenders[1].median()
		if first.p50 == 0 {
			first, firstFloor = m, f
		}
		r.row(thousands(float64(n)), thousands(m.perSecond), millis(m.p50), millis(m.p99), times(float64(m.p50)/float64(first.p50)),
			millis(f.p50), times(float64(f.p50)/float64(firstFloor.p50)))
		points = append(points, point{float64(n), float64(m.p50) / 1e6, float64(m.p99) / 1e6})
	}
	r.plotLines("latency", "sessions in the table", "ms", points)
	pg.db.Exec("TRUNCATE refresh_tokens")
}

// drawn makes each client take a token from the head of the queue and present it. Then the client puts the token of the answer
// at the end of the queue. If mark is empty, it puts the same token back.
func drawn(queue chan string, path, mark string) []request {
	requests := make([]request, clients)
	for i := range requests {
		var token string
		requests[i] = func(answer []byte) (string, []byte) {
			if answer != nil {
				if mark != "" {
					token = rotated(answer, mark, token)
				}
				queue <- token
			}
			token = <-queue
			return path, []byte(`{"refreshToken":"` + token + `"}`)
		}
	}
	return requests
}

// purging measures refreshes while many rows are purged.
func purging(r *report, engines []*engine, d time.Duration) {
	const dead = 1_000_000
	r.section("Refreshes beside a purge", fmt.Sprintf("%s dead rows are purged while %d clients refresh. Every refresh rotates.", thousands(dead), clients))
	r.table("database", "p99 without", "p99 beside the purge", "ratio", "rows purged meanwhile")
	for _, e := range engines {
		auth, addr := ours(e, noGrace)
		fill := insertInto + `SELECT gen_random_uuid(), 'user ' || i, 1, 1, 2, 1 + i / 100, 0, '', 'bench/1.0', '192.0.2.1' FROM generate_series(1, ?::bigint) i`
		if e.name == "MariaDB" {
			fill = insertInto + `SELECT uuid(), concat('user ', seq), 1, 1, 2, 1 + seq DIV 100, 0, '', 'bench/1.0', '192.0.2.1' FROM seq_1_to_1000000 LIMIT ?`
		}
		if err := e.db.Exec(fill, dead).Error; err != nil {
			log.Fatal(err)
		}
		e.db.Exec(map[string]string{"PostgreSQL": "VACUUM ANALYZE refresh_tokens", "MariaDB": "ANALYZE TABLE refresh_tokens"}[e.name])
		requests := chains(mintOurs(auth), refreshPath, "refreshToken", refreshMark)
		load(addr, d/3, requests())
		without := load(addr, 2*d, requests())
		ctx, cancel := context.WithCancel(context.Background())
		purged := make(chan int64)
		go func() {
			n, _ := auth.Purge(ctx)
			purged <- n
		}()
		with := load(addr, 2*d, requests())
		cancel()
		r.row(e.name, millis(without.p99), millis(with.p99), with.tail(without), thousands(float64(<-purged)))
	}
}

// middlewares measures how long it takes to verify one access token, without a network.
func middlewares(r *report) {
	lite := openTunedSQLite()
	defer lite.close()
	auth := must(refreshtokens.New(refreshtokens.Config{DB: lite.db, Secret: []byte(secret), Logger: slog.New(slog.DiscardHandler)}))
	token := must(auth.Issue(context.Background(), subject, plugin.Device{})).Access.Token
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

	router := newRouter()
	router.GET("/", auth.RequireAuth(), func(c *gin.Context) { c.Status(http.StatusOK) })
	empty := newRouter()
	empty.GET("/", func(c *gin.Context) { c.Status(http.StatusOK) })
	chi := jwtauth.New("HS256", []byte(secret), nil)
	handler := jwtauth.Verifier(chi)(jwtauth.Authenticator(chi)(http.HandlerFunc(ok)))

	request := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	request.Header.Set("Authorization", "Bearer "+token)
	serving := func(h http.Handler) testing.BenchmarkResult {
		return testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			recorder := httptest.NewRecorder()
			for b.Loop() {
				h.ServeHTTP(recorder, request)
			}
		})
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}))
	key := func(*jwt.Token) (any, error) { return []byte(secret), nil }
	bare := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(parser.Parse(token, key))
		}
	})
	ginOnly := serving(empty)
	r.section("An access token", "One goroutine, HS256, the same token, which the process has seen before.")
	r.table("", "time", "allocations", "of golang-jwt's time")
	for _, row := range []struct {
		name   string
		result testing.BenchmarkResult
	}{
		{"golang-jwt, a bare parse", bare},
		{"Gin, a route without middleware", ginOnly},
		{"**`RequireAuth`**, with Gin around it", serving(router)},
		{"gin-jwt's middleware, with Gin around it", serving(ginJWTRoute())},
		{"go-chi/jwtauth, without a router", serving(handler)},
	} {
		r.row(row.name, fmt.Sprintf("%.1f µs", float64(row.result.NsPerOp())/1000), strconv.FormatInt(row.result.AllocsPerOp(), 10),
			times(float64(row.result.NsPerOp())/float64(bare.NsPerOp())))
	}
}

func output(name string, args ...string) string {
	text, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

func cpu() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
