package shards_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// postgres makes servers of PostgreSQL, as copies of one that was initialized.
type postgres struct{ bin, home string }

func newPostgres() (*postgres, error) {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bins) == 0 {
		return nil, errors.New("PostgreSQL's server programs are not under /usr/lib/postgresql: apt-get install postgresql")
	}
	home, err := newHome("postgres")
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: slices.Max(bins), home: home}
	return p, p.initialize()
}

func (p *postgres) dialect() string { return "postgres" }

func (p *postgres) as(program string, args ...string) error {
	return as("postgres", filepath.Join(p.bin, program), args...)
}

// initialize makes the server that the others are copies of. Its superuser comes by the socket, app with a password.
func (p *postgres) initialize() error {
	template := p.server("template")
	err := p.as("initdb", "-D", template.data, "-U", "postgres", "--auth-local=trust", "--auth-host=md5",
		"-E", "UTF8", "--locale=C", "--no-sync")
	if err == nil {
		err = template.launch()
	}
	if err != nil {
		return err
	}
	// Each test opens many connections, and SCRAM takes milliseconds of CPU time for each.
	err = p.execute(template, "postgres", "SET password_encryption = 'md5'", "CREATE ROLE app LOGIN PASSWORD 'secret'", "CREATE DATABASE app OWNER app")
	if err != nil {
		return err
	}
	return p.as("pg_ctl", "-D", template.data, "-m", "fast", "stop")
}

func (p *postgres) start(name string, front bool) (*server, error) {
	s := p.server(name)
	err := as("postgres", "cp", "-a", p.server("template").data, s.data)
	if err == nil {
		err = s.launch()
	}
	if err != nil || !front {
		return s, err
	}
	return s, p.execute(s, "app", guide("PostgreSQL")[0]...)
}

func (p *postgres) introduce(front, shard *server, i int) error {
	statements := toShard(guide("PostgreSQL")[1], i)
	for j, statement := range statements {
		statements[j] = strings.NewReplacer(fmt.Sprintf("shard%d.internal", i), "127.0.0.1", "5432", fmt.Sprint(shard.port)).Replace(statement)
	}
	return p.execute(front, "app", append([]string{"SET ROLE app"}, statements...)...)
}

func (p *postgres) spread(shards int) []string {
	var statements []string
	for _, statement := range guide("PostgreSQL")[2] {
		statement = strings.NewReplacer("'public'", "'NAMESPACE'", "MODULUS 2", fmt.Sprint("MODULUS ", shards)).Replace(statement)
		switch {
		case strings.Contains(statement, "shard0"):
			for i := range shards {
				one := toShard([]string{statement}, i)[0]
				statements = append(statements, strings.ReplaceAll(one, "REMAINDER 0", fmt.Sprint("REMAINDER ", i)))
			}
		case !strings.Contains(statement, "shard1"):
			statements = append(statements, statement)
		}
	}
	return statements
}

// server describes a server that does not run yet.
func (p *postgres) server(name string) *server {
	s := &server{name: name, data: filepath.Join(p.home, name)}
	s.log = s.data + ".log"
	s.run = func() error {
		return p.as("pg_ctl", "-D", s.data, "-w", "-l", s.log, "-o", fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 "+
			"-c unix_socket_directories=%s -c fsync=off -c shared_buffers=32MB -c max_connections=300", s.port, p.home), "start")
	}
	s.kill = func() { _ = p.as("pg_ctl", "-D", s.data, "-m", "immediate", "stop") }
	s.pid = func() (int, error) {
		text, err := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		return strconv.Atoi(first)
	}
	s.dsn = func() string { return fmt.Sprintf("postgres://app:secret@127.0.0.1:%d/app?sslmode=disable", s.port) }
	return s
}

// log returns when new connections log.
func (p *postgres) log(s *server, on bool) error {
	level := map[bool]string{true: "all", false: "none"}[on]
	if err := p.execute(s, "app", "ALTER SYSTEM SET log_statement = '"+level+"'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return waitFor("the log", func() bool {
		return p.execute(s, "app", "DO $$ BEGIN ASSERT current_setting('log_statement') = '"+level+"'; END $$") == nil
	})
}

// execute runs statements as the superuser.
func (p *postgres) execute(s *server, database string, statements ...string) error {
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, fmt.Sprintf("host=%s port=%d user=postgres dbname=%s", p.home, s.port, database))
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close(ctx) }()
	for _, statement := range statements {
		if _, err := connection.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
