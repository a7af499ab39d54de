package browsertest_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// attacks are requests that another site would like the user's browser to make.
var attacks = []struct{ name, path, content string }{
	{"refresh", "/web/auth/refresh-tokens", ``},
	{"log-out", "/web/auth/logout", ``},
	{"login", "/web/auth/login", `{"email":"mallory@example.com","password":"` + password + `"}`},
	{"register", "/web/auth/register", `{"name":"Eve","email":"eve@example.com","password":"` + password + `"}`},
	{"reauthenticate", "/web/auth/reauthenticate", `{"password":"` + password + `"}`}, // with the access token's cookie
}

// TestOtherOrigins has pages of other origins make requests in the name of the user. All are refused, and change nothing.
func TestOtherOrigins(t *testing.T) {
	t.Parallel()
	other := newForeign(t)
	s := newSite(t, "ACCESS_COOKIE=true", "TRUSTED_ORIGINS=http://localhost:1")
	newUser(t, s, cookie, "mallory@example.com")
	p, tab := newUser(t, s, cookie, ada)
	before := tab.jar(s)
	for _, from := range []struct {
		name, origin string
		cookies      bool // the browser sends them: only the app can refuse
	}{
		{"cross-site", other.crossSite, false},
		{"same site, another port", other.sameSite, true},
	} {
		page := p.open(from.origin)
		for _, attack := range attacks {
			route := "POST " + attack.path
			t.Run(from.name+"/"+attack.name+"/form", func(t *testing.T) {
				s.forget()
				page.navigate(from.origin)
				evaluate[chromedp.Void](page, submitForm(s.origin+attack.path, attack.content))
				page.waitUntil(fmt.Sprintf(`location.href === %q && document.readyState === "complete"`, s.origin+attack.path))
				s.wantRefused(t, route, from.cookies)
			})
			t.Run(from.name+"/"+attack.name+"/fetch", func(t *testing.T) {
				s.forget()
				page.navigate(from.origin)
				evaluate[chromedp.Void](page, fmt.Sprintf(
					`fetch(%q, {method: "POST", mode: "no-cors", credentials: "include", body: %q}).then(() => {})`,
					s.origin+attack.path, attack.content))
				s.wantRefused(t, route, from.cookies)
			})
			t.Run(from.name+"/"+attack.name+"/JSON", func(t *testing.T) {
				s.forget()
				page.navigate(from.origin)
				if _, err := try[int](page, fetchJSON("POST", s.origin+attack.path, attack.content)); err == nil {
					t.Error("the page may read the answer")
				}
				s.wantOnlyPreflight(t, attack.path)
			})
		}
		t.Run(from.name+"/delete", func(t *testing.T) {
			s.forget()
			page.navigate(from.origin)
			if _, err := try[int](page, fetchJSON("DELETE", s.origin+"/web/users/me", "")); err == nil {
				t.Error("the page may read the answer")
			}
			s.wantOnlyPreflight(t, "/web/users/me")
		})
	}
	if after := tab.jar(s); !slices.Equal(before, after) {
		t.Errorf("the cookies have changed from %s to %s", before, after)
	}
	tab.reload()
	tab.awaitView("home")
	tab.wantText("#user-email", ada)
	if n := s.sessions(); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

// submitForm is the script that sends text by a form. What the form adds to the text leaves JSON JSON.
func submitForm(url, content string) string {
	return fmt.Sprintf(`(() => {
		const form = document.body.appendChild(document.createElement("form"))
		form.method = "post"; form.enctype = "text/plain"; form.action = %q
		const field = form.appendChild(document.createElement("input"))
		field.name = %q.replace(/}$/, ',"x":"'); field.value = '"}'
		setTimeout(() => form.submit())
	})()`, url, content)
}

// fetchJSON is the script of a request with credentials and a JSON body. Its result is the status.
func fetchJSON(method, url, content string) string {
	options := fmt.Sprintf(`{method: %q, credentials: "include", headers: {"Content-Type": "application/json"}`, method)
	if content != "" {
		options += fmt.Sprintf(`, body: %q`, content)
	}
	return fmt.Sprintf(`fetch(%q, %s}).then(answer => answer.status)`, url, options)
}

// jar returns what the profile has of the site's cookies.
func (tab *tab) jar(s *site) []string {
	var jar []string
	for _, c := range tab.cookies(s.origin + "/web/auth/login") {
		jar = append(jar, c.Name+"="+c.Value)
	}
	slices.Sort(jar)
	return jar
}

// wantRefused waits for the request, and fails the test unless the answer is 403 and sets no cookie.
func (s *site) wantRefused(t *testing.T, route string, cookies bool) {
	t.Helper()
	waitFor(t, route, func() bool { return slices.ContainsFunc(s.seen(route), func(e exchange) bool { return e.status != 0 }) })
	for _, e := range s.seen(route) {
		if e.status != http.StatusForbidden || e.body != `{"code":403,"message":"Forbidden"}` {
			t.Errorf("%s is answered with %d %s", route, e.status, e.body)
		}
		if set := e.header.Values("Set-Cookie"); set != nil {
			t.Errorf("%s sets %s", route, set)
		}
		if sent := e.request.Get("Cookie") != ""; sent != cookies {
			t.Errorf("%s has cookies: %t, want %t", route, sent, cookies)
		}
	}
}

// wantOnlyPreflight fails the test if the browser sent more than a preflight, or if that was answered with a permission.
func (s *site) wantOnlyPreflight(t *testing.T, path string) {
	t.Helper()
	if len(s.seen("OPTIONS "+path)) == 0 {
		t.Error("the browser sends no preflight")
	}
	for _, e := range s.all() {
		if e.path == path && e.method != http.MethodOptions {
			t.Errorf("the browser sends %s %s", e.method, e.path)
		}
		if allowed := e.header.Get("Access-Control-Allow-Origin"); allowed != "" {
			t.Errorf("%s %s allows %s", e.method, e.path, allowed)
		}
	}
}
