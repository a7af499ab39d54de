package conformance_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	badQueryBody = `{"code":400,"message":"The query can only be \"except=current\""}`
	noSession    = "/0190a5a0-0000-7000-8000-000000000000"
)

// sessionRoutes are the routes that list sessions and end them, below the refresh route.
var sessionRoutes = []struct{ method, tail string }{
	{http.MethodGet, ""}, {http.MethodDelete, "?except=current"}, {http.MethodDelete, noSession}, {http.MethodDelete, ""},
}

// breakDatabase makes every statement fail from now on.
func breakDatabase(t *testing.T, db *gorm.DB) {
	t.Helper()
	fail := func(db *gorm.DB) { _ = db.AddError(errors.New("connection refused")) }
	for _, err := range []error{
		db.Callback().Query().Before("gorm:query").Register("test:broken", fail),
		db.Callback().Row().Before("gorm:row").Register("test:broken", fail),
		db.Callback().Update().Before("gorm:update").Register("test:broken", fail),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ask sends a request with the browser's cookies, and with a query if target has one.
func (b *browser) ask(method, target string) *httptest.ResponseRecorder {
	path, query, _ := strings.Cut(target, "?")
	request := b.request(method, path)
	request.URL.RawQuery = query
	request.RequestURI = request.URL.RequestURI()
	recorder := httptest.NewRecorder()
	b.host.Router.ServeHTTP(recorder, request)
	return recorder
}

// TestSessionRoutesByCookie: with both tokens in cookies, the session routes answer as they do to a token in a header.
func TestSessionRoutesByCookie(t *testing.T) {
	host := cookieHost(t, openSQLite(t), refreshtokens.Cookies{AccessToken: true})
	mine, other := newBrowser(t, host, publicURL), newBrowser(t, host, publicURL)
	mine.login()
	other.login()
	otherID, _ := host.Claims(other.cookie("/", accessCookie))["sid"].(string)

	testhost.WantAnswer(t, mine.ask(http.MethodDelete, webRefresh+noSession), http.StatusNotFound, testhost.NotFoundBody)
	testhost.WantAnswer(t, mine.ask(http.MethodDelete, webRefresh+"/"+otherID), http.StatusNoContent, "")
	for _, route := range sessionRoutes {
		testhost.WantUnauthorized(t, other.ask(route.method, webRefresh+route.tail), testhost.InvalidToken)
	}

	testhost.WantAnswer(t, mine.ask(http.MethodDelete, webRefresh+"?except=others"), http.StatusBadRequest, badQueryBody)
	mine.tokens(mine.send(http.MethodPost, webRefresh)) // none has ended
	testhost.WantAnswer(t, mine.ask(http.MethodDelete, webRefresh), http.StatusNoContent, "")
	testhost.WantUnauthorized(t, mine.ask(http.MethodPost, webRefresh), testhost.InvalidToken)
}

// TestEndedSessionIsOverForOtherKeysToo: once the session is known to be over, a proof by another key gets 401, and no longer a 403 to
// try again.
func TestEndedSessionIsOverForOtherKeysToo(t *testing.T) {
	host := deviceHost(t, openSQLite(t), plugin.BindingIfOffered)
	d, other := newDevice(t, host), newDevice(t, host)
	d.logIn()
	d.refresh()
	wrong := []string{"Sec-Secure-Session-Id", d.sessionID, "Secure-Session-Response", other.proof(d.challenge, false)}
	testhost.WantAnswer(t, d.send(http.MethodPost, webRefresh, wrong...), http.StatusForbidden, forbiddenBody)
	if err := host.RevokeAll(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	testhost.WantUnauthorized(t, d.refresh(), testhost.InvalidToken)
	testhost.WantUnauthorized(t, d.send(http.MethodPost, webRefresh, wrong...), testhost.InvalidToken)
}

// TestBoundTokenInACookie: a token that needs a DPoP proof gets the challenge of one in a cookie too, and its session lives on.
func TestBoundTokenInACookie(t *testing.T) {
	host := boundHost(t, openSQLite(t), plugin.BindingIfOffered)
	host.Register(host.Router.Group("/web"), refreshtokens.WithCookies(refreshtokens.Cookies{}))
	p := newProver(t, host)
	tokens := p.login()
	recorder := host.Do(http.MethodPost, webRefresh, nil, "Cookie", refreshCookie+"="+tokens.Refresh.Token)
	testhost.WantUnauthorized(t, recorder, badProof)
	p.mustRefresh(tokens.Refresh.Token)
}

// TestSessionRoutesForbid what the host doesn't allow, with tokens in bodies and in cookies.
func TestSessionRoutesForbid(t *testing.T) {
	scope := refreshtokens.ForSessionRoutes(middleware.Scope("sessions"))
	host := cookieHostWith(t, openSQLite(t), []refreshtokens.RegisterOption{
		refreshtokens.WithCookies(refreshtokens.Cookies{AccessToken: true}), scope,
	})
	host.Register(host.Router.Group("/scoped"), scope)
	tokens, b := host.Login("alice"), newBrowser(t, host, publicURL)
	b.login()
	for _, route := range sessionRoutes {
		for mode, recorder := range map[string]*httptest.ResponseRecorder{
			"bodies":  host.Bearer(route.method, "/scoped/auth/refresh-tokens"+route.tail, tokens.Access.Token),
			"cookies": b.ask(route.method, webRefresh+route.tail),
		} {
			testhost.WantAnswer(t, recorder, http.StatusForbidden, forbiddenBody)
			if got := recorder.Header().Get("WWW-Authenticate"); got != `Bearer error="insufficient_scope", scope="sessions"` {
				t.Errorf("%s: %s %s challenges with %q", mode, route.method, route.tail, got)
			}
		}
	}
	host.MustRefresh(tokens.Refresh.Token)
}

// TestRoutesWithoutDatabase: each answers 500.
func TestRoutesWithoutDatabase(t *testing.T) {
	host := deviceHost(t, openSQLite(t), plugin.BindingIfOffered)
	tokens, b := host.Login("alice"), newDevice(t, host)
	asked := registration.FindStringSubmatch(b.send(http.MethodPost, webLogin).Header().Get("Secure-Session-Registration"))
	breakDatabase(t, host.DB)
	for _, route := range sessionRoutes {
		testhost.WantAnswer(t, host.Bearer(route.method, testhost.RefreshPath+route.tail, tokens.Access.Token), http.StatusInternalServerError, testhost.InternalBody)
		testhost.WantAnswer(t, b.ask(route.method, webRefresh+route.tail), http.StatusInternalServerError, testhost.InternalBody)
	}
	recorder := b.send(http.MethodPost, webDevice, "Secure-Session-Response", b.proof(asked[1], true))
	testhost.WantAnswer(t, recorder, http.StatusInternalServerError, testhost.InternalBody)
}
