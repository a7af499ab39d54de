package chaos_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestPromotedReplica fails over to an asynchronous replica that has missed the last second of refreshes: every device
// that was logged in when the replica was cut off goes on.
func TestPromotedReplica(t *testing.T) {
	needEnv(t, chaos)
	cluster := newPostgresPair(t)
	app := newApp(t, cluster.url(cluster.primaryPort))
	fleet := newFleet(t, 8, app.base())
	fleet.run(false, func() { time.Sleep(500 * time.Millisecond) })
	cluster.waitUntilReplicaHas(t, "SELECT count(*) >= 8 FROM refresh_tokens")

	cluster.psql(t, cluster.replicaPort, "ALTER SYSTEM SET primary_conninfo = ''")
	cluster.psql(t, cluster.replicaPort, "SELECT pg_reload_conf()")
	waitFor(t, "the cut", func() bool {
		return cluster.psql(t, cluster.replicaPort, "SELECT count(*) = 0 FROM pg_stat_wal_receiver") == "true"
	})
	fleet.run(false, func() {
		time.Sleep(time.Second)
		cluster.command(t, "pg_ctl", "-D", cluster.primary, "-m", "immediate", "stop")
	})
	cluster.command(t, "pg_ctl", "-D", cluster.replica, "-w", "promote")
	app.kill()

	fleet.wantAhead(t, "pgx", cluster.url(cluster.replicaPort))
	app.databaseURL = cluster.url(cluster.replicaPort)
	app.start()
	fleet.settle()
}

// TestRestoredFile puts a backup of a SQLite file back.
func TestRestoredFile(t *testing.T) {
	needEnv(t, chaos)
	file := filepath.Join(t.TempDir(), "app.db")
	app := newApp(t, file)
	fleet := newFleet(t, 8, app.base())
	fleet.run(false, func() { time.Sleep(300 * time.Millisecond) })
	app.kill()
	for _, suffix := range []string{"", "-wal"} {
		copyFile(t, file+suffix, file+".backup"+suffix)
	}
	app.start()
	fleet.run(false, func() {
		time.Sleep(300 * time.Millisecond)
		app.kill()
	})
	for _, suffix := range []string{"", "-wal"} {
		copyFile(t, file+".backup"+suffix, file+suffix)
	}
	_ = os.Remove(file + "-shm")
	fleet.wantAhead(t, "sqlite3", file+".backup")
	app.start()
	fleet.settle()
}

// wantAhead fails the test unless devices hold tokens of later generations than the database knows: what it lost was
// rotations.
func (f *fleet) wantAhead(t *testing.T, driver, dsn string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query("SELECT generation FROM refresh_tokens ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var known []int64
	for rows.Next() {
		var generation int64
		if err := rows.Scan(&generation); err != nil {
			t.Fatal(err)
		}
		known = append(known, generation)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	ahead, lost := 0, int64(0)
	for i, d := range f.devices { // both in the order of registration
		if i < len(known) && d.claims().Gen > known[i] {
			ahead++
			lost += d.claims().Gen - known[i]
		}
	}
	if ahead == 0 {
		t.Fatal("the database has missed nothing: this proves nothing")
	}
	t.Logf("the database has missed %d rotations of %d of %d devices", lost, ahead, len(f.devices))
}

// postgresPair is a primary and an asynchronous replica of it, in a temporary directory.
type postgresPair struct {
	bin, dir, primary, replica string
	primaryPort, replicaPort   int
}

func newPostgresPair(t *testing.T) *postgresPair {
	t.Helper()
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bins) == 0 {
		t.Fatal("PostgreSQL's server programs are not under /usr/lib/postgresql")
	}
	dir, err := os.MkdirTemp("", "refreshtokens-failover")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &postgresPair{
		bin: slices.Max(bins), dir: dir, primary: filepath.Join(dir, "primary"), replica: filepath.Join(dir, "replica"),
		primaryPort: freePort(t), replicaPort: freePort(t),
	}
	if os.Geteuid() == 0 {
		if output, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	c.command(t, "initdb", "-D", c.primary, "-A", "trust", "-U", "postgres")
	c.start(t, c.primary, c.primaryPort)
	c.command(t, "pg_basebackup", "-h", "127.0.0.1", "-p", fmt.Sprint(c.primaryPort), "-U", "postgres", "-D", c.replica, "-R", "-c", "fast")
	c.start(t, c.replica, c.replicaPort)
	return c
}

func (c *postgresPair) start(t *testing.T, data string, port int) {
	t.Helper()
	c.command(t, "pg_ctl", "-D", data, "-w", "-l", data+".log",
		"-o", fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s", port, c.dir), "start")
	t.Cleanup(func() {
		_ = c.build("pg_ctl", "-D", data, "-m", "immediate", "stop").Run()
	})
}

// build runs one of PostgreSQL's programs, which won't run as root.
func (c *postgresPair) build(program string, args ...string) *exec.Cmd {
	program = filepath.Join(c.bin, program)
	command := exec.Command(program, args...)
	if current, err := user.Current(); err == nil && current.Uid == "0" {
		command = exec.Command("runuser", append([]string{"-u", "postgres", "--", program}, args...)...)
	}
	command.Dir = c.dir
	return command
}

func (c *postgresPair) command(t *testing.T, program string, args ...string) {
	t.Helper()
	output, err := os.CreateTemp(t.TempDir(), "output") // not a pipe: the server that pg_ctl starts would keep it open
	if err != nil {
		t.Fatal(err)
	}
	command := c.build(program, args...)
	command.Stdout, command.Stderr = output, output
	if err := command.Run(); err != nil {
		_, _ = output.Seek(0, io.SeekStart)
		text, _ := io.ReadAll(output)
		t.Fatalf("%s: %v: %s", program, err, text)
	}
}

func (c *postgresPair) url(port int) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
}

// psql runs one statement and returns the one value of its answer, if it has one.
func (c *postgresPair) psql(t *testing.T, port int, statement string) string {
	t.Helper()
	connection, err := pgx.Connect(context.Background(), c.url(port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.Background()) }()
	rows, err := connection.Query(context.Background(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	var value string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		value = fmt.Sprint(values[0])
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

func (c *postgresPair) waitUntilReplicaHas(t *testing.T, condition string) {
	t.Helper()
	waitFor(t, "the replica", func() bool { return c.psql(t, c.replicaPort, condition) == "true" })
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
