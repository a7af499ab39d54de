package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// run runs the program as main does.
func run(ctx context.Context, stdout, stderr io.Writer, args ...string) error {
	var arguments program
	parser, err := kong.New(&arguments, append(programOptions, kong.Writers(stdout, stderr))...)
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(arguments.config, slog.New(slog.DiscardHandler))
}

// operator runs commands on the database of an app.
type operator struct {
	client
	path string
}

func newOperator(t *testing.T) operator {
	t.Helper()
	t.Setenv("JWT_SECRET", "too short: no command but serve may need it")
	path := t.TempDir() + "/example.db"
	logger := slog.New(slog.DiscardHandler)
	db, err := openDatabase(path, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDatabase(db, logger) })
	if err := testdb.Migrate(t, db).AutoMigrate(&user{}); err != nil {
		t.Fatal(err)
	}
	return operator{newClient(t, db, testSettings, logger), path}
}

// run returns what the command printed, and its error's text.
func (o operator) run(args ...string) (stdout, stderr, failure string) {
	o.t.Helper()
	var out, bar bytes.Buffer
	err := run(o.t.Context(), &out, &bar, append(args, "--database-url="+o.path, "--session-ttl=1h")...)
	if err != nil {
		failure = err.Error()
	}
	return out.String(), bar.String(), failure
}

func TestSessionsList(t *testing.T) {
	o := newOperator(t)
	o.want(o.do("POST", "/v1/auth/register", "", ada), 201, "")
	phone := o.account(o.do("POST", "/v1/auth/login", "", strings.TrimSuffix(adaLogin, "}")+`,"device":"Ada's phone"}`), 200)
	ended := o.account(o.do("POST", "/v1/auth/login", "", adaLogin), 200)
	o.want(o.do("POST", "/v1/auth/logout", "", `{"refreshToken":"`+ended.Tokens.Refresh.Token+`"}`), 204, "")

	table := regexp.MustCompile(`^ID +NAME +LAST USED +EXPIRES +IP +USER AGENT\n(.+\n){2}$`)
	for _, name := range []string{"ADA@example.com", phone.id()} {
		out, _, failure := o.run("sessions", "list", "--user", name)
		if failure != "" || !table.MatchString(out) || strings.Count(out, "Ada's phone") != 1 {
			t.Errorf("%s: printed %q, %s", name, out, failure)
		}
	}
	if out, _, failure := o.run("sessions", "list", "--user=eve@example.com"); failure != "no user has the email eve@example.com" {
		t.Errorf("printed %q, %s", out, failure)
	}
}

func TestSessionsEnd(t *testing.T) {
	o := newOperator(t)
	first := o.account(o.do("POST", "/v1/auth/register", "", ada), 201)
	o.want(o.do("POST", "/v1/auth/register", "", root), 201, "")
	for range 2 {
		o.want(o.do("POST", "/v1/auth/login", "", adaLogin), 200, "")
	}
	id, _ := o.claimsOf(first.access())["sid"].(string)
	for _, row := range []struct {
		args    []string
		printed string
		failure string
		living  int64
	}{
		{[]string{"--user=ada@example.com"}, "", "missing flags: --id=STRING or --all", 4},
		{[]string{"--all"}, "", "missing flags: --user=STRING", 4},
		{[]string{"--user=ada@example.com", "--all", "--id=" + id}, "", "--id and --all can't be used together", 4},
		{[]string{"--user=root@example.com", "--id=" + id}, "", "session not found", 4},
		{[]string{"--user=ada@example.com", "--id=" + id}, "sessions ended: 1\n", "", 3},
		{[]string{"--user=ada@example.com", "--id=" + id}, "", "session not found", 3},
		{[]string{"--user=" + first.id(), "--all"}, "sessions ended: 2\n", "", 1},
		{[]string{"--user=" + first.id(), "--all"}, "sessions ended: 0\n", "", 1},
	} {
		out, _, failure := o.run(append([]string{"sessions", "end"}, row.args...)...)
		if out != row.printed || failure != row.failure {
			t.Errorf("%v: printed %q, %s", row.args, out, failure)
		}
		if got := o.living(); got != row.living {
			t.Errorf("%v: %d sessions live, want %d", row.args, got, row.living)
		}
	}
	o.want(o.do("GET", "/v1/users/me", first.access(), ""), 401, unauthorized)
}

func TestPurge(t *testing.T) {
	o := newOperator(t)
	if out, _, failure := o.run("purge"); out != "old sessions deleted: 0\n" || failure != "" {
		t.Errorf("printed %q, %s", out, failure)
	}
	live := o.account(o.do("POST", "/v1/auth/register", "", ada), 201)
	const old = 1200
	rows := make([]models.RefreshToken, old)
	for i := range rows {
		rows[i] = models.RefreshToken{
			ID: models.Text(uuid.NewString()), Subject: "gone", Generation: 1, CreatedAt: time.Now().Add(-2 * time.Hour).Unix(),
		}
	}
	if err := o.app.db.CreateInBatches(rows, 400).Error; err != nil {
		t.Fatal(err)
	}
	out, bar, failure := o.run("purge")
	if out != "old sessions deleted: 1200\n" || failure != "" || !strings.Contains(bar, "100%") || !strings.Contains(bar, "(1200/1200)") {
		t.Errorf("printed %q, %q, %s", out, bar, failure)
	}
	var left int64
	if err := o.app.db.Model(&models.RefreshToken{}).Count(&left).Error; err != nil || left != 1 {
		t.Errorf("%d rows are left, %v", left, err)
	}
	o.want(o.refresh(live.Tokens.Refresh.Token), 200, "")
}

// TestServe: the program serves, with no command and with that one, until it is told to stop.
func TestServe(t *testing.T) {
	for _, args := range [][]string{nil, {"serve"}} {
		t.Setenv("ADDR", "127.0.0.1:0")
		t.Setenv("DATABASE_URL", t.TempDir()+"/example.db")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		reader, stdout := io.Pipe()
		failed := make(chan error, 1)
		go func() {
			err := run(ctx, stdout, io.Discard, args...)
			_ = stdout.CloseWithError(io.ErrUnexpectedEOF)
			failed <- err
		}()
		printed := make([]byte, 1000)
		n, err := reader.Read(printed)
		port := regexp.MustCompile(`localhost:(\d+)/v1/auth/register`).FindSubmatch(printed[:n])
		if err != nil || port == nil {
			t.Fatalf("%v: printed %s, %v", args, printed[:n], err)
		}
		response, err := http.Get("http://127.0.0.1:" + string(port[1]) + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		if _ = response.Body.Close(); response.StatusCode != http.StatusOK {
			t.Errorf("%v: answered %d", args, response.StatusCode)
		}
		stop()
		if err := <-failed; err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}
