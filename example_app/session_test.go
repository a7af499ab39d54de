package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// with is the same database behind other settings.
func (c client) with(change func(settings *config)) client {
	c.t.Helper()
	settings := testSettings
	change(&settings)
	return newClient(c.t, c.app.db, settings, slog.New(slog.DiscardHandler))
}

// listed is a session in the list route.
type listed struct {
	ID, Name  string
	ExpiresAt time.Time
	Current   bool
}

func (c client) sessions(access string) []listed {
	c.t.Helper()
	got := c.do("GET", "/v1/auth/refresh-tokens", access, "")
	c.want(got, 200, "")
	var list struct{ Sessions []listed }
	if err := json.Unmarshal([]byte(got.body), &list); err != nil {
		c.t.Fatal(err)
	}
	return list.Sessions
}

// TestRememberAndDevice: a login says how long its session lasts and what it is called.
func TestRememberAndDevice(t *testing.T) {
	const brief, configured = 8 * time.Hour, 168 * time.Hour
	rows := []struct {
		members  string
		name     string
		lifetime time.Duration
	}{
		{``, "", configured},
		{`,"remember":true`, "", configured},
		{`,"remember":null,"device":null`, "", configured},
		{`,"remember":false`, "", brief},
		{`,"remember":false,"device":"Ada's phone"`, "Ada's phone", brief},
		{`,"device":"` + strings.Repeat("é", 40) + `"`, strings.Repeat("é", 32), configured},
		{`,"device":"a\u0000b\u001b[31m"`, "ab[31m", configured},
	}
	eachApp(t, func(c client) {
		c = c.with(func(s *config) { s.RefreshTTL, s.SessionTTL = configured, 720*time.Hour })
		c.want(c.do("POST", "/v1/auth/register", "", ada), 201, "")
		check := func(members string, got account, name string, lifetime time.Duration) {
			c.t.Helper()
			for _, session := range c.sessions(got.Tokens.Access.Token) {
				if !session.Current {
					continue
				}
				if left := time.Until(session.ExpiresAt); session.Name != name || (lifetime-left).Abs() > 30*time.Second {
					c.t.Errorf("%s: the session is called %q and lasts %v", members, session.Name, left)
				}
				c.want(c.refresh(got.Tokens.Refresh.Token), 200, "")
				return
			}
			c.t.Errorf("%s: the list does not have this session", members)
		}
		for i, row := range rows {
			login := strings.TrimSuffix(adaLogin, "}") + row.members + "}"
			check(login, c.account(c.do("POST", "/v1/auth/login", "", login), 200), row.name, row.lifetime)
			register := fmt.Sprintf(`{"name":"U","email":"u%d@example.com","password":"correct horse 1"%s}`, i, row.members)
			check(register, c.account(c.do("POST", "/v1/auth/register", "", register), 201), row.name, row.lifetime)
		}
		for _, members := range []string{`,"remember":"false"`, `,"remember":0`, `,"device":1`, `,"device":"\ud800"`, `,"Remember":false`} {
			c.want(c.do("POST", "/v1/auth/login", "", strings.TrimSuffix(adaLogin, "}")+members+"}"), 400, failure(400, loginBody))
			c.want(c.do("POST", "/v1/auth/register", "", strings.TrimSuffix(ada, "}")+members+"}"), 400, failure(400, registerBody))
		}
	})
}

// TestMaxSessions: a login beyond the limit ends the session that was used least recently.
func TestMaxSessions(t *testing.T) {
	eachApp(t, func(c client) {
		c = c.with(func(s *config) { s.MaxSessions = 2 })
		first := c.account(c.do("POST", "/v1/auth/register", "", ada), 201).Tokens
		for range 2 {
			c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 200, "")
		}
		if got := c.living(); got != 2 {
			c.t.Errorf("%d sessions live, want 2", got)
		}
		c.want(c.refresh(first.Refresh.Token), 401, "")
	})
}
