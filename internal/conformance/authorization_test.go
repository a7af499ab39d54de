package conformance_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const forbiddenBody = `{"code":403,"message":"Forbidden"}`

func ok(c *gin.Context) { c.String(http.StatusOK, refreshtokens.Subject(c)) }

// TestStepUp: a fresh login is asked for, given in one access token, and ends with it. Nothing else changes.
func TestStepUp(t *testing.T) {
	const stale = `Bearer error="insufficient_user_authentication", max_age="300"`
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		host.Router.DELETE("/account", host.RequireAuth(middleware.AuthenticatedWithin(5*time.Minute)), ok)
		try := func(token string) int { return host.Bearer(http.MethodDelete, "/account", token).Code }
		tokens := issue(t, host, plugin.Device{}, plugin.WithData(map[string]any{"amr": []string{"pwd"}, "tenant": "acme"}))
		if got := try(tokens.Access.Token); got != http.StatusOK {
			t.Errorf("just logged in: %d", got)
		}
		host.Clock.Advance(5 * time.Minute)
		if got := try(tokens.Access.Token); got != http.StatusOK {
			t.Errorf("at five minutes: %d", got)
		}
		host.Clock.Advance(time.Second)
		testhost.WantUnauthorized(t, host.Bearer(http.MethodDelete, "/account", tokens.Access.Token), stale)
		tokens = host.MustRefresh(tokens.Refresh.Token)
		testhost.WantUnauthorized(t, host.Bearer(http.MethodDelete, "/account", tokens.Access.Token), stale)

		before := host.Rows()
		claims, err := host.VerifyAccess(tokens.Access.Token)
		if err != nil {
			t.Fatal(err)
		}
		elevated, err := host.Reauthenticate(t.Context(), claims, plugin.WithData(map[string]any{"amr": []string{"pwd", "otp"}, "acr": "2"}))
		if err != nil {
			t.Fatal(err)
		}
		if got := try(elevated.Token); got != http.StatusOK {
			t.Errorf("elevated: %d", got)
		}
		got := host.Claims(elevated.Token)
		if !reflect.DeepEqual(got["amr"], []any{"pwd", "otp"}) || got["acr"] != "2" || got["tenant"] != "acme" || got["sid"] != host.SessionID(tokens) {
			t.Errorf("claims are %v", got)
		}
		if lasts := elevated.Expires.Sub(host.Clock.Now().Truncate(time.Second)); lasts != 15*time.Minute {
			t.Errorf("it lasts %v", lasts)
		}
		if after := host.Rows(); !reflect.DeepEqual(before, after) {
			t.Errorf("the rows changed: %+v", after)
		}
		// The elevation is in no refresh token.
		tokens = host.MustRefresh(tokens.Refresh.Token)
		testhost.WantUnauthorized(t, host.Bearer(http.MethodDelete, "/account", tokens.Access.Token), stale)

		testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, tokens.Refresh.Token), http.StatusNoContent, "")
		if _, err := host.Reauthenticate(t.Context(), claims); !errors.Is(err, plugin.ErrRevoked) {
			t.Errorf("of an ended session: %v", err)
		}
	})
}

// TestReauthenticateAsksTheHost: whom Claims refuses is not elevated, and the session ends.
func TestReauthenticateAsksTheHost(t *testing.T) {
	var refusal error
	host := testhost.New(t, openSQLite(t), func(c *refreshtokens.Config) {
		c.Claims = func(context.Context, plugin.Session) (map[string]any, error) {
			return map[string]any{"role": "user", "acr": "1"}, refusal
		}
	})
	tokens := host.Login("alice")
	claims, err := host.VerifyAccess(tokens.Access.Token)
	if err != nil {
		t.Fatal(err)
	}
	elevated, err := host.Reauthenticate(t.Context(), claims, plugin.WithData(map[string]any{"acr": "2"}))
	if got := host.Claims(elevated.Token); err != nil || got["role"] != "user" || got["acr"] != "2" {
		t.Errorf("claims are %v, %v", got, err)
	}
	if _, err := host.Reauthenticate(t.Context(), claims, plugin.WithData(map[string]any{"sub": "root"})); !errors.Is(err, plugin.ErrInvalidClaims) {
		t.Errorf("a reserved claim: %v", err)
	}
	refusal = errors.New("directory is down")
	if _, err := host.Reauthenticate(t.Context(), claims); !errors.Is(err, refusal) {
		t.Errorf("a failing callback: %v", err)
	}
	refusal = plugin.ErrSubjectRefused
	if _, err := host.Reauthenticate(t.Context(), claims); !errors.Is(err, plugin.ErrSubjectRefused) {
		t.Errorf("a refusal: %v", err)
	}
	refusal = nil
	host.WantRefresh(tokens.Refresh.Token, http.StatusUnauthorized)
}

// TestSessionRoutesCanAskForMore, and then do so on each of them.
func TestSessionRoutesCanAskForMore(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	host.Register(host.Router.Group("/strict"), refreshtokens.ForSessionRoutes(middleware.AuthenticatedWithin(5*time.Minute)))
	tokens := host.Login("alice")
	path := "/strict/auth/refresh-tokens"
	testhost.WantAnswer(t, host.Bearer(http.MethodGet, path, tokens.Access.Token), http.StatusOK, "")
	host.Clock.Advance(6 * time.Minute)
	for _, route := range []struct{ method, path string }{
		{http.MethodGet, path}, {http.MethodDelete, path}, {http.MethodDelete, path + "?except=current"}, {http.MethodDelete, path + "/" + tokens.SessionID},
	} {
		testhost.WantUnauthorized(t, host.Bearer(route.method, route.path, tokens.Access.Token), `Bearer error="insufficient_user_authentication", max_age="300"`)
	}
	host.WantRefresh(tokens.Refresh.Token, http.StatusOK)
}

// TestScopesAndOptional tells the answers apart: no token, a bad one, one that is not enough, one that is too old.
func TestScopesAndOptional(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	admin := middleware.Allow(func(claims refreshtokens.Claims) bool { return claims.Subject == "admin" })
	fresh := middleware.AuthenticatedWithin(time.Minute)
	for path, options := range map[string][]middleware.Option{
		"/read":           {middleware.Scope("read")},
		"/both":           {middleware.Scope("read", "write")},
		"/optional":       {middleware.Optional()},
		"/optional-live":  {middleware.Optional(), middleware.LiveSession()},
		"/admin-fresh":    {admin, fresh},
		"/scope-fresh":    {fresh, middleware.Scope("write")},
		"/optional-scope": {middleware.Optional(), middleware.Scope("read")},
	} {
		host.Router.GET(path, host.RequireAuth(options...), ok)
	}
	scoped := func(scope any) string {
		return issue(t, host, plugin.Device{}, plugin.WithData(map[string]any{"scope": scope})).Access.Token
	}
	reader, both, wrong, none := scoped("read openid"), scoped("write  read"), scoped([]string{"read"}), host.Login("alice").Access.Token
	ended := host.Login("alice")
	host.PostToken(testhost.LogoutPath, ended.Refresh.Token)
	host.Clock.Advance(2 * time.Minute)
	for _, row := range []struct {
		path, token string
		status      int
		challenge   string
	}{
		{path: "/read", token: reader, status: 200},
		{path: "/read", token: both, status: 200},
		{path: "/read", token: wrong, status: 403, challenge: `Bearer error="insufficient_scope", scope="read"`},
		{path: "/read", token: none, status: 403, challenge: `Bearer error="insufficient_scope", scope="read"`},
		{path: "/read", status: 401, challenge: "Bearer"},
		{path: "/both", token: both, status: 200},
		{path: "/both", token: reader, status: 403, challenge: `Bearer error="insufficient_scope", scope="read write"`},
		{path: "/optional", status: 200},
		{path: "/optional", token: none, status: 200},
		{path: "/optional", token: "x", status: 401, challenge: testhost.InvalidToken},
		{path: "/optional-live", token: ended.Access.Token, status: 401, challenge: testhost.InvalidToken},
		{path: "/optional-live", status: 200},
		{path: "/optional-scope", status: 200},
		{path: "/optional-scope", token: none, status: 403, challenge: `Bearer error="insufficient_scope", scope="read"`},
		{path: "/admin-fresh", token: none, status: 403}, // a new login would change nothing
		{path: "/scope-fresh", token: none, status: 403, challenge: `Bearer error="insufficient_scope", scope="write"`},
		{path: "/scope-fresh", token: both, status: 401, challenge: `Bearer error="insufficient_user_authentication", max_age="60"`},
	} {
		var headers []string
		if row.token != "" {
			headers = []string{"Authorization", "Bearer " + row.token}
		}
		recorder := host.Do(http.MethodGet, row.path, nil, headers...)
		if got := recorder.Header().Get("WWW-Authenticate"); recorder.Code != row.status || got != row.challenge {
			t.Errorf("%s with %.20q: answered %d, %s", row.path, row.token, recorder.Code, got)
		}
		if body := recorder.Body.String(); row.status == 403 && body != forbiddenBody || row.status == 401 && body != testhost.UnauthorizedBody {
			t.Errorf("%s: body is %s", row.path, body)
		}
	}
	recorder := host.Do(http.MethodGet, "/optional", nil, "Authorization", "Basic YTpi")
	testhost.WantUnauthorized(t, recorder, "Bearer")
}

// TestLiveSessionWithin: a remembered answer saves the look-up, and ends at once with a revocation of each kind.
func TestLiveSessionWithin(t *testing.T) {
	revocations := map[string]func(host *testhost.Host, tokens plugin.Tokens) error{
		"log-out": func(host *testhost.Host, tokens plugin.Tokens) error {
			return host.Revoke(context.Background(), tokens.Refresh.Token)
		},
		"one session": func(host *testhost.Host, tokens plugin.Tokens) error {
			return host.RevokeSession(context.Background(), "alice", tokens.SessionID)
		},
		"all sessions": func(host *testhost.Host, _ plugin.Tokens) error { return host.RevokeAll(context.Background(), "alice") },
		"everybody's": func(host *testhost.Host, _ plugin.Tokens) error {
			_, err := host.RevokeEveryone(context.Background())
			return err
		},
		"erasure": func(host *testhost.Host, _ plugin.Tokens) error {
			_, err := host.Forget(context.Background(), "alice")
			return err
		},
		"a newer login": func(host *testhost.Host, _ plugin.Tokens) error {
			host.Clock.Advance(time.Second)
			host.Login("alice")
			return nil
		},
		"reuse detection": reuse,
	}
	for name, revoke := range revocations {
		t.Run(name, func(t *testing.T) {
			testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
				host := testhost.New(t, db, func(c *refreshtokens.Config) { c.MaxSessions = 1 })
				host.Router.GET("/live", host.RequireAuth(middleware.LiveSession(middleware.Within(time.Hour))), ok)
				tokens := host.Login("alice")
				statements := countStatements(t, db)
				get := func() int { return host.Bearer(http.MethodGet, "/live", tokens.Access.Token).Code }
				for range 5 {
					if got := get(); got != http.StatusOK {
						t.Fatalf("while it lives: %d", got)
					}
				}
				if n := statements.reset(); n != 1 {
					t.Errorf("%d statements for 5 requests", n)
				}
				if stats := host.Service().Stats(); stats.LiveLookups != 5 || stats.LiveCacheHits != 4 {
					t.Errorf("stats are %+v", stats)
				}
				if err := revoke(host, tokens); err != nil {
					t.Fatal(err)
				}
				if got := get(); got != http.StatusUnauthorized {
					t.Errorf("after it ended: %d", got)
				}
			})
		})
	}
}

// reuse presents the first token of a session again, after the grace period.
func reuse(host *testhost.Host, tokens plugin.Tokens) error {
	host.MustRefresh(tokens.Refresh.Token)
	host.Clock.Advance(testhost.Grace + time.Second)
	_, err := host.Refresh(context.Background(), tokens.Refresh.Token, plugin.Device{})
	if errors.Is(err, plugin.ErrReused) {
		return nil
	}
	return err
}

// TestRememberedAnswersAge: another process's revocation is seen after the time that the host allowed.
func TestRememberedAnswersAge(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	other := testhost.New(t, host.DB, func(c *refreshtokens.Config) { c.Clock = host.Clock.Now })
	host.Router.GET("/live", host.RequireAuth(middleware.LiveSession(middleware.Within(5*time.Second))), ok)
	tokens := host.Login("alice")
	get := func() int { return host.Bearer(http.MethodGet, "/live", tokens.Access.Token).Code }
	get()
	if err := other.RevokeAll(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	host.Clock.Advance(5*time.Second - time.Millisecond)
	if got := get(); got != http.StatusOK {
		t.Errorf("within five seconds: %d", got)
	}
	host.Clock.Advance(time.Millisecond)
	if got := get(); got != http.StatusUnauthorized {
		t.Errorf("after five seconds: %d", got)
	}
}

// TestRevocationDuringALookup: a look-up that has read the row before a revocation is neither answered nor remembered with it.
func TestRevocationDuringALookup(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		host.Router.GET("/live", host.RequireAuth(middleware.LiveSession(middleware.Within(time.Hour))), ok)
		tokens := host.Login("alice")
		revoked := false
		err := db.Callback().Row().After("*").Register("test:revoke", func(db *gorm.DB) {
			if !revoked && db.Statement.Schema != nil {
				revoked = true
				if err := host.RevokeSession(context.Background(), "alice", tokens.SessionID); err != nil {
					t.Error(err)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := host.Bearer(http.MethodGet, "/live", tokens.Access.Token).Code; got != http.StatusUnauthorized || !revoked {
				t.Errorf("answered %d, revoked: %v", got, revoked)
			}
		}
	})
}

// TestLiveSessionNeedsSessions: a verifier without a database can't say whether a session lives, and says so at start.
func TestLiveSessionNeedsSessions(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it did not panic")
		}
	}()
	middleware.RequireAuth(verifierOnly{}, middleware.LiveSession())
}

type verifierOnly struct{}

func (verifierOnly) VerifyAccess(string) (refreshtokens.Claims, error) {
	return refreshtokens.Claims{}, nil
}

// TestShortestMaxAgeHolds, and what can't be meant is refused at start.
func TestShortestMaxAgeHolds(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	host.Router.GET("/both", host.RequireAuth(middleware.AuthenticatedWithin(time.Minute), middleware.AuthenticatedWithin(24*time.Hour)), ok)
	token := host.Login("alice").Access.Token
	host.Clock.Advance(10 * time.Minute)
	testhost.WantUnauthorized(t, host.Bearer(http.MethodGet, "/both", token), `Bearer error="insufficient_user_authentication", max_age="60"`)
	for name, option := range map[string]func(){
		"zero":            func() { middleware.AuthenticatedWithin(0) },
		"negative":        func() { middleware.AuthenticatedWithin(-time.Minute) },
		"negative Within": func() { middleware.Within(-time.Second) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			option()
		}()
	}
}

// TestScopeIsExact: a claim whose name differs in case grants nothing.
func TestScopeIsExact(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	host.Router.GET("/mail", host.RequireAuth(middleware.Scope("mail.read")), ok)
	for _, name := range []string{"SCOPE", "\u017fcope"} {
		token := issue(t, host, plugin.Device{}, plugin.WithData(map[string]any{name: "mail.read"})).Access.Token
		testhost.WantAnswer(t, host.Bearer(http.MethodGet, "/mail", token), http.StatusForbidden, forbiddenBody)
	}
}

// TestSessionRoutesAreForSomebody: Optional lets no stranger list or end sessions.
func TestSessionRoutesAreForSomebody(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	host.Register(host.Router.Group("/v2"), refreshtokens.ForSessionRoutes(middleware.Optional()))
	for _, route := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"DELETE", "?except=current"}, {"DELETE", "/"}, {"DELETE", "/0190a5a0-0000-7000-8000-000000000000"}} {
		testhost.WantUnauthorized(t, host.Do(route[0], "/v2/auth/refresh-tokens"+route[1], nil), "Bearer")
	}
}

// TestMemoryOfLiveSessionsHoldsNoSnapshot: what a transaction of the host's sees is not remembered for others.
func TestMemoryOfLiveSessionsHoldsNoSnapshot(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		tx := db.Begin()
		tokens, err := host.WithDB(tx).Issue(t.Context(), "alice", plugin.Device{})
		if err != nil {
			t.Fatal(err)
		}
		if lives, err := host.WithDB(tx).SessionLives(t.Context(), "alice", tokens.SessionID, time.Hour); !lives || err != nil {
			t.Errorf("in the transaction: %v, %v", lives, err)
		}
		tx.Rollback()
		if lives, err := host.Service().SessionLives(t.Context(), "alice", tokens.SessionID, time.Hour); lives || err != nil {
			t.Errorf("a session that was rolled back: %v, %v", lives, err)
		}
	})
}

// TestRevocationThatFailedIsNotRemembered: it may have been carried out, whatever the broken connection said.
func TestRevocationThatFailedIsNotRemembered(t *testing.T) {
	db := openSQLite(t)
	host := testhost.New(t, db)
	tokens := host.Login("alice")
	lives := func() bool {
		lives, err := host.Service().SessionLives(t.Context(), "alice", tokens.SessionID, time.Hour)
		if err != nil {
			t.Error(err)
		}
		return lives
	}
	lives()
	err := db.Callback().Update().After("*").Register("test:break", func(db *gorm.DB) { _ = db.AddError(io.ErrUnexpectedEOF) })
	if err != nil {
		t.Fatal(err)
	}
	if err := host.RevokeSession(t.Context(), "alice", tokens.SessionID); err == nil {
		t.Error("no error")
	}
	if lives() {
		t.Error("it lives")
	}
}
