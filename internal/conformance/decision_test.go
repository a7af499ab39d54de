package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// world is a host with one session.
type world struct {
	*testhost.Host
	chain []plugin.Tokens // its refresh tokens, generation 1 first, each minted two grace periods after the one before
}

func live(w world) string { return w.chain[len(w.chain)-1].Refresh.Token }

func spent(generationsBack int) func(world) string {
	return func(w world) string { return w.chain[len(w.chain)-1-generationsBack].Refresh.Token }
}

func after(d time.Duration) func(world) { return func(w world) { w.Clock.Advance(d) } }

func logOut(d time.Duration) func(world) {
	return func(w world) {
		w.PostToken(testhost.LogoutPath, live(w))
		w.Clock.Advance(d)
	}
}

// What a refresh does to the row.
const (
	untouched = "untouched"
	rotated   = "rotated"
	ended     = "ended"
)

// TestDecisionTable goes through the table of the README: what is presented, what comes out, and what it costs.
func TestDecisionTable(t *testing.T) {
	const grace, week, second = testhost.Grace, 7 * 24 * time.Hour, time.Second
	for _, row := range []struct {
		name       string
		generation int // of the live token
		prepare    func(w world)
		present    func(w world) string
		status     int
		row        string
		statements int
		revokedFor models.Reason
	}{
		{name: "malformed", generation: 3, present: func(world) string { return "x" }, status: 401, row: untouched},
		{name: "forged", generation: 3, present: func(w world) string { return live(w) + "A" }, status: 401, row: untouched},
		{name: "wrong kind", generation: 3, present: func(w world) string { return w.chain[2].Access.Token }, status: 401, row: untouched},
		{name: "expired", generation: 3, prepare: after(week), present: live, status: 401, row: untouched},

		{name: "first, at once", generation: 1, present: live, status: 200, row: rotated, statements: 1},
		{name: "live, at once", generation: 3, present: live, status: 200, row: untouched, statements: 1},
		{name: "second, at once", generation: 2, present: live, status: 200, row: untouched, statements: 1},
		{name: "live, just under twice grace", generation: 3, prepare: after(2*grace - second), present: live, status: 200, row: untouched, statements: 1},
		{name: "live, after twice grace", generation: 3, prepare: after(2 * grace), present: live, status: 200, row: rotated, statements: 1},
		{name: "live, a second before it expires", generation: 3, prepare: after(week - second), present: live, status: 200, row: rotated, statements: 1},

		{name: "predecessor, at once", generation: 3, present: spent(1), status: 200, row: untouched, statements: 2},
		{name: "predecessor, at the end of grace", generation: 3, prepare: after(grace), present: spent(1), status: 200, row: untouched, statements: 2},
		{name: "predecessor, after grace", generation: 3, prepare: after(grace + second), present: spent(1), status: 401, row: ended, statements: 3, revokedFor: models.ReasonReuse},
		{name: "two generations back, at once", generation: 3, present: spent(2), status: 401, row: ended, statements: 3, revokedFor: models.ReasonReuse},

		{name: "live, of a session that was logged out", generation: 3, prepare: logOut(2 * grace), present: live, status: 401, row: untouched, statements: 2, revokedFor: models.ReasonLogout},
		{name: "live and young, of a session that was logged out", generation: 3, prepare: logOut(0), present: live, status: 401, row: untouched, statements: 1, revokedFor: models.ReasonLogout},
		{name: "predecessor, of a session that was logged out", generation: 3, prepare: logOut(0), present: spent(1), status: 401, row: untouched, statements: 2, revokedFor: models.ReasonLogout},
		{name: "no row", generation: 3, prepare: func(w world) {
			w.Clock.Advance(2 * grace)
			w.DB.Where("1 = 1").Delete(&models.RefreshToken{})
		}, present: live, status: 401, row: untouched, statements: 2},

		{name: "ahead of the row, by one", generation: 3, prepare: func(w world) { setBack(w.Host, 1); w.Clock.Advance(2 * grace) }, present: live, status: 200, row: rotated, statements: 1},
		{name: "ahead of the row, by two", generation: 3, prepare: func(w world) { setBack(w.Host, 2); w.Clock.Advance(2 * grace) }, present: live, status: 200, row: rotated, statements: 1},
		{name: "ahead of the row, and young", generation: 3, prepare: func(w world) { setBack(w.Host, 1) }, present: live, status: 200, row: rotated, statements: 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				statements := countStatements(t, db)
				w := world{Host: testhost.New(t, db)}
				w.chain = append(w.chain, w.Login("alice"))
				for len(w.chain) < row.generation {
					w.Clock.Advance(2 * grace)
					w.chain = append(w.chain, w.MustRefresh(live(w)))
				}
				if row.prepare != nil {
					row.prepare(w)
				}
				before := w.Rows()
				statements.reset()

				status, tokens := w.TryRefresh(row.present(w))

				if status != row.status {
					t.Errorf("status is %d, want %d", status, row.status)
				}
				if got := statements.reset(); got != row.statements {
					t.Errorf("it cost %d statements, want %d", got, row.statements)
				}
				if row.row == untouched && status == http.StatusOK && tokens.Refresh != w.chain[row.generation-1].Refresh {
					t.Error("the answer is not the live token")
				}
				after := w.Rows()
				if len(after) != len(before) {
					t.Fatalf("%d rows, were %d", len(after), len(before))
				}
				if len(after) == 0 {
					return
				}
				if after[0].RevokedFor != row.revokedFor || (after[0].RevokedAt != 0) != (row.revokedFor != "") {
					t.Errorf("the row is revoked at %d for %q, want %q", after[0].RevokedAt, after[0].RevokedFor, row.revokedFor)
				}
				if row.row == untouched && after[0] != before[0] {
					t.Errorf("the row changed from %+v to %+v", before[0], after[0])
				}
				if row.row == rotated {
					if want := int64(row.generation + 1); after[0].Generation != want {
						t.Errorf("the generation is %d, want %d", after[0].Generation, want)
					}
					w.WantRefresh(tokens.Refresh.Token, http.StatusOK)
				}
			})
		})
	}
}

// TestWithoutGrace: every refresh rotates, and every retry ends the session.
func TestWithoutGrace(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db, testhost.Strict)
		statements := countStatements(t, db)
		token := host.Login("alice").Refresh.Token
		statements.reset()
		for want := int64(2); want < 5; want++ {
			spent := token
			token = host.MustRefresh(spent).Refresh.Token
			if got := statements.reset(); got != 1 || host.Rows()[0].Generation != want {
				t.Errorf("%d statements, rows %+v", got, host.Rows())
			}
			statements.reset()
		}
		retried := token
		token = host.MustRefresh(retried).Refresh.Token
		host.WantRefresh(retried, http.StatusUnauthorized)
		host.WantRefresh(token, http.StatusUnauthorized)
	})
}

// setBack makes the session's row what it was some generations ago, as a restored backup or a lagging replica would.
func setBack(host *testhost.Host, generations int64) {
	host.DB.Model(&models.RefreshToken{}).Where("1 = 1").
		UpdateColumn("generation", gorm.Expr("generation - ?", generations))
}

func TestClaimsCallback(t *testing.T) {
	errDown := errors.New("directory is down")
	for _, row := range []struct {
		name       string
		claims     map[string]any
		err        error
		status     int
		statements int
		revokedFor models.Reason
	}{
		{"adds", map[string]any{"role": "admin", "nested": map[string]any{"a": []int{1}}}, nil, 200, 1, ""},
		{"adds none", map[string]any{}, nil, 200, 1, ""},
		{"refuses", nil, plugin.ErrSubjectRefused, 401, 1, models.ReasonRefused},
		{"refuses with a cause", nil, errors.Join(errors.New("no such user"), plugin.ErrSubjectRefused), 401, 1, models.ReasonRefused},
		{"fails", nil, errDown, 500, 0, ""},
		{"fails with an error of ours", nil, plugin.ErrNotFound, 500, 0, ""},
		{"fails with another error of ours", nil, fmt.Errorf("x: %w", plugin.ErrExpired), 500, 0, ""},
		{"overrides sub", map[string]any{"sub": "root"}, nil, 500, 0, ""},
		{"overrides sub in another case", map[string]any{"SUB": "root"}, nil, 500, 0, ""},
		{"overrides a name that folds to sid", map[string]any{"\u017fid": "x"}, nil, 500, 0, ""},
		{"sets jti", map[string]any{"jti": "1"}, nil, 500, 0, ""},
		{"is no JSON", map[string]any{"f": func() {}}, nil, 500, 0, ""},
		{"is over 8 KiB", map[string]any{"big": make([]byte, 8<<10)}, nil, 500, 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			db := openSQLite(t)
			statements := countStatements(t, db)
			var claims map[string]any
			var err error
			host := testhost.New(t, db, func(config *refreshtokens.Config) {
				config.Claims = func(_ context.Context, session plugin.Session) (map[string]any, error) {
					if session.Subject != "alice" {
						t.Errorf("asked for %q", session.Subject)
					}
					return claims, err
				}
			})
			tokens := host.Login("alice")
			statements.reset()

			claims, err = row.claims, row.err
			status, refreshed := host.TryRefresh(tokens.Refresh.Token)
			if status != row.status {
				t.Errorf("status is %d, want %d", status, row.status)
			}
			if got := statements.reset(); got != row.statements {
				t.Errorf("it cost %d statements, want %d", got, row.statements)
			}
			if got := host.Rows()[0].RevokedFor; got != row.revokedFor {
				t.Errorf("revoked for %q, want %q", got, row.revokedFor)
			}
			if status == http.StatusOK {
				for name := range row.claims {
					if host.Claims(refreshed.Access.Token)[name] == nil {
						t.Errorf("the access token has no claim %q", name)
					}
				}
				testhost.WantAnswer(t, host.Bearer(http.MethodGet, testhost.MePath, refreshed.Access.Token), http.StatusOK, "alice")
			}
			if status == http.StatusInternalServerError {
				_, issueErr := host.Issue(t.Context(), "alice", plugin.Device{})
				if issueErr == nil || len(host.Rows()) != 1 {
					t.Errorf("Issue: %v, %d rows", issueErr, len(host.Rows()))
				}
				claims, err = nil, nil
				host.WantRefresh(tokens.Refresh.Token, http.StatusOK)
			}
		})
	}
}

// TestClaimsAreFresh: a role that changes is in the next access token, also in a replayed answer.
func TestClaimsAreFresh(t *testing.T) {
	role := "user"
	host := testhost.New(t, openSQLite(t), func(config *refreshtokens.Config) {
		config.Claims = func(context.Context, plugin.Session) (map[string]any, error) {
			return map[string]any{"role": role}, nil
		}
	})
	first := host.Login("alice")
	host.MustRefresh(first.Refresh.Token)
	role = "admin"
	if got := host.Claims(host.MustRefresh(first.Refresh.Token).Access.Token)["role"]; got != "admin" {
		t.Errorf("role is %v", got)
	}
}

func TestReuseIsReportedOnce(t *testing.T) {
	var mu sync.Mutex
	type report struct {
		session   plugin.Session
		presenter plugin.Device
	}
	var reports []report
	host := testhost.New(t, openSQLite(t), func(config *refreshtokens.Config) {
		config.OnEvent = func(_ context.Context, event plugin.Event) {
			if event.Kind != plugin.EventReuseDetected {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			reports = append(reports, report{event.Session, event.Device})
		}
	})
	stolen := host.Login("alice")
	host.MustRefresh(stolen.Refresh.Token)
	host.Clock.Advance(time.Minute)

	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() { host.WantRefresh(stolen.Refresh.Token, http.StatusUnauthorized) })
	}
	wait.Wait()

	if len(reports) != 1 {
		t.Fatalf("%d reports, want 1", len(reports))
	}
	if got := reports[0]; got.session.Subject != "alice" || got.session.ID != host.SessionID(stolen) || got.presenter.IP != "192.0.2.1" {
		t.Errorf("reported %+v", got)
	}
}

// TestThiefWhoAlternatesIsCaught: a thief and the victim take turns, far enough apart that no grace covers them.
func TestThiefWhoAlternatesIsCaught(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	tokens := host.Login("alice")
	thief := host.MustRefresh(tokens.Refresh.Token)
	host.Clock.Advance(time.Hour)
	host.WantRefresh(tokens.Refresh.Token, http.StatusUnauthorized) // the victim's turn
	host.WantRefresh(thief.Refresh.Token, http.StatusUnauthorized)
}

func TestOutageSpendsNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		tokens := host.Login("alice")
		down := errors.New("connection refused")
		broken := true
		fail := func(db *gorm.DB) {
			if broken {
				_ = db.AddError(down)
			}
		}
		for _, processor := range []interface {
			Register(string, func(*gorm.DB)) error
		}{
			db.Callback().Update().Before("gorm:update"),
			db.Callback().Query().Before("gorm:query"),
			db.Callback().Create().Before("gorm:create"),
		} {
			if err := processor.Register("test:down", fail); err != nil {
				t.Fatal(err)
			}
		}

		testhost.WantAnswer(t, host.PostToken(testhost.RefreshPath, tokens.Refresh.Token), http.StatusInternalServerError, testhost.InternalBody)
		testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, tokens.Refresh.Token), http.StatusInternalServerError, testhost.InternalBody)
		testhost.WantAnswer(t, host.Bearer(http.MethodGet, testhost.RefreshPath, tokens.Access.Token), http.StatusInternalServerError, testhost.InternalBody)
		if _, err := host.Issue(t.Context(), "alice", plugin.Device{}); !errors.Is(err, down) {
			t.Errorf("Issue: %v", err)
		}

		broken = false
		host.WantRefresh(tokens.Refresh.Token, http.StatusOK)
	})
}

// TestAnswerLostAfterCommit: the connection breaks once the rotation is written. The client sees a 500, asks again, and
// goes on from the generation that was written.
func TestAnswerLostAfterCommit(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		spent := host.Login("alice").Refresh.Token
		broken := true
		err := db.Callback().Update().After("*").Register("test:lost", func(db *gorm.DB) {
			if broken {
				_ = db.AddError(io.ErrUnexpectedEOF)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		testhost.WantAnswer(t, host.PostToken(testhost.RefreshPath, spent), http.StatusInternalServerError, testhost.InternalBody)
		if got := host.Rows()[0].Generation; got != 2 {
			t.Fatalf("the generation is %d: nothing was written", got)
		}
		broken = false
		first, again := host.MustRefresh(spent), host.MustRefresh(spent)
		if first.Refresh != again.Refresh || host.Rows()[0].Generation != 2 {
			t.Error("not the very same successor")
		}
		host.WantRefresh(first.Refresh.Token, http.StatusOK)
	})
}

// TestManyRefreshesLeaveOneRow also walks a chain long enough for a drifting derivation to show.
func TestManyRefreshesLeaveOneRow(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	tokens := host.Login("alice")
	for range 1000 {
		tokens = host.MustRefresh(tokens.Refresh.Token)
		host.Clock.Advance(2 * testhost.Grace)
	}
	rows := host.Rows()
	if len(rows) != 1 || rows[0].Generation != 1001 {
		t.Errorf("rows are %+v", rows)
	}
}

// --- helpers ---

// counter counts the statements that go through a *gorm.DB, transactions' BEGIN and COMMIT excluded.
type counter struct {
	mu sync.Mutex
	n  int
}

func countStatements(t *testing.T, db *gorm.DB) *counter {
	t.Helper()
	c := &counter{}
	count := func(*gorm.DB) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.n++
	}
	for _, processor := range []interface {
		Register(string, func(*gorm.DB)) error
	}{
		db.Callback().Create(), db.Callback().Query(), db.Callback().Update(),
		db.Callback().Delete(), db.Callback().Row(), db.Callback().Raw(),
	} {
		if err := processor.Register("test:count", count); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *counter) reset() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n
	c.n = 0
	return n
}
