package shards_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// dir is where the servers have their data. stop stops a server; all servers run until the last test is over.
var (
	dir   string
	stops []func()
)

func TestMain(m *testing.M) {
	var err error
	// Not t.TempDir, which is below a directory that only its owner may enter.
	if dir, err = os.MkdirTemp("", "refreshtokens-shards"); err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	for _, stop := range stops {
		stop()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// server is a database server that can be killed and started again.
type server struct {
	name string
	data string
	log  string // where it writes its statements, if it is told to
	port int
	run  func() error
	kill func() // at once, as a crash would
	pid  func() (int, error)
	dsn  func() string
}

// launch starts the server, and again if another process took its port first.
func (s *server) launch() error {
	var err error
	for range 3 {
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.run(); err == nil {
			stops = append(stops, s.kill)
			return nil
		}
	}
	return err
}

// newHome makes a directory for the servers of one user: database servers won't run as root.
func newHome(user string) (string, error) {
	home := filepath.Join(dir, user)
	if err := os.Mkdir(home, 0o700); err != nil {
		return "", err
	}
	if os.Geteuid() != 0 {
		return home, nil
	}
	return home, run("chown", user, home)
}

// as runs a program as a user if we are root.
func as(user, program string, args ...string) error {
	if os.Geteuid() != 0 {
		return run(program, args...)
	}
	return run("runuser", append([]string{"-u", user, "--", program}, args...)...)
}

// run returns what the program printed if it fails. Its output is no pipe: the server that pg_ctl starts would keep it open.
func run(program string, args ...string) error {
	output, err := os.CreateTemp("", "refreshtokens-output")
	if err != nil {
		return err
	}
	defer func() { _, _ = output.Close(), os.Remove(output.Name()) }()
	command := exec.Command(program, args...)
	command.Dir = "/"
	command.Stdout, command.Stderr = output, output
	if err := command.Run(); err != nil {
		_, _ = output.Seek(0, io.SeekStart)
		text, _ := io.ReadAll(output)
		return fmt.Errorf("%s: %w: %s", command, err, text)
	}
	return nil
}

func waitFor(what string, ready func() bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for !ready() {
		select {
		case <-ctx.Done():
			return errors.New(what + " does not come up")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
