package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// A refresh token of the old system, and an expired one.
const (
	oldToken     = "pQ3YtXzZlQ1rJ8sW0mN6bAkZ8Yx7F_Q-2Vd4Hc5Gu9A="
	expiredToken = "expired-2Vd4Hc5Gu9Ak"
)

// oldSystem is what a Legacy callback asks. It knows oldToken, which is alice's, and tokens that begin with "of " and a subject.
type oldSystem struct {
	mu    sync.Mutex
	asked []string
	err   error
}

func (o *oldSystem) subject(_ context.Context, token string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, token)
	if o.err != nil {
		return "", o.err
	}
	if subject, found := strings.CutPrefix(token, "of "); found {
		return subject, nil
	}
	switch token {
	case oldToken:
		return "alice", nil
	case expiredToken:
		return "", plugin.ErrExpired
	default:
		return "", plugin.ErrInvalidToken
	}
}

// calls returns how often the callback was asked since the last call.
func (o *oldSystem) calls() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.asked)
	o.asked = nil
	return n
}

func (o *oldSystem) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

// legacyHost is a host with a Legacy callback.
func legacyHost(t testing.TB, db *gorm.DB, configure ...func(*refreshtokens.Config)) (*testhost.Host, *oldSystem) {
	t.Helper()
	old := &oldSystem{}
	host := testhost.New(t, db, append(configure, func(c *refreshtokens.Config) { c.Legacy = old.subject })...)
	return host, old
}

func wantNoRows(t *testing.T, host *testhost.Host) {
	t.Helper()
	if rows := host.Rows(); len(rows) != 0 {
		t.Errorf("the rows are %+v", rows)
	}
}

func TestTakeOver(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		events := &diary{}
		host, old := legacyHost(t, db, func(c *refreshtokens.Config) { c.OnEvent = events.write })
		first := host.MustRefresh(oldToken)
		testhost.WantAnswer(t, host.Bearer(http.MethodGet, testhost.MePath, first.Access.Token), http.StatusOK, "alice")
		rows := host.Rows()
		if len(rows) != 1 || rows[0].Subject != "alice" || rows[0].Generation != 2 || rows[0].RevokedAt != 0 {
			t.Fatalf("the rows are %+v", rows)
		}
		if id, err := uuid.Parse(host.SessionID(first)); err != nil || id.Version() != 8 || id.Variant() != uuid.RFC4122 {
			t.Errorf("the session's id is %v, %v", id, err)
		}
		if again := host.MustRefresh(oldToken); again.Refresh != first.Refresh {
			t.Error("the same token has two answers")
		}
		if again := host.MustRefresh(first.Refresh.Token); again.Refresh != first.Refresh {
			t.Error("the first token of ours rotates at once, so a tab with the old token could fall behind")
		}
		if n := old.calls(); n != 1 {
			t.Errorf("the callback was asked %d times", n)
		}
		host.Clock.Advance(2 * testhost.Grace)
		second := host.MustRefresh(first.Refresh.Token)
		if second.Refresh == first.Refresh || host.SessionID(second) != host.SessionID(first) {
			t.Error("the session does not go on")
		}
		if others := host.MustRefresh("of bob"); host.SessionID(others) == host.SessionID(first) {
			t.Error("two tokens have one session")
		}
		wantEvents(t, events, "take-overs", "taken_over", "repeated", "repeated", "refreshed", "taken_over")
	})
}

func TestWithoutLegacy(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	testhost.WantUnauthorized(t, host.PostToken(testhost.RefreshPath, oldToken), testhost.InvalidToken)
	testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, oldToken), http.StatusNotFound, testhost.NotFoundBody)
	wantNoRows(t, host)
}

// TestLegacyDecisions: a legacy token is a spent token once it was taken over.
func TestLegacyDecisions(t *testing.T) {
	const grace, week, second = testhost.Grace, 7 * 24 * time.Hour, time.Second
	takeOver := func(w world) plugin.Tokens { return w.MustRefresh(oldToken) }
	rotateAfter := func(d time.Duration) func(world) {
		return func(w world) {
			tokens := takeOver(w)
			w.Clock.Advance(d)
			w.MustRefresh(tokens.Refresh.Token)
		}
	}
	takenOver := func(d time.Duration) func(world) {
		return func(w world) { takeOver(w); w.Clock.Advance(d) }
	}
	for _, row := range []struct {
		name       string
		prepare    func(w world)
		token      string
		status     int
		rows       int
		statements int
		asked      int
		revokedFor models.Reason
	}{
		{name: "for the first time", status: 200, rows: 1, statements: 2, asked: 1},
		{name: "unknown", token: "x", status: 401, statements: 1, asked: 1},
		{name: "expired", token: expiredToken, status: 401, statements: 1, asked: 1},
		{name: "again, at once", prepare: takenOver(0), status: 200, rows: 1, statements: 1},
		{name: "again, at the end of grace", prepare: takenOver(grace), status: 200, rows: 1, statements: 1},
		{name: "again, after grace", prepare: takenOver(grace + second), status: 401, rows: 1, statements: 2, revokedFor: models.ReasonReuse},
		{name: "again, after the session repeated", prepare: rotateAfter(0), status: 200, rows: 1, statements: 1},
		{name: "again, after the session rotated", prepare: rotateAfter(2 * grace), status: 401, rows: 1, statements: 2, revokedFor: models.ReasonReuse},
		{name: "again, after the session idled out", prepare: takenOver(week), status: 401, rows: 1, statements: 1},
		{name: "after a log-out with it", prepare: func(w world) { w.PostToken(testhost.LogoutPath, oldToken) }, status: 401, rows: 1, statements: 1, revokedFor: models.ReasonLogout},
		{name: "after a log-out with ours", prepare: func(w world) {
			w.PostToken(testhost.LogoutPath, takeOver(w).Refresh.Token)
		}, status: 401, rows: 1, statements: 1, revokedFor: models.ReasonLogout},
		{name: "after a log-out, once more", prepare: func(w world) {
			w.PostToken(testhost.LogoutPath, oldToken)
			w.WantRefresh(oldToken, http.StatusUnauthorized)
		}, status: 401, rows: 1, revokedFor: models.ReasonLogout},
		{name: "the database lost the take-over", prepare: func(w world) {
			takeOver(w)
			w.DB.Where("1 = 1").Delete(&models.RefreshToken{})
		}, status: 200, rows: 1, statements: 2, asked: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				statements := countStatements(t, db)
				host, old := legacyHost(t, db)
				if row.prepare != nil {
					row.prepare(world{Host: host})
				}
				old.calls()
				statements.reset()
				token := row.token
				if token == "" {
					token = oldToken
				}

				host.WantRefresh(token, row.status)

				got := statements.reset()
				if row.status == http.StatusOK && row.asked == 1 && got == row.statements+1 {
					got-- // a new session may purge, which asks the database for its time first
				}
				if got != row.statements {
					t.Errorf("%d statements, want %d", got, row.statements)
				}
				if got := old.calls(); got != row.asked {
					t.Errorf("the callback was asked %d times, want %d", got, row.asked)
				}
				rows := host.Rows()
				if len(rows) != row.rows {
					t.Fatalf("%d rows, want %d", len(rows), row.rows)
				}
				if len(rows) > 0 && rows[0].RevokedFor != row.revokedFor {
					t.Errorf("revoked for %q, want %q", rows[0].RevokedFor, row.revokedFor)
				}
			})
		})
	}
}

// TestLegacyCallbackFails: a refusal is a 401, anything else a 500, and neither spends the token.
func TestLegacyCallbackFails(t *testing.T) {
	for _, row := range []struct {
		name   string
		err    error
		status int
	}{
		{"invalid", plugin.ErrInvalidToken, 401},
		{"expired, with a cause", fmt.Errorf("last week: %w", plugin.ErrExpired), 401},
		{"revoked", plugin.ErrRevoked, 401},
		{"reused", plugin.ErrReused, 401},
		{"refused", errors.Join(errors.New("banned"), plugin.ErrSubjectRefused), 401},
		{"down", errors.New("connection refused"), 500},
		{"timed out", context.DeadlineExceeded, 500},
		{"another error of ours", fmt.Errorf("x: %w", plugin.ErrNotFound), 500},
	} {
		t.Run(row.name, func(t *testing.T) {
			host, old := legacyHost(t, openSQLite(t))
			old.fail(row.err)
			logoutStatus := map[int]int{401: 404, 500: 500}[row.status]
			body := map[int]string{401: testhost.UnauthorizedBody, 404: testhost.NotFoundBody, 500: testhost.InternalBody}
			testhost.WantAnswer(t, host.PostToken(testhost.RefreshPath, oldToken), row.status, body[row.status])
			testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, oldToken), logoutStatus, body[logoutStatus])
			stats := host.Stats()
			if (stats.Rejected == 1) != (row.status == 401) || (stats.Failed == 1) != (row.status == 500) {
				t.Errorf("stats are %+v", stats)
			}
			wantNoRows(t, host)
			if n := old.calls(); n != 2 {
				t.Errorf("the callback was asked %d times", n)
			}
			old.fail(nil)
			host.WantRefresh(oldToken, http.StatusOK)
		})
	}
}

// TestLegacyCallbackReturnsNoSubject: that is the host's fault.
func TestLegacyCallbackReturnsNoSubject(t *testing.T) {
	host, _ := legacyHost(t, openSQLite(t))
	for _, subject := range []string{"", strings.Repeat("x", 256)} {
		testhost.WantAnswer(t, host.PostToken(testhost.RefreshPath, "of "+subject), http.StatusInternalServerError, testhost.InternalBody)
	}
	wantNoRows(t, host)
}

// TestClaimsOfATakeOver: the Claims callback is asked about the session that a legacy token starts. What it refuses or fails is not
// started.
func TestClaimsOfATakeOver(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var answer error
		var seen []plugin.Session
		host, _ := legacyHost(t, db, func(c *refreshtokens.Config) {
			c.Claims = func(_ context.Context, session plugin.Session) (map[string]any, error) {
				seen = append(seen, session)
				return map[string]any{"role": "admin"}, answer
			}
		})
		for _, row := range []struct {
			err    error
			status int
		}{{errors.New("down"), 500}, {plugin.ErrSubjectRefused, 401}} {
			answer = row.err
			host.WantRefresh(oldToken, row.status)
			wantNoRows(t, host)
		}
		answer = nil
		tokens := host.MustRefresh(oldToken)
		if host.Claims(tokens.Access.Token)["role"] != "admin" {
			t.Error("the claim is missing")
		}
		last := seen[len(seen)-1]
		if last.Subject != "alice" || last.ID != host.SessionID(tokens) || last.IP != "192.0.2.1" || last.Data != nil || last.Name != "" {
			t.Errorf("the callback got %+v", last)
		}
		// The user is banned between the take-over and its repetition.
		answer = plugin.ErrSubjectRefused
		host.WantRefresh(oldToken, http.StatusUnauthorized)
		if row := host.Rows()[0]; row.RevokedFor != models.ReasonRefused {
			t.Errorf("the row is %+v", row)
		}
	})
}

// TestStalledLegacyCallback: a callback that takes too long fails the call, and spends nothing.
func TestStalledLegacyCallback(t *testing.T) {
	stall := true
	host := testhost.New(t, openSQLite(t), func(c *refreshtokens.Config) {
		c.GracePeriod = 2 * time.Second
		c.Legacy = func(ctx context.Context, _ string) (string, error) {
			if stall {
				<-ctx.Done() // half the grace period at most
			}
			return "alice", nil // though it came too late
		}
	})
	host.WantRefresh(oldToken, http.StatusInternalServerError)
	wantNoRows(t, host)
	stall = false
	host.WantRefresh(oldToken, http.StatusOK)
}

// TestAuthTimeOfATakeOver: nobody knows when the user logged in, so the session is not fresh until the user authenticates again.
func TestAuthTimeOfATakeOver(t *testing.T) {
	host, _ := legacyHost(t, openSQLite(t))
	host.Router.GET("/fresh", host.RequireAuth(middleware.AuthenticatedWithin(20*365*24*time.Hour)), ok)
	get := func(token string) int { return host.Bearer(http.MethodGet, "/fresh", token).Code }
	tokens := host.MustRefresh(oldToken)
	repeated := host.MustRefresh(oldToken)
	host.Clock.Advance(2 * testhost.Grace)
	rotated := host.MustRefresh(tokens.Refresh.Token)
	for name, tokens := range map[string]plugin.Tokens{"taken over": tokens, "repeated": repeated, "rotated": rotated} {
		if code := get(tokens.Access.Token); code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, code)
		}
	}
	claims, err := host.VerifyAccess(rotated.Access.Token)
	if err != nil {
		t.Fatal(err)
	}
	elevated, err := host.Reauthenticate(t.Context(), claims)
	if err != nil {
		t.Fatal(err)
	}
	if code := get(elevated.Token); code != http.StatusOK {
		t.Errorf("after the password was checked: %d", code)
	}
	if code := get(host.Login("alice").Access.Token); code != http.StatusOK {
		t.Errorf("after a login: %d", code)
	}
}

// TestTakeOverInCookieMode: a legacy token in the refresh cookie is taken over like one in a body.
func TestTakeOverInCookieMode(t *testing.T) {
	host, _ := legacyHost(t, openSQLite(t))
	host.Register(host.Router.Group("/web"), refreshtokens.WithCookies(refreshtokens.Cookies{}))
	answer := host.Do(http.MethodPost, webRefresh, nil, "Cookie", refreshCookie+"="+oldToken)
	testhost.WantAnswer(t, answer, http.StatusOK, "")
	if cookies := answer.Result().Cookies(); len(cookies) != 1 || cookies[0].Value != host.MustRefresh(oldToken).Refresh.Token {
		t.Errorf("the cookies are %v", cookies)
	}
}

// TestTakeOverWithDB: a take-over stands or falls with the host's transaction.
func TestTakeOverWithDB(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host, old := legacyHost(t, db)
		rollback := errors.New("roll back")
		var lost, kept plugin.Tokens
		err := db.Transaction(func(tx *gorm.DB) (err error) {
			lost, err = host.WithDB(tx).Refresh(t.Context(), oldToken, plugin.Device{})
			return errors.Join(err, rollback)
		})
		if err == nil || err.Error() != rollback.Error() {
			t.Fatal(err)
		}
		wantNoRows(t, host)
		host.WantRefresh(lost.Refresh.Token, http.StatusUnauthorized)
		if err := db.Transaction(func(tx *gorm.DB) (err error) {
			service := host.WithDB(tx)
			if kept, err = service.Refresh(t.Context(), oldToken, plugin.Device{}); err != nil {
				return err
			}
			again, err := service.Refresh(t.Context(), oldToken, plugin.Device{})
			if again.Refresh != kept.Refresh {
				t.Error("within the transaction, the token has two answers")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if again := host.MustRefresh(oldToken); again.Refresh != kept.Refresh || old.calls() != 2 {
			t.Error("after the commit, the token has another answer")
		}
	})
}

// TestLimitCountsTakeOvers: a session that was taken over counts against MaxSessions, and ends the least recently used one.
func TestLimitCountsTakeOvers(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		broken := false
		err := db.Callback().Query().Before("gorm:query").Register("test:list", func(db *gorm.DB) {
			if _, listing := db.Statement.Clauses["ORDER BY"]; listing && broken && db.Statement.Clauses["LIMIT"].Expression != nil {
				_ = db.AddError(errors.New("down"))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		host, _ := legacyHost(t, db, onlyOne)
		login := host.Login("alice")
		host.Clock.Advance(time.Second)
		broken = true
		host.WantRefresh(oldToken, http.StatusInternalServerError)
		broken = false
		tokens := host.MustRefresh(oldToken) // the same request again: the limit is enforced now
		host.WantRefresh(login.Refresh.Token, http.StatusUnauthorized)
		sessions, err := host.Sessions(t.Context(), "alice")
		if err != nil || len(sessions) != 1 || sessions[0].ID != host.SessionID(tokens) {
			t.Errorf("the sessions are %+v, %v", sessions, err)
		}
	})
}

// TestTableCannotGiveATakeOverAway: whoever can write to the table can't give a session that was taken over to somebody else, and
// can't add to its claims.
func TestTableCannotGiveATakeOverAway(t *testing.T) {
	for name, assignment := range map[string]string{
		"another subject": "subject = 'root'",
		"other data":      `data = '{"claims":{"role":"admin"}}'`,
		"more data":       `data = '{"claims":{"role":"admin"},' || substr(data, 2)`,
		"no data":         "data = ''",
	} {
		t.Run(name, func(t *testing.T) {
			host, _ := legacyHost(t, openSQLite(t))
			host.MustRefresh(oldToken)
			if err := host.DB.Exec("UPDATE refresh_tokens SET " + assignment).Error; err != nil {
				t.Fatal(err)
			}
			host.WantRefresh(oldToken, http.StatusUnauthorized)
			testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, oldToken), http.StatusNotFound, testhost.NotFoundBody)
		})
	}
}

// TestAnotherSecretHasOtherSessions: the session's id can't be derived without the secret.
func TestAnotherSecretHasOtherSessions(t *testing.T) {
	host, _ := legacyHost(t, openSQLite(t))
	other, _ := legacyHost(t, openSQLite(t), func(c *refreshtokens.Config) { c.Secret = []byte("another secret, also of more than 32 bytes") })
	if host.SessionID(host.MustRefresh(oldToken)) == other.SessionID(other.MustRefresh(oldToken)) {
		t.Error("both secrets derive the same id")
	}
}
