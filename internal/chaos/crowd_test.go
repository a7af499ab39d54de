package chaos_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// TestCrowd keeps 10,000 clients connected to one process, whose pool has 16 connections. While they come within ten seconds, each gets
// its tokens. When all come in the same instant, some may be sent away for some seconds, and nothing else happens.
func TestCrowd(t *testing.T) {
	needEnv(t, chaos)
	const (
		size   = 10_000
		period = 10 * time.Second
	)
	config := testdb.NewPostgres(t)
	app := newApp(t, postgresURL(config))
	herd := newHerd(t, app, stdlib.OpenDB(*config.Copy()), size)
	idle := app.memory()
	guests := make([]*guest, size)
	for i := range guests {
		guests[i] = &guest{addr: app.addr, token: herd.tokens[i]}
		defer guests[i].leave()
	}
	steady := each(guests, period)
	if steady.answers[http.StatusOK] != size {
		t.Errorf("within %v: %v", period, steady.answers)
	}
	atOnce := each(guests, 0)
	if ok, away := atOnce.answers[http.StatusOK], atOnce.answers[http.StatusServiceUnavailable]; ok+away != size || ok < size/10 {
		t.Errorf("all at once: %v", atOnce.answers)
	}
	t.Logf("%d clients within %v: p50 %v, p99 %v; at once: %v, p50 %v, p99 %v; the app's memory grew from %d MiB to %d MiB, %d KiB a client",
		size, period, steady.at(50), steady.at(99), atOnce.answers, atOnce.at(50), atOnce.at(99),
		idle>>20, app.memory()>>20, (app.memory()-idle)/size>>10)
}

// guest is a client with a connection of its own, which stays open.
type guest struct {
	addr, token string
	conn        net.Conn
	reader      *bufio.Reader
}

func (g *guest) leave() {
	if g.conn != nil {
		_ = g.conn.Close()
	}
}

// refresh returns the status of the answer, or 0. The token rotates once, and then repeats for a minute.
func (g *guest) refresh() int {
	if g.conn == nil {
		conn, err := net.Dial("tcp", g.addr)
		if err != nil {
			return 0
		}
		g.conn, g.reader = conn, bufio.NewReaderSize(conn, 512)
	}
	_ = g.conn.SetDeadline(time.Now().Add(time.Minute))
	body := `{"refreshToken":"` + g.token + `"}`
	_, err := fmt.Fprintf(g.conn, "POST /v1/auth/refresh-tokens HTTP/1.1\r\nHost: app\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body), body)
	if err != nil {
		return 0
	}
	response, err := http.ReadResponse(g.reader, nil)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0
	}
	if _, after, found := strings.Cut(string(answer), `"refresh":{"token":"`); found {
		g.token, _, _ = strings.Cut(after, `"`)
	}
	return response.StatusCode
}

// result is what clients were answered, and how long that took.
type result struct {
	answers   map[int]int
	latencies []time.Duration
}

func (r *result) at(percent int) time.Duration {
	return r.latencies[(len(r.latencies)-1)*percent/100].Round(time.Millisecond)
}

// each lets every client refresh once, each at some time within the period.
func each(guests []*guest, period time.Duration) *result {
	r := &result{answers: map[int]int{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, g := range guests {
		wg.Go(func() {
			if period > 0 {
				time.Sleep(rand.N(period))
			}
			began := time.Now()
			status := g.refresh()
			mu.Lock()
			defer mu.Unlock()
			r.answers[status]++
			r.latencies = append(r.latencies, time.Since(began))
		})
	}
	wg.Wait()
	slices.Sort(r.latencies)
	return r
}

// memory returns how much of the app is in RAM, in bytes.
func (a *app) memory() int {
	a.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", a.command.Process.Pid))
	if err != nil {
		a.t.Skip("the memory of a process is read from Linux's /proc")
	}
	var total, resident int
	if _, err := fmt.Sscan(string(text), &total, &resident); err != nil {
		a.t.Fatal(err)
	}
	return resident * os.Getpagesize()
}
