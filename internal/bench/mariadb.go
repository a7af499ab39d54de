package main

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// mariaDB is a server of the command's own, with a binary log, which the servers of the DSNs may not have.
type mariaDB struct {
	dsn  string
	root *sql.DB
	stop func()
}

func startMariaDB() (*mariaDB, error) {
	dir := must(os.MkdirTemp("", "refreshtokens-bench"))
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "socket")
	remove := func() { _ = os.RemoveAll(dir) }
	flags := []string{"--no-defaults", "--datadir=" + data}
	if os.Geteuid() == 0 {
		flags = append(flags, "--user=mysql")
		if output, err := exec.Command("chown", "mysql", dir).CombinedOutput(); err != nil {
			remove()
			return nil, fmt.Errorf("chown: %w: %s", err, output)
		}
	}
	install := append([]string{}, flags...)
	if output, err := exec.Command("mariadb-install-db", append(install, "--auth-root-authentication-method=normal", "--skip-test-db")...).CombinedOutput(); err != nil {
		remove()
		return nil, fmt.Errorf("mariadb-install-db: %w: %s", err, output)
	}
	command := exec.Command("mariadbd", append(flags, "--skip-networking", "--socket="+socket, "--log-error="+filepath.Join(dir, "log"),
		"--pid-file="+filepath.Join(dir, "pid"), "--log-bin=binlog", "--server-id=1")...)
	if err := command.Start(); err != nil {
		remove()
		return nil, err
	}
	dsn := fmt.Sprintf("root@unix(%s)/", socket)
	s := &mariaDB{dsn: dsn, root: must(sql.Open("mysql", dsn))}
	s.stop = func() {
		_ = s.root.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
		remove()
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err := s.root.Ping()
		if err == nil {
			return s, nil
		}
		if time.Since(began) > time.Minute {
			s.stop()
			return nil, err
		}
	}
}

// setFormat sets the format of the binary log for the connections that are opened from now on.
func (s *mariaDB) setFormat(format string) error {
	_, err := s.root.Exec("SET GLOBAL binlog_format = " + format)
	return err
}

// binlog returns how many bytes the binary log has.
func (s *mariaDB) binlog() (sum float64) {
	rows := must(s.root.Query("SHOW BINARY LOGS"))
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		var size float64
		if err := rows.Scan(&name, &size); err != nil {
			panic(err)
		}
		sum += size
	}
	if err := rows.Err(); err != nil {
		panic(err)
	}
	return sum
}
