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
	chain []plugin.Tokens // the session's tokens, generation 1 first; each was minted two grace periods after the one before
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

// What a refresh does to the session's row.
const (
	untouched = "untouched"
	rotated   = "rotated"
	caughtUp  = "caught up" // with the presented token
	ended     = "ended"
)

// TestDecisionTable goes through the decision table of docs/how-it-works.md. Each row says which token is presented, what is
// answered, what becomes of the session's row, and how many statements that takes.
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

		{name: "live, after log-out", generation: 3, prepare: logOut(2 * grace), present: live, status: 401, row: untouched, statements: 2, revokedFor: models.ReasonLogout},
		{name: "live and young, after log-out", generation: 3, prepare: logOut(0), present: live, status: 401, row: untouched, statements: 1, revokedFor: models.ReasonLogout},
		{name: "predecessor, after log-out", generation: 3, prepare: logOut(0), present: spent(1), status: 401, row: untouched, statements: 2, revokedFor: models.ReasonLogout},
		{name: "live, but the row is gone", generation: 3, prepare: func(w world) {
			w.Clock.Advance(2 * grace)
			w.DB.Where("1 = 1").Delete(&models.RefreshToken{})
		}, present: live, status: 401, row: untouched, statements: 2},

		{name: "ahead of the row, by one", generation: 3, prepare: func(w world) { setBack(w.Host, 1); w.Clock.Advance(2 * grace) }, present: live, status: 200, row: rotated, statements: 1},
		{name: "ahead of the row, by two", generation: 3, prepare: func(w world) { setBack(w.Host, 2); w.Clock.Advance(2 * grace) }, present: live, status: 200, row: rotated, statements: 1},
		{name: "ahead of the row, and young", generation: 3, prepare: func(w world) { setBack(w.Host, 1) }, present: live, status: 200, row: caughtUp, statements: 2},
		{name: "ahead of the row by two, and young", generation: 3, prepare: func(w world) { setBack(w.Host, 2) }, present: live, status: 200, row: caughtUp, statements: 2},
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
					t.Errorf("the refresh took %d statements, want %d", got, row.statements)
				}
				if (row.row == untouched || row.row == caughtUp) && status == http.StatusOK && tokens.Refresh != w.chain[row.generation-1].Refresh {
					t.Error("the answer is not the live token")
				}
				after := w.Rows()
				if len(after) != len(before) {
					t.Fatalf("there are %d rows, and there were %d before", len(after), len(before))
				}
				if len(after) == 0 {
					return
				}
				if after[0].RevokedFor != row.revokedFor || (after[0].RevokedAt != 0) != (row.revokedFor != "") {
					t.Errorf("the row was revoked at %d for %q, want %q", after[0].RevokedAt, after[0].RevokedFor, row.revokedFor)
				}
				if row.row == untouched && after[0] != before[0] {
					t.Errorf("the row changed from %+v to %+v", before[0], after[0])
				}
				if row.row == rotated || row.row == caughtUp {
					want := int64(row.generation)
					if row.row == rotated {
						want++
					}
					if after[0].Generation != want {
						t.Errorf("the generation is %d, want %d", after[0].Generation, want)
					}
					w.WantRefresh(tokens.Refresh.Token, http.StatusOK)
				}
			})
		})
	}
}

// TestWithoutGrace checks that without a grace period every refresh rotates, and every retry ends the session.
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
				t.Errorf("the refresh took %d statements, and the rows are %+v", got, host.Rows())
			}
			statements.reset()
		}
		retried := token
		token = host.MustRefresh(retried).Refresh.Token
		host.WantRefresh(retried, http.StatusUnauthorized)
		host.WantRefresh(token, http.StatusUnauthorized)
	})
}

// setBack lowers the generation in the session's row, as if a backup had been restored.
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
		{name: "adds claims", claims: map[string]any{"role": "admin", "nested": map[string]any{"a": []int{1}}}, status: 200, statements: 1},
		{name: "adds no claims", claims: map[string]any{}, status: 200, statements: 1},
		{name: "refuses", err: plugin.ErrSubjectRefused, status: 401, statements: 1, revokedFor: models.ReasonRefused},
		{name: "refuses with a cause", err: errors.Join(errors.New("no such user"), plugin.ErrSubjectRefused), status: 401, statements: 1, revokedFor: models.ReasonRefused},
		{name: "fails", err: errDown, status: 500, statements: 0},
		{name: "fails with plugin.ErrNotFound", err: plugin.ErrNotFound, status: 500, statements: 0},
		{name: "fails with plugin.ErrExpired", err: fmt.Errorf("x: %w", plugin.ErrExpired), status: 500, statements: 0},
		{name: "overrides sub", claims: map[string]any{"sub": "root"}, status: 500, statements: 0},
		{name: "overrides sub in another case", claims: map[string]any{"SUB": "root"}, status: 500, statements: 0},
		{name: "overrides sid by a name that folds to it", claims: map[string]any{"\u017fid": "x"}, status: 500, statements: 0},
		{name: "sets jti", claims: map[string]any{"jti": "1"}, status: 500, statements: 0},
		{name: "returns no JSON", claims: map[string]any{"f": func() {}}, status: 500, statements: 0},
		{name: "returns over 8 KiB", claims: map[string]any{"big": make([]byte, 8<<10)}, status: 500, statements: 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			db := openSQLite(t)
			statements := countStatements(t, db)
			var claims map[string]any
			var err error
			host := testhost.New(t, db, func(config *refreshtokens.Config) {
				config.Claims = func(_ context.Context, session plugin.Session) (map[string]any, error) {
					if session.Subject != "alice" {
						t.Errorf("the callback got the subject %q", session.Subject)
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
				t.Errorf("the refresh took %d statements, want %d", got, row.statements)
			}
			if got := host.Rows()[0].RevokedFor; got != row.revokedFor {
				t.Errorf("the session was revoked for %q, want %q", got, row.revokedFor)
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
					t.Errorf("Issue returned the error %v, and there are %d rows", issueErr, len(host.Rows()))
				}
				claims, err = nil, nil
				host.WantRefresh(tokens.Refresh.Token, http.StatusOK)
			}
		})
	}
}

// TestClaimsAreFresh checks that a changed role is in the next access token, also when the refresh token repeats.
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

// TestThiefWhoAlternatesIsCaught lets a thief and the victim take turns. The turns are too far apart for the grace period, so
// the session ends.
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
			t.Errorf("Issue returned the error %v, want %v", err, down)
		}

		broken = false
		host.WantRefresh(tokens.Refresh.Token, http.StatusOK)
	})
}

// TestAnswerLostAfterCommit breaks the connection after the rotation is written. The client gets a 500 and tries again. It must
// get the token of the generation that was written.
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
			t.Fatalf("the generation is %d, want 2: the rotation was not written", got)
		}
		broken = false
		first, again := host.MustRefresh(spent), host.MustRefresh(spent)
		if first.Refresh != again.Refresh || host.Rows()[0].Generation != 2 {
			t.Error("the retries did not get the same successor")
		}
		host.WantRefresh(first.Refresh.Token, http.StatusOK)
	})
}

// TestManyRefreshesLeaveOneRow rotates one session 1,000 times.
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

// counter counts the statements that go through a *gorm.DB. It does not count BEGIN and COMMIT.
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
