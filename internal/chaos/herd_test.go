package chaos_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestHerd cuts the app off from its database. Meanwhile all clients begin to refresh. When the database is back, nobody is logged out,
// and each client is served soon. The database does one statement a refresh, as on a quiet day.
//
// REFRESHTOKENS_HERD is how many sessions there are, and REFRESHTOKENS_OUTAGE how long the database is gone.
func TestHerd(t *testing.T) {
	needEnv(t, chaos)
	for _, outage := range []struct {
		name string
		of   func(*proxy)
	}{{"gone", (*proxy).refuse}, {"hangs", (*proxy).hang}} {
		t.Run(outage.name, func(t *testing.T) {
			config := testdb.NewPostgres(t)
			proxy := newProxy(t, fmt.Sprintf("%s:%d", config.Host, config.Port))
			direct := config.Copy()
			admin := stdlib.OpenDB(*direct)
			config.Host, config.Port = proxy.host(), proxy.port()
			app := newApp(t, postgresURL(config))
			herd := newHerd(t, app, admin, number(t, "REFRESHTOKENS_HERD", 5000))
			gone := time.Duration(number(t, "REFRESHTOKENS_OUTAGE", 10)) * time.Second

			before := herd.scans(admin)
			outage.of(proxy)
			began := time.Now()
			var wg sync.WaitGroup
			for _, token := range herd.tokens {
				wg.Go(func() { herd.refresh(token, gone) })
			}
			time.Sleep(gone)
			proxy.serve()
			wg.Wait()
			drained := time.Since(began) - gone
			app.kill() // the server counts what a connection did at its end
			waitFor(t, "the count of statements", func() bool { return herd.scans(admin)-before >= len(herd.tokens) })
			herd.report(gone, drained, herd.scans(admin)-before)
		})
	}
}

func number(t *testing.T, variable string, unset int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return unset
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// herd is many clients, each with a session.
type herd struct {
	t      *testing.T
	url    string
	client *http.Client
	tokens []string

	mu        sync.Mutex
	answers   map[int]int // 0 is none
	latencies []time.Duration
}

// newHerd starts the sessions at the database, past the app, whose passwords take long to check.
func newHerd(t *testing.T, app *app, db *sql.DB, size int) *herd {
	t.Helper()
	h := &herd{
		t: t, url: app.base() + "/v1/auth/refresh-tokens", tokens: make([]string, size), answers: map[int]int{},
		client: &http.Client{
			Timeout:   10 * time.Second, // as refresh.js
			Transport: &http.Transport{MaxIdleConnsPerHost: 5000, MaxConnsPerHost: 8000},
		},
	}
	gormDB, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{PrepareStmt: true, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	service, err := plugin.New(plugin.Config{DB: gormDB, Secret: []byte(testhost.Secret)})
	if err != nil {
		t.Fatal(err)
	}
	subject := register(t, app)
	var wg sync.WaitGroup
	const workers = 16
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < size; i += workers {
				tokens, err := service.Issue(context.Background(), subject, plugin.Device{UserAgent: "herd"})
				if err != nil {
					t.Error(err)
					return
				}
				h.tokens[i] = tokens.Refresh.Token
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return h
}

// register returns the id of a new user of the app's.
func register(t *testing.T, app *app) string {
	t.Helper()
	response, err := http.Post(app.base()+"/v1/auth/register", "application/json",
		strings.NewReader(`{"name":"Herd","email":"herd@example.com","password":"correct horse 1"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct{ User struct{ ID string } }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.User.ID == "" {
		t.Fatalf("register: %d, %v", response.StatusCode, err)
	}
	return answer.User.ID
}

// refresh is one client: it begins at some time of the outage, and tries until it has an answer, with the pauses of refresh.js.
func (h *herd) refresh(token string, within time.Duration) {
	time.Sleep(rand.N(within))
	for failures := 0; ; failures++ {
		began := time.Now()
		status, retryAfter := h.post(token)
		h.mu.Lock()
		h.answers[status]++
		if status == http.StatusOK {
			h.latencies = append(h.latencies, time.Since(began))
		}
		h.mu.Unlock()
		switch {
		case status == http.StatusOK:
			return
		case status != 0 && status < 500:
			h.t.Errorf("a client was answered %d", status)
			return
		case retryAfter > 0:
			time.Sleep(retryAfter + rand.N(time.Second))
		default:
			pause := min(time.Second<<failures, time.Minute)
			time.Sleep(pause*3/4 + rand.N(pause/2))
		}
	}
}

func (h *herd) post(token string) (status int, retryAfter time.Duration) {
	response, err := h.client.Post(h.url, "application/json", strings.NewReader(`{"refreshToken":"`+token+`"}`))
	if err != nil {
		return 0, 0
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return response.StatusCode, time.Duration(seconds) * time.Second
}

// scans returns how many statements have looked for a session: every UPDATE and SELECT of a refresh scans the primary key once.
func (h *herd) scans(db *sql.DB) int {
	h.t.Helper()
	var scans int
	if err := db.QueryRow("SELECT idx_scan FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = 'refresh_tokens'").Scan(&scans); err != nil {
		h.t.Fatal(err)
	}
	return scans
}

func (h *herd) report(gone, drained time.Duration, scans int) {
	h.t.Helper()
	size := len(h.tokens)
	if h.answers[http.StatusOK] != size {
		h.t.Errorf("%d of %d clients have refreshed", h.answers[http.StatusOK], size)
	}
	slices.Sort(h.latencies)
	tries := 0
	for _, n := range h.answers {
		tries += n
	}
	h.t.Logf("%d sessions, database gone for %v: all refreshed %v after it was back; p50 %v, p99 %v of the answers with tokens; "+
		"%.2f requests and %.2f statements a refresh; answers %v", size, gone, drained.Round(time.Millisecond),
		h.latencies[size/2].Round(time.Millisecond), h.latencies[size*99/100].Round(time.Millisecond),
		float64(tries)/float64(size), float64(scans)/float64(size), h.answers)
	if float64(scans) > 1.5*float64(size) {
		h.t.Errorf("the database was asked %d times for %d refreshes", scans, size)
	}
	if limit := 2*gone + time.Minute; drained > limit {
		h.t.Errorf("the last client was served %v after the database was back, want at most %v", drained, limit)
	}
}
