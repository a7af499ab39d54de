package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
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

const (
	webRefresh = "/web/auth/refresh-tokens"
	webLogout  = "/web/auth/logout"
	webLogin   = "/web/login"
	webMe      = "/web/me"

	refreshCookie = "__Secure-refresh-token"
	accessCookie  = "__Host-access-token"
)

// cookieHost is a host with cookie mode under /web, beside the bodies under /v1.
func cookieHost(t testing.TB, db *gorm.DB, cookies refreshtokens.Cookies, configure ...func(*refreshtokens.Config)) *testhost.Host {
	t.Helper()
	return cookieHostWith(t, db, []refreshtokens.RegisterOption{refreshtokens.WithCookies(cookies)}, configure...)
}

func cookieHostWith(t testing.TB, db *gorm.DB, options []refreshtokens.RegisterOption, configure ...func(*refreshtokens.Config)) *testhost.Host {
	t.Helper()
	host := testhost.New(t, db, configure...)
	web := host.Register(host.Router.Group("/web"), options...)
	login := func(c *gin.Context) {
		tokens, err := host.Issue(c.Request.Context(), "alice", refreshtokens.DeviceOf(c))
		if err != nil {
			c.AbortWithStatusJSON(http.StatusInternalServerError, gin.H{"error": err.Error()})
			return
		}
		web.WriteTokens(c, http.StatusOK, tokens)
	}
	host.Router.POST(webLogin, web.Protect, login)
	host.Router.POST("/web/unprotected-login", login)
	host.Router.GET(webMe, web.RequireAuth(), func(c *gin.Context) { c.String(http.StatusOK, middleware.Subject(c)) })
	host.Router.POST(webMe, web.RequireAuth(), func(c *gin.Context) { c.String(http.StatusOK, middleware.Subject(c)) })
	host.Router.GET("/web/optional", web.RequireAuth(middleware.Optional()), func(c *gin.Context) { c.String(http.StatusOK, "<%s>", middleware.Subject(c)) })
	return host
}

// browser keeps cookies as a browser does.
type browser struct {
	t    testing.TB
	host *testhost.Host
	jar  *cookiejar.Jar
	base *url.URL
}

func newBrowser(t testing.TB, host *testhost.Host, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := url.Parse(base + "/") // without the slash, JoinPath makes relative paths
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, host, jar, parsed}
}

// send makes a request as a page of the browser's own origin does, unless the headers say otherwise.
func (b *browser) send(method, path string, headers ...string) *httptest.ResponseRecorder {
	request := b.request(method, path, headers...)
	recorder := httptest.NewRecorder()
	b.host.Router.ServeHTTP(recorder, request)
	b.receive(request, recorder)
	return recorder
}

func (b *browser) request(method, path string, headers ...string) *http.Request {
	target := b.base.JoinPath(path)
	request := httptest.NewRequest(method, target.String(), http.NoBody)
	request.TLS = nil // as behind a proxy
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	request.Header.Set("Origin", strings.TrimSuffix(b.base.String(), "/"))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	for _, cookie := range b.jar.Cookies(target) {
		request.AddCookie(cookie)
	}
	return request
}

func (b *browser) receive(request *http.Request, recorder *httptest.ResponseRecorder) {
	b.jar.SetCookies(request.URL, recorder.Result().Cookies())
}

// cookie returns the value of a cookie that the browser would send to path; "" where it would send none.
func (b *browser) cookie(path, name string) string {
	for _, cookie := range b.jar.Cookies(b.base.JoinPath(path)) {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

func (b *browser) login() {
	b.t.Helper()
	b.tokens(b.send(http.MethodPost, webLogin))
}

// tokens returns the members of a body with tokens.
func (b *browser) tokens(recorder *httptest.ResponseRecorder) map[string]map[string]string {
	b.t.Helper()
	testhost.WantAnswer(b.t, recorder, http.StatusOK, "")
	testhost.WantGroupHeaders(b.t, recorder)
	var tokens map[string]map[string]string
	if err := json.Unmarshal(recorder.Body.Bytes(), &tokens); err != nil {
		b.t.Fatal(err)
	}
	return tokens
}

// members returns the names of what tokens has in it.
func members(tokens map[string]map[string]string) string {
	var names []string
	for _, kind := range []string{"access", "refresh"} {
		for _, name := range []string{"token", "expires"} {
			if tokens[kind][name] != "" {
				names = append(names, kind+"."+name)
			}
		}
	}
	return strings.Join(names, " ")
}

const publicURL = "https://example.com"

// TestCookieMode goes from log-in to log-out, on every database.
func TestCookieMode(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := cookieHost(t, db, refreshtokens.Cookies{})
		b := newBrowser(t, host, publicURL)

		recorder := b.send(http.MethodPost, webLogin)
		tokens := b.tokens(recorder)
		if got := members(tokens); got != "access.token access.expires refresh.expires" {
			t.Errorf("a login answers %s", got)
		}
		const want = refreshCookie + "=TOKEN; Path=/web/auth; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"
		first := b.cookie(webRefresh, refreshCookie)
		if got := strings.Replace(recorder.Header().Get("Set-Cookie"), first, "TOKEN", 1); first == "" || got != want {
			t.Errorf("Set-Cookie is %s\nwant          %s", got, want)
		}
		if b.cookie(webMe, refreshCookie) != "" || b.cookie("/v1/auth/refresh-tokens", refreshCookie) != "" {
			t.Error("the refresh token travels to other routes")
		}

		tokens = b.tokens(b.send(http.MethodPost, webRefresh))
		if got := members(tokens); got != "access.token access.expires refresh.expires" {
			t.Errorf("a refresh answers %s", got)
		}
		second := b.cookie(webRefresh, refreshCookie)
		if second == first || host.Claims(second)["gen"] != json.Number("2") {
			t.Error("the cookie was not rotated")
		}
		exp, err := host.Claims(second)["exp"].(json.Number).Int64()
		if err != nil || tokens["refresh"]["expires"] != time.Unix(exp, 0).UTC().Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("refresh.expires is %s, exp is %d", tokens["refresh"]["expires"], exp)
		}

		bearer := "Bearer " + tokens["access"]["token"]
		testhost.WantAnswer(t, b.send(http.MethodGet, webMe, "Authorization", bearer), http.StatusOK, "alice")
		list := b.send(http.MethodGet, webRefresh, "Authorization", bearer)
		if testhost.WantAnswer(t, list, http.StatusOK, ""); strings.Count(list.Body.String(), `"current":true`) != 1 {
			t.Errorf("the list is %s", list.Body)
		}
		testhost.WantUnauthorized(t, b.send(http.MethodGet, webRefresh), "Bearer") // the cookie doesn't list devices

		late := b.request(http.MethodPost, webRefresh) // from before the log-out
		testhost.WantAnswer(t, b.send(http.MethodPost, webLogout), http.StatusNoContent, "")
		if b.cookie(webRefresh, refreshCookie) != "" {
			t.Error("log-out left the cookie")
		}
		testhost.WantUnauthorized(t, b.send(http.MethodPost, webRefresh), "Bearer")
		recorder = httptest.NewRecorder()
		host.Router.ServeHTTP(recorder, late)
		testhost.WantUnauthorized(t, recorder, testhost.InvalidToken)
		if cookies := recorder.Header().Values("Set-Cookie"); len(cookies) > 0 {
			t.Errorf("a 401 sets %s", cookies)
		}
	})
}

// TestCookiesBesideBodies checks that each group takes tokens in its own way only.
func TestCookiesBesideBodies(t *testing.T) {
	host := cookieHost(t, openSQLite(t), refreshtokens.Cookies{AccessToken: true})
	b := newBrowser(t, host, publicURL)
	b.login()
	token := b.cookie(webRefresh, refreshCookie)

	body := host.Login("bob")
	testhost.WantUnauthorized(t, host.PostToken(webRefresh, body.Refresh.Token), "Bearer")
	testhost.WantUnauthorized(t, host.PostToken(webLogout, body.Refresh.Token), "Bearer")
	testhost.WantAnswer(t, host.Do(http.MethodPost, testhost.RefreshPath, nil, "Cookie", refreshCookie+"="+token), http.StatusBadRequest, "")
	testhost.WantUnauthorized(t, host.Do(http.MethodGet, testhost.MePath, nil, "Cookie", accessCookie+"="+b.cookie("/", accessCookie)), "Bearer")
	if recorder := host.PostToken(testhost.RefreshPath, body.Refresh.Token); recorder.Header().Get("Set-Cookie") != "" {
		t.Error("a body client gets a cookie")
	}
	host.WantRefresh(token, http.StatusOK) // the same token, wherever it comes from

	// A body beside the cookie is not read: neither its token nor its kind counts.
	recorder := b.send(http.MethodPost, webRefresh, "Content-Type", "text/plain")
	testhost.WantAnswer(t, recorder, http.StatusOK, "")
}

// TestAccessCookie checks the access token's cookie: its attributes, what it is good for, and that log-out ends it at once.
func TestAccessCookie(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := cookieHost(t, db, refreshtokens.Cookies{AccessToken: true})
		b := newBrowser(t, host, publicURL)
		recorder := b.send(http.MethodPost, webLogin)
		if got := members(b.tokens(recorder)); got != "access.expires refresh.expires" {
			t.Errorf("a login answers %s", got)
		}
		access := b.cookie("/", accessCookie)
		const want = accessCookie + "=TOKEN; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax"
		if got := recorder.Header().Values("Set-Cookie"); len(got) != 2 || strings.Replace(got[1], access, "TOKEN", 1) != want {
			t.Errorf("Set-Cookie is %s\nwant %s", got, want)
		}

		testhost.WantAnswer(t, b.send(http.MethodGet, webMe), http.StatusOK, "alice")
		testhost.WantAnswer(t, b.send(http.MethodPost, webMe), http.StatusOK, "alice")
		testhost.WantAnswer(t, b.send(http.MethodGet, webRefresh), http.StatusOK, "")
		testhost.WantAnswer(t, b.send(http.MethodGet, "/web/optional"), http.StatusOK, "<alice>")

		if got := members(b.tokens(b.send(http.MethodPost, webRefresh))); got != "access.expires refresh.expires" {
			t.Errorf("a refresh answers %s", got)
		}
		saved := b.request(http.MethodGet, webMe)
		savedOptional := b.request(http.MethodGet, "/web/optional")
		testhost.WantAnswer(t, b.send(http.MethodPost, webLogout), http.StatusNoContent, "")
		if b.cookie("/", accessCookie) != "" {
			t.Error("log-out left the access token's cookie")
		}
		// A late answer could bring the cookie back. Its session has ended.
		recorder = httptest.NewRecorder()
		host.Router.ServeHTTP(recorder, saved)
		testhost.WantUnauthorized(t, recorder, testhost.InvalidToken)
		recorder = httptest.NewRecorder()
		host.Router.ServeHTTP(recorder, savedOptional)
		testhost.WantAnswer(t, recorder, http.StatusOK, "<>")
	})
}

// TestHeaderAndAccessCookie checks every combination of an Authorization header and an access token's cookie.
func TestHeaderAndAccessCookie(t *testing.T) {
	host := cookieHost(t, openSQLite(t), refreshtokens.Cookies{AccessToken: true})
	mine, other := host.Login("alice"), host.Login("alice")
	expired := host.Login("alice").Access.Token
	host.Clock.Advance(14 * time.Minute)
	mine, other = host.MustRefresh(mine.Refresh.Token), host.MustRefresh(other.Refresh.Token)
	host.Clock.Advance(2 * time.Minute)
	cookie := func(tokens ...string) string {
		return accessCookie + "=" + strings.Join(tokens, "; "+accessCookie+"=")
	}
	for name, row := range map[string]struct {
		authorization, cookie string
		challenge             string // "" where the request is let through
	}{
		"neither":                      {"", "", "Bearer"},
		"header":                       {"Bearer " + mine.Access.Token, "", ""},
		"cookie":                       {"", cookie(mine.Access.Token), ""},
		"both, of one session":         {"Bearer " + mine.Access.Token, cookie(mine.Access.Token), ""},
		"both, of two sessions":        {"Bearer " + mine.Access.Token, cookie(other.Access.Token), testhost.InvalidToken},
		"header and expired cookie":    {"Bearer " + mine.Access.Token, cookie(expired), ""},
		"header and two cookies":       {"Bearer " + mine.Access.Token, cookie(mine.Access.Token, other.Access.Token), testhost.InvalidToken},
		"bad header and good cookie":   {"Bearer x", cookie(mine.Access.Token), testhost.InvalidToken},
		"other scheme and good cookie": {"Basic x", cookie(mine.Access.Token), "Bearer"},
		"empty header and good cookie": {" ", cookie(mine.Access.Token), "Bearer"},
		"two cookies":                  {"", cookie(mine.Access.Token, mine.Access.Token), testhost.InvalidToken},
		"empty cookie":                 {"", cookie(""), "Bearer"},
		"expired cookie":               {"", cookie(expired), testhost.InvalidToken},
		"refresh token in the cookie":  {"", cookie(mine.Refresh.Token), testhost.InvalidToken},
		"name in another case":         {"", strings.ToLower(accessCookie) + "=" + mine.Access.Token, "Bearer"},
		"other name":                   {"", "access-token=" + mine.Access.Token, "Bearer"},
	} {
		var headers []string
		if row.authorization != "" {
			headers = append(headers, "Authorization", row.authorization)
		}
		if row.cookie != "" {
			headers = append(headers, "Cookie", row.cookie)
		}
		t.Run(name, func(t *testing.T) {
			recorder := host.Do(http.MethodGet, webMe, nil, headers...)
			if row.challenge == "" {
				testhost.WantAnswer(t, recorder, http.StatusOK, "alice")
				return
			}
			testhost.WantUnauthorized(t, recorder, row.challenge)
		})
	}
}

// crossOrigin are the headers of requests that a browser makes for a page of elsewhere.
var crossOrigin = map[string][]string{
	"cross-site":                 {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"},
	"same site, another origin":  {"Sec-Fetch-Site", "same-site", "Origin", "https://other.example.com"},
	"cross-site form, no Origin": {"Sec-Fetch-Site", "cross-site", "Origin", ""},
	"opaque origin":              {"Sec-Fetch-Site", "cross-site", "Origin", "null"},
	"old browser":                {"Sec-Fetch-Site", "", "Origin", "https://evil.test"},
	"old browser, opaque":        {"Sec-Fetch-Site", "", "Origin", "null"},
	"another port":               {"Sec-Fetch-Site", "same-site", "Origin", "https://example.com:8443"},
	"look-alike of a trusted":    {"Sec-Fetch-Site", "same-site", "Origin", "https://app.example.com.evil.test"},
}

// TestCrossOrigin checks that pages of other origins can do nothing with the user's cookies, and can't set any.
func TestCrossOrigin(t *testing.T) {
	host := cookieHost(t, openSQLite(t), refreshtokens.Cookies{AccessToken: true, TrustedOrigins: []string{"https://app.example.com"}})
	b := newBrowser(t, host, publicURL)
	b.login()
	for name, headers := range crossOrigin {
		for _, route := range []struct{ method, path string }{
			{http.MethodPost, webRefresh},
			{http.MethodPost, webLogout},
			{http.MethodPost, webLogin},
			{http.MethodPost, "/web/unprotected-login"},
			{http.MethodPost, webMe},
			{http.MethodDelete, webRefresh},
			{http.MethodDelete, webRefresh + "/x"},
		} {
			t.Run(name+" "+route.method+" "+route.path, func(t *testing.T) {
				before := len(host.Rows())
				recorder := b.send(route.method, route.path, headers...)
				testhost.WantAnswer(t, recorder, http.StatusForbidden, forbiddenBody)
				if cookies := recorder.Header().Values("Set-Cookie"); len(cookies) > 0 {
					t.Errorf("sets %s", cookies)
				}
				rows := host.Rows()
				if route.path != "/web/unprotected-login" && len(rows) != before {
					t.Error("a session was started")
				}
				for _, row := range rows[1:] {
					if row.RevokedAt == 0 {
						t.Error("a session was started and not ended")
					}
				}
			})
		}
	}
	// Safe requests read nothing for another origin: without CORS, the browser keeps the answer from it.
	testhost.WantAnswer(t, b.send(http.MethodGet, webMe, crossOrigin["cross-site"]...), http.StatusOK, "alice")

	trusted := []string{"Sec-Fetch-Site", "same-site", "Origin", "https://app.example.com"}
	b.login()
	for _, path := range []string{webMe, webRefresh, webLogin, webLogout} {
		if status := b.send(http.MethodPost, path, trusted...).Code; status >= 300 {
			t.Errorf("a trusted origin gets %d from %s", status, path)
		}
	}
	// What has no cookies, and sets none, needs no such check.
	tokens := host.Login("alice")
	recorder := host.Do(http.MethodPost, webMe, nil, append(crossOrigin["cross-site"], "Authorization", "Bearer "+tokens.Access.Token)...)
	testhost.WantAnswer(t, recorder, http.StatusOK, "alice")
	recorder = host.Do(http.MethodPost, webRefresh, nil) // no browser
	testhost.WantUnauthorized(t, recorder, "Bearer")
}

// TestBadRefreshCookies checks that each is a 401, that none changes a row, and that none is cleared.
func TestBadRefreshCookies(t *testing.T) {
	host := cookieHost(t, openSQLite(t), refreshtokens.Cookies{})
	good, other := host.Login("alice"), host.Login("alice")
	before := fmt.Sprint(host.Rows())
	for name, cookie := range map[string]string{
		"access token": refreshCookie + "=" + good.Access.Token,
		"forged":       refreshCookie + "=" + good.Refresh.Token[:len(good.Refresh.Token)-2] + "xx",
		"two":          refreshCookie + "=" + good.Refresh.Token + "; " + refreshCookie + "=" + other.Refresh.Token,
		"quoted twice": refreshCookie + `=""` + good.Refresh.Token + `""`,
		"huge":         refreshCookie + "=" + strings.Repeat("x", 1<<20),
		"dots":         refreshCookie + "=" + strings.Repeat(".", 7<<10),
	} {
		t.Run(name, func(t *testing.T) {
			recorder := host.Do(http.MethodPost, webRefresh, nil, "Cookie", cookie)
			if recorder.Code != http.StatusUnauthorized || recorder.Body.String() != testhost.UnauthorizedBody {
				t.Errorf("answered %d %s", recorder.Code, recorder.Body)
			}
			if cookies := recorder.Header().Values("Set-Cookie"); len(cookies) > 0 {
				t.Errorf("sets %s", cookies)
			}
			if after := fmt.Sprint(host.Rows()); after != before {
				t.Error("a row has changed")
			}
		})
	}
	for name, cookie := range map[string]string{
		"no cookie": "x=y", "empty": refreshCookie + "=", "without prefix": "refresh-token=" + good.Refresh.Token,
	} {
		t.Run(name, func(t *testing.T) {
			testhost.WantUnauthorized(t, host.Do(http.MethodPost, webRefresh, nil, "Cookie", cookie), "Bearer")
			testhost.WantUnauthorized(t, host.Do(http.MethodPost, webLogout, nil, "Cookie", cookie), "Bearer")
		})
	}
}

// TestLogoutClearsCookies checks that log-out removes the cookies also where their session is over, but not where the database
// fails: the user has to be able to try again.
func TestLogoutClearsCookies(t *testing.T) {
	host := cookieHost(t, openSQLite(t), refreshtokens.Cookies{AccessToken: true})
	b := newBrowser(t, host, publicURL)
	b.login()
	if err := host.DB.Callback().Update().Before("*").Register("test:down", func(db *gorm.DB) {
		_ = db.AddError(fmt.Errorf("database down"))
	}); err != nil {
		t.Fatal(err)
	}
	testhost.WantAnswer(t, b.send(http.MethodPost, webLogout), http.StatusInternalServerError, testhost.InternalBody)
	if err := host.DB.Callback().Update().Remove("test:down"); err != nil {
		t.Fatal(err)
	}
	if b.cookie(webLogout, refreshCookie) == "" || b.cookie("/", accessCookie) == "" {
		t.Fatal("a failed log-out has removed the cookies")
	}
	if err := host.RevokeAll(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	testhost.WantAnswer(t, b.send(http.MethodPost, webLogout), http.StatusNotFound, testhost.NotFoundBody)
	if b.cookie(webLogout, refreshCookie) != "" || b.cookie("/", accessCookie) != "" {
		t.Error("the cookies of a session that is over are still there")
	}
}

// TestCookiesTooLarge checks that a token that a browser would drop is an error before anything is spent, and that the
// error says what is too large.
func TestCookiesTooLarge(t *testing.T) {
	var logs syncBuffer
	size := 0
	host := cookieHost(t, openSQLite(t), refreshtokens.Cookies{AccessToken: true}, func(config *refreshtokens.Config) {
		config.Logger = slog.New(slog.NewTextHandler(&logs, nil))
		config.Claims = func(context.Context, plugin.Session) (map[string]any, error) {
			return map[string]any{"roles": strings.Repeat("r", size)}, nil
		}
	})
	b := newBrowser(t, host, publicURL)

	size = 3000
	recorder := b.send(http.MethodPost, webLogin)
	if recorder.Code != http.StatusInternalServerError || !strings.Contains(recorder.Body.String(), "the access token has ") {
		t.Errorf("a login answered %d %s", recorder.Code, recorder.Body)
	}
	if rows := host.Rows(); len(rows) != 0 {
		t.Errorf("the login has left %v", rows)
	}
	// Without Protect, the session exists already, and is ended.
	recorder = b.send(http.MethodPost, "/web/unprotected-login")
	testhost.WantAnswer(t, recorder, http.StatusInternalServerError, testhost.InternalBody)
	if rows := host.Rows(); len(rows) != 1 || rows[0].RevokedAt == 0 {
		t.Errorf("the login has left %v", rows)
	}

	size = 0
	b.login()
	before := fmt.Sprint(host.Rows())
	size = 3000
	recorder = b.send(http.MethodPost, webRefresh)
	testhost.WantAnswer(t, recorder, http.StatusInternalServerError, testhost.InternalBody)
	if !strings.Contains(logs.String(), "the access token has ") {
		t.Errorf("the log does not say what is too large: %s", logs.String())
	}
	if after := fmt.Sprint(host.Rows()); after != before {
		t.Error("the refresh has changed a row")
	}
	// The largest token that fits makes the largest cookie.
	for size = 2500; ; size++ {
		recorder := b.send(http.MethodPost, webRefresh)
		if recorder.Code != http.StatusOK {
			break
		}
		for _, cookie := range recorder.Header().Values("Set-Cookie") {
			if len(cookie) > 4096 {
				t.Fatalf("a cookie has %d bytes", len(cookie))
			}
		}
	}
	if size < 2700 {
		t.Errorf("%d bytes of roles don't fit", size)
	}
}

// TestCookiePaths checks the refresh cookie's path on groups with parameters, and behind a proxy that shortens paths.
func TestCookiePaths(t *testing.T) {
	for _, row := range []struct{ group, login, base, want string }{
		{"/", "/login", "", "/auth"},
		{"/web", "/login", "https://example.com", "/web/auth"},
		{"/web", "/login", "https://example.com/", "/web/auth"},
		{"/web", "/login", "https://example.com/api", "/api/web/auth"},
		{"/orgs/:id", "/orgs/7/login", "", "/orgs/7/auth"},
		{"/orgs/:id", "/orgs/a%3Bb%20c/login", "", "/orgs/a%3Bb%20c/auth"},
	} {
		t.Run(row.group+" "+row.base, func(t *testing.T) {
			host := testhost.New(t, openSQLite(t))
			router := gin.New()
			router.UseRawPath = true
			web := host.Register(router.Group(row.group), refreshtokens.WithCookies(refreshtokens.Cookies{BaseURL: row.base}))
			pattern := row.login
			if strings.Contains(row.group, ":id") {
				pattern = "/orgs/:id/login"
			}
			router.POST(pattern, web.Protect, func(c *gin.Context) {
				tokens, err := host.Issue(c.Request.Context(), "alice", refreshtokens.DeviceOf(c))
				if err != nil {
					t.Error(err)
				}
				web.WriteTokens(c, http.StatusOK, tokens)
			})
			host.Router = router
			recorder := host.Do(http.MethodPost, row.login, nil)
			if got := recorder.Result().Cookies(); len(got) != 1 || got[0].Path != row.want {
				t.Fatalf("cookies are %v, want the path %s", got, row.want)
			}
			cookie := recorder.Result().Cookies()[0]
			path := strings.TrimPrefix(row.want, "/api") + "/refresh-tokens"
			recorder = host.Do(http.MethodPost, path, nil, "Cookie", cookie.Name+"="+cookie.Value)
			if got := recorder.Result().Cookies(); recorder.Code != http.StatusOK || len(got) != 1 || got[0].Path != row.want {
				t.Errorf("a refresh answered %d with the cookies %v", recorder.Code, got)
			}
		})
	}
}

// TestDevelopmentCookies checks that a BaseURL of http://localhost works there, and nowhere else.
func TestDevelopmentCookies(t *testing.T) {
	host := cookieHost(t, openSQLite(t), refreshtokens.Cookies{BaseURL: "http://localhost:8080", AccessToken: true})
	for _, base := range []string{"http://localhost:8080", "http://127.0.0.1:9000", "http://[::1]:8080", "http://app.localhost", "http://LOCALHOST:80"} {
		b := newBrowser(t, host, base)
		b.login()
		if b.cookie(webRefresh, "refresh-token") == "" || b.cookie("/", "access-token") == "" {
			t.Errorf("%s: no cookies", base)
		}
		b.tokens(b.send(http.MethodPost, webRefresh))
		testhost.WantAnswer(t, b.send(http.MethodPost, webMe), http.StatusOK, "alice")
		testhost.WantAnswer(t, b.send(http.MethodPost, webLogout), http.StatusNoContent, "")
	}
	for name, row := range map[string]struct {
		base    string
		headers []string
	}{
		"production":                  {"https://example.com", nil},
		"plain http from elsewhere":   {"http://192.0.2.1:8080", nil},
		"look-alike":                  {"http://localhost.example.com", nil},
		"proxy that changes the Host": {"http://localhost:8080", []string{"Origin", "https://example.com"}},
		"proxy that ends TLS":         {"http://localhost:8080", []string{"X-Forwarded-Proto", "https"}},
	} {
		b := newBrowser(t, host, row.base)
		for _, path := range []string{webLogin, "/web/unprotected-login", webRefresh, webLogout} {
			recorder := b.send(http.MethodPost, path, row.headers...)
			if recorder.Code != http.StatusInternalServerError || recorder.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s: %s answered %d and sets %q", name, path, recorder.Code, recorder.Header().Get("Set-Cookie"))
			}
		}
	}
}

// TestCookieSettings checks that Register refuses what can't be meant.
func TestCookieSettings(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	for _, cookies := range []refreshtokens.Cookies{
		{BaseURL: "http://example.com"},
		{BaseURL: "example.com"},
		{BaseURL: "https://user@example.com"},
		{BaseURL: "https://example.com?x"},
		{BaseURL: "https://example.com/a;b"},
		{BaseURL: "ftp://localhost"},
		{BaseURL: "http://localhost.evil.test"},
		{BaseURL: "://"},
		{TrustedOrigins: []string{"app.example.com"}},
		{TrustedOrigins: []string{"https://app.example.com/"}},
		{TrustedOrigins: []string{"*"}},
		{Name: "a b"},
		{Name: "a;b"},
	} {
		func() {
			defer func() {
				if cause := recover(); cause == nil || cookies.Validate() == nil {
					t.Errorf("%+v is taken", cookies)
				}
			}()
			host.Register(gin.New(), refreshtokens.WithCookies(cookies))
		}()
	}
	web := refreshtokens.Cookies{Name: "admin"}
	admin := cookieHost(t, openSQLite(t), web)
	b := newBrowser(t, admin, publicURL)
	if b.login(); b.cookie(webRefresh, "__Secure-admin-refresh-token") == "" {
		t.Error("the name is not in the cookie's")
	}
}

// TestTabsWithCookies checks that tabs that share the cookie refresh at once and log nobody out, on every database.
func TestTabsWithCookies(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := cookieHost(t, db, refreshtokens.Cookies{})
		b := newBrowser(t, host, publicURL)
		b.login()
		for round := range 4 {
			var tabs sync.WaitGroup
			for range 20 {
				tabs.Go(func() {
					if recorder := b.send(http.MethodPost, webRefresh); recorder.Code != http.StatusOK {
						t.Errorf("round %d: %d %s", round, recorder.Code, recorder.Body)
					}
				})
			}
			tabs.Wait()
			if gen := host.Claims(b.cookie(webRefresh, refreshCookie))["gen"]; gen != json.Number(fmt.Sprint(round+2)) {
				t.Errorf("round %d ends with generation %v", round, gen)
			}
			host.Clock.Advance(2*testhost.Grace + time.Second)
		}
	})
}
