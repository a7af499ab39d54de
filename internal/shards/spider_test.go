package shards_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// spider makes servers of MariaDB, as copies of one that was installed.
type spider struct {
	home     string
	settings []string // of a front
}

func newSpider() (*spider, error) {
	plugins, err := filepath.Glob("/usr/lib/mysql/plugin/ha_spider.so")
	if err != nil || len(plugins) == 0 {
		return nil, errors.New("the Spider engine is not under /usr/lib/mysql/plugin: apt-get install mariadb-server mariadb-plugin-spider")
	}
	home, err := newHome("mysql")
	if err != nil {
		return nil, err
	}
	e := &spider{home: home}
	for _, line := range guide("MariaDB")[0] {
		if name, value, set := strings.Cut(line, "="); set {
			e.settings = append(e.settings, "--"+strings.TrimSpace(name)+"="+strings.TrimSpace(value))
		}
	}
	args := []string{"--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--datadir=" + e.server("template", false).data}
	return e, as("mysql", "mariadb-install-db", args...)
}

func (e *spider) dialect() string { return "mysql" }

func (e *spider) start(name string, front bool) (*server, error) {
	s := e.server(name, front)
	err := as("mysql", "cp", "-a", e.server("template", front).data, s.data)
	if err == nil {
		err = s.launch()
	}
	if err != nil {
		return nil, err
	}
	return s, e.execute(s, "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'secret'", "GRANT ALL ON *.* TO app@'127.0.0.1'")
}

func (e *spider) introduce(front, shard *server, i int) error {
	statements := toShard(guide("MariaDB")[1], i)
	for j, statement := range statements {
		statements[j] = strings.NewReplacer(fmt.Sprintf("shard%d.internal", i), "127.0.0.1", "3306", fmt.Sprint(shard.port)).Replace(statement)
	}
	return e.execute(front, statements...)
}

// partitions is the list of the two partitions in docs/engines.md.
var partitions = regexp.MustCompile(`(?s)(PARTITION shard0 COMMENT[^,]*),.*\)`)

func (e *spider) spread(shards int) []string {
	var statements []string
	for _, statement := range guide("MariaDB")[2] {
		statement = strings.ReplaceAll(statement, `database "app"`, `database "NAMESPACE"`)
		if list := partitions.FindStringSubmatch(statement); list != nil {
			var all []string
			for i := range shards {
				all = append(all, toShard(list[1:], i)[0])
			}
			statement = strings.Replace(statement, list[0], strings.Join(all, ", ")+")", 1)
		}
		statements = append(statements, statement)
	}
	return statements
}

// server describes a server that does not run yet.
func (e *spider) server(name string, front bool) *server {
	s := &server{name: name, data: filepath.Join(e.home, name)}
	s.log = s.data + ".statements"
	var command *exec.Cmd
	s.run = func() error {
		args := []string{
			"--no-defaults", "--datadir=" + s.data, "--bind-address=127.0.0.1", fmt.Sprint("--port=", s.port),
			"--socket=" + s.data + ".sock", "--pid-file=" + s.data + ".pid", "--log-error=" + s.data + ".err",
			"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=2",
			"--max-connections=300", "--general-log-file=" + s.log,
		}
		if os.Geteuid() == 0 {
			args = append(args, "--user=mysql")
		}
		if front {
			args = append(args, e.settings...)
		}
		command = exec.Command("mariadbd", args...)
		if err := command.Start(); err != nil {
			return err
		}
		up := func() bool { return e.execute(s) == nil }
		if err := waitFor(s.name, up); err != nil {
			log, _ := os.ReadFile(s.data + ".err")
			return fmt.Errorf("%w: … %s", err, log[max(0, len(log)-2000):])
		}
		return nil
	}
	s.kill = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	s.pid = func() (int, error) { return command.Process.Pid, nil }
	s.dsn = func() string { return fmt.Sprintf("app:secret@tcp(127.0.0.1:%d)/", s.port) }
	return s
}

func (e *spider) log(s *server, on bool) error {
	return e.execute(s, fmt.Sprintf("SET GLOBAL general_log = %t", on))
}

// execute runs statements as root.
func (e *spider) execute(s *server, statements ...string) error {
	db, err := sql.Open("mysql", "root@unix("+s.data+".sock)/mysql")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.Ping(); err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
