package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// issue logs in with options.
func issue(t *testing.T, host *testhost.Host, device plugin.Device, options ...plugin.SessionOption) plugin.Tokens {
	t.Helper()
	tokens, err := host.Issue(t.Context(), "alice", device, options...)
	if err != nil {
		t.Fatal(err)
	}
	if tokens.SessionID != host.SessionID(tokens) {
		t.Errorf("SessionID is %q", tokens.SessionID)
	}
	return tokens
}

// TestDataStaysWithTheSession: what a login gave is in every access token of its session, rotated or repeated, by any
// process, and in what the Claims callback gets.
func TestDataStaysWithTheSession(t *testing.T) {
	data := map[string]any{
		"tenant": "acme <&> \u2028 ü", "amr": []any{"pwd", "otp"}, "acr": "2",
		"act": map[string]any{"sub": "admin-7"}, "large": json.Number("12345678901234567890"), "data": "of the host's own", "idle_limit": "too",
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var asked []plugin.Session
		configure := func(c *refreshtokens.Config) {
			c.Claims = func(_ context.Context, session plugin.Session) (map[string]any, error) {
				asked = append(asked, session)
				return map[string]any{"role": "user"}, nil
			}
		}
		host := testhost.New(t, db, configure)
		other := testhost.New(t, db, configure, func(c *refreshtokens.Config) { c.Clock = host.Clock.Now })
		first := issue(t, host, plugin.Device{Name: "Ada's phone 🙂\n", UserAgent: "ua"}, plugin.WithData(data))
		data["tenant"] = data["tenant"].(string) // the caller's map stays the caller's

		second := other.MustRefresh(first.Refresh.Token)
		repeated := host.MustRefresh(first.Refresh.Token)
		if repeated.Refresh != second.Refresh {
			t.Error("minted from the row, the token has other bytes than minted from the one before")
		}
		host.Clock.Advance(time.Hour)
		third := host.MustRefresh(second.Refresh.Token)
		for i, tokens := range []plugin.Tokens{first, second, repeated, third} {
			verified, err := host.VerifyAccess(tokens.Access.Token)
			if i < 3 { // the clock has moved on since
				verified, err = refreshtokens.Claims{}, nil
			}
			got := host.Claims(tokens.Access.Token)
			for name, want := range data {
				if !reflect.DeepEqual(got[name], want) {
					t.Errorf("token %d: %s is %v, want %v", i, name, got[name], want)
				}
			}
			if got["role"] != "user" || err != nil {
				t.Errorf("token %d: role is %v, %v, %v", i, got["role"], verified, err)
			}
		}
		for _, session := range asked {
			if session.Name != "Ada's phone 🙂" || session.Subject != "alice" || session.ID != first.SessionID || session.Data["tenant"] != data["tenant"] || session.Data["large"] != 12345678901234567890.0 || len(session.Data) != len(data) {
				t.Errorf("the callback was asked about %+v", session)
			}
		}
		list := host.Bearer(http.MethodGet, testhost.RefreshPath, third.Access.Token).Body.String()
		if !strings.Contains(list, `"name":"Ada's phone 🙂"`) && !strings.Contains(list, `"name":"Ada\u0027s phone 🙂"`) || strings.Contains(list, "acme") {
			t.Errorf("the list is %s", list)
		}
	})
}

func TestDataIsRefused(t *testing.T) {
	callback := map[string]any{}
	host := testhost.New(t, openSQLite(t), func(c *refreshtokens.Config) {
		c.Claims = func(context.Context, plugin.Session) (map[string]any, error) { return callback, nil }
	})
	for name, row := range map[string]struct{ data, claims map[string]any }{
		"a reserved name":                            {data: map[string]any{"sub": "root"}},
		"a reserved name in another case":            {data: map[string]any{"Exp": 1}},
		"no JSON":                                    {data: map[string]any{"f": func() {}}},
		"over 1 KiB":                                 {data: map[string]any{"x": strings.Repeat("x", 1<<10)}},
		"a name that is not UTF-8":                   {data: map[string]any{"\xff": 1}},
		"a name that Claims returns too":             {data: map[string]any{"role": "admin"}, claims: map[string]any{"role": "user"}},
		"a name that Claims returns in another case": {data: map[string]any{"role": "admin"}, claims: map[string]any{"Role": "user"}},
		"a reserved name, from the callback":         {claims: map[string]any{"sid": "x"}},
	} {
		callback = row.claims
		_, err := host.Issue(t.Context(), "alice", plugin.Device{}, plugin.WithData(row.data))
		if !errors.Is(err, plugin.ErrInvalidClaims) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rows := host.Rows(); len(rows) != 0 {
		t.Errorf("rows are %+v", rows)
	}
	callback = nil
	issue(t, host, plugin.Device{Name: strings.Repeat("<", 1000)}, plugin.WithData(map[string]any{"x": strings.Repeat("x", 1<<10-8)}))
	if name := host.MustRefresh(issue(t, host, plugin.Device{Name: "n"}).Refresh.Token); name.Refresh.Token == "" {
		t.Error("it does not refresh")
	}
}

// TestImpersonation: the act claim stays through refreshes, and ends when the impersonator may no longer.
func TestImpersonation(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		admins := map[string]bool{"admin-7": true}
		host := testhost.New(t, db, func(c *refreshtokens.Config) {
			c.Claims = func(_ context.Context, session plugin.Session) (map[string]any, error) {
				if act, ok := session.Data["act"].(map[string]any); ok && !admins[act["sub"].(string)] {
					return nil, plugin.ErrSubjectRefused
				}
				return nil, nil
			}
		})
		own := issue(t, host, plugin.Device{})
		impersonated := issue(t, host, plugin.Device{}, plugin.WithData(map[string]any{"act": map[string]any{"sub": "admin-7"}}))
		impersonated = host.MustRefresh(impersonated.Refresh.Token)
		if act := host.Claims(impersonated.Access.Token)["act"]; !reflect.DeepEqual(act, map[string]any{"sub": "admin-7"}) {
			t.Errorf("act is %v", act)
		}
		admins["admin-7"] = false
		host.WantRefresh(impersonated.Refresh.Token, http.StatusUnauthorized) // though it would be repeated
		host.WantRefresh(own.Refresh.Token, http.StatusOK)
		admins["admin-7"] = true
		host.WantRefresh(impersonated.Refresh.Token, http.StatusUnauthorized)
	})
}

// TestLifetimesOfASession: "remember me" off is a session of 8 hours, whatever the refreshes in between.
func TestLifetimesOfASession(t *testing.T) {
	const hour = time.Hour
	for _, row := range []struct {
		name    string
		options []plugin.SessionOption
		every   time.Duration // it refreshes
		lasts   time.Duration // from the login until the first refresh that is refused, or the last that is not
	}{
		{name: "as configured", every: 24 * hour, lasts: 30 * 24 * hour},
		{name: "8 hours", options: []plugin.SessionOption{plugin.WithSessionTTL(8 * hour)}, every: hour, lasts: 8 * hour},
		{name: "8 hours, idle for one", options: []plugin.SessionOption{plugin.WithSessionTTL(8 * hour), plugin.WithRefreshTTL(hour)}, every: hour / 2, lasts: 8 * hour},
		{name: "idle for one hour", options: []plugin.SessionOption{plugin.WithRefreshTTL(hour)}, every: hour, lasts: hour},
		{name: "shorter than an access token", options: []plugin.SessionOption{plugin.WithSessionTTL(10 * time.Minute)}, every: 5 * time.Minute, lasts: 10 * time.Minute},
		{name: "longer than configured", options: []plugin.SessionOption{plugin.WithSessionTTL(900 * hour), plugin.WithRefreshTTL(900 * hour)}, every: 24 * hour, lasts: 30 * 24 * hour},
		{name: "idle for longer than configured", options: []plugin.SessionOption{plugin.WithRefreshTTL(900 * hour)}, every: 7 * 24 * hour, lasts: 7 * 24 * hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
				host := testhost.New(t, db)
				tokens := issue(t, host, plugin.Device{}, row.options...)
				began := host.Clock.Now()
				for {
					if tokens.Access.Expires.After(tokens.Refresh.Expires.Time) || tokens.Refresh.Expires.Sub(began) > row.lasts {
						t.Fatalf("the tokens end at %v and %v", tokens.Access.Expires, tokens.Refresh.Expires)
					}
					host.Clock.Advance(row.every)
					status, next := host.TryRefresh(tokens.Refresh.Token)
					if age := host.Clock.Now().Sub(began); (status == http.StatusOK) != (age < row.lasts) {
						t.Fatalf("after %v it answered %d", age, status)
					}
					if status != http.StatusOK {
						return
					}
					tokens = next
				}
			})
		})
	}
	host := testhost.New(t, openSQLite(t))
	for _, option := range []plugin.SessionOption{
		plugin.WithSessionTTL(0), plugin.WithRefreshTTL(0), plugin.WithSessionTTL(-hour), plugin.WithSessionTTL(1500 * time.Millisecond), plugin.WithRefreshTTL(2 * testhost.Grace), plugin.WithRefreshTTL(time.Millisecond),
	} {
		if _, err := host.Issue(t.Context(), "alice", plugin.Device{}, option); !errors.Is(err, plugin.ErrInvalidTTL) {
			t.Errorf("a bad lifetime: %v", err)
		}
	}
}

// TestShorterConfigurationBindsOlderSessions: a session that was promised more than is configured by now ends earlier.
func TestShorterConfigurationBindsOlderSessions(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	tokens := issue(t, host, plugin.Device{}, plugin.WithSessionTTL(20*24*time.Hour))
	shorter := testhost.New(t, host.DB, func(c *refreshtokens.Config) { c.SessionTTL, c.Clock = 10*24*time.Hour, host.Clock.Now })
	host.Clock.Advance(6 * 24 * time.Hour)
	tokens = host.MustRefresh(tokens.Refresh.Token)
	host.Clock.Advance(6 * 24 * time.Hour)
	shorter.WantRefresh(tokens.Refresh.Token, http.StatusUnauthorized)
	host.WantRefresh(tokens.Refresh.Token, http.StatusOK)
}

// TestMaxSessions: a login ends the least recently used session, and logins that run at once leave no more than the limit.
func TestMaxSessions(t *testing.T) {
	const limit = 5
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		configure := func(c *refreshtokens.Config) { c.MaxSessions = limit }
		host := testhost.New(t, db, configure)
		other := testhost.New(t, db, configure, func(c *refreshtokens.Config) { c.Clock = host.Clock.Now })
		var all []plugin.Tokens
		for range limit {
			all = append(all, host.Login("alice"))
			host.Clock.Advance(time.Minute)
		}
		bobs := host.Login("bob")
		all[0] = host.MustRefresh(all[0].Refresh.Token) // the oldest, and now the last used
		host.Clock.Advance(time.Minute)
		host.Login("alice")
		host.WantRefresh(all[1].Refresh.Token, http.StatusUnauthorized)
		host.WantRefresh(all[0].Refresh.Token, http.StatusOK)
		host.WantRefresh(bobs.Refresh.Token, http.StatusOK)

		together(50, func(i int) error {
			_, err := []*testhost.Host{host, other}[i%2].Issue(t.Context(), "alice", plugin.Device{})
			if err != nil {
				t.Error(err)
			}
			return err
		})
		sessions, err := host.Sessions(t.Context(), "alice")
		if err != nil || len(sessions) > limit || len(sessions) < limit-1 { // two logins at once may end each other
			t.Errorf("%d sessions, %v, want %d", len(sessions), err, limit)
		}
	})
}

// TestOldAndNewBinariesSideBySide: on the migrated table, an older binary's INSERT and UPDATE leave sessions that this one
// goes on with, and the reverse.
func TestOldAndNewBinariesSideBySide(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		now := host.Clock.Now().Unix()
		// As the first version wrote it.
		err := db.Exec(`INSERT INTO refresh_tokens (id, subject, generation, issued_at, expires_at, created_at, revoked_at, revoked_for, user_agent, ip)
			VALUES ('019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f', 'alice', 1, ?, ?, ?, 0, '', '', '')`, now, now+604800, now).Error
		if err != nil {
			t.Fatal(err)
		}
		payload := `{"sub":"alice","sid":"019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f","iat":1767323045,"exp":1767927845,"auth_time":1767323045,"type":"refresh","gen":1}`
		second := host.MustRefresh(testhost.Sign(testhost.Header, payload, testhost.RefreshKey(t)))
		if claims := host.Claims(second.Refresh.Token); len(claims) != 7 {
			t.Errorf("an older binary would not know the claims %v", claims)
		}
		if err := db.Exec("UPDATE refresh_tokens SET generation = 3, issued_at = ?, expires_at = ? WHERE generation < 3", now, now+604800).Error; err != nil {
			t.Fatal(err)
		}
		third := strings.Replace(payload, `"gen":1`, `"gen":3`, 1)
		host.WantRefresh(testhost.Sign(testhost.Header, third, testhost.RefreshKey(t)), http.StatusOK)
		sessions, err := host.Sessions(t.Context(), "alice")
		if err != nil || len(sessions) != 1 || sessions[0].Name != "" || sessions[0].Data != nil {
			t.Errorf("sessions are %+v, %v", sessions, err)
		}
	})
}

// TestEverybodyOut and the rest of an operator's tools.
func TestEverybodyOut(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		host.Clock.Set(time.Now())
		var tokens []plugin.Tokens
		for _, subject := range []string{"alice", "alice", "bob", "carol"} {
			tokens = append(tokens, host.Login(subject))
		}
		admin, err := plugin.NewAdmin(plugin.AdminConfig{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		sessions, err := admin.Sessions(t.Context(), "alice")
		if err != nil || len(sessions) != 2 {
			t.Fatalf("sessions are %+v, %v", sessions, err)
		}
		if err := admin.RevokeSession(t.Context(), "alice", tokens[0].SessionID); err != nil {
			t.Error(err)
		}
		host.WantRefresh(tokens[0].Refresh.Token, http.StatusUnauthorized)
		host.WantRefresh(tokens[1].Refresh.Token, http.StatusOK)

		if n, err := admin.Forget(t.Context(), "bob"); n != 1 || err != nil {
			t.Errorf("forgot %d, %v", n, err)
		}
		host.WantRefresh(tokens[2].Refresh.Token, http.StatusUnauthorized)
		for _, row := range host.Rows() {
			if row.Subject == "bob" {
				t.Errorf("a row is left: %+v", row)
			}
		}
		for range 1100 { // more than two batches
			host.Login("many")
		}
		if n, err := admin.RevokeEveryone(t.Context()); n != 1102 || err != nil {
			t.Errorf("revoked %d, %v", n, err)
		}
		if n, err := host.RevokeEveryone(t.Context()); n != 0 || err != nil {
			t.Errorf("revoked %d more, %v", n, err)
		}
		for _, token := range []string{tokens[1].Refresh.Token, tokens[3].Refresh.Token} {
			host.WantRefresh(token, http.StatusUnauthorized)
		}
	})
}

// TestEverybodyMeansEverybody: RevokeEveryone asks no clock and no lifetime.
func TestEverybodyMeansEverybody(t *testing.T) {
	for name, configure := range map[string]func(*refreshtokens.Config){
		"a clock that is a month ahead": func(c *refreshtokens.Config) {
			c.Clock = func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
		},
		"a shorter SessionTTL": func(c *refreshtokens.Config) { c.SessionTTL = time.Minute; c.GracePeriod = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			db := openSQLite(t)
			right := testhost.New(t, db)
			right.Clock.Set(time.Now().Add(-time.Hour))
			token := right.Login("alice").Refresh.Token
			right.Clock.Set(time.Now())
			if n, err := testhost.New(t, db, testhost.RealTime, configure).RevokeEveryone(t.Context()); n != 1 || err != nil {
				t.Errorf("revoked %d, %v", n, err)
			}
			right.WantRefresh(token, http.StatusUnauthorized)
		})
	}
}

// TestShortenedSessionTTLBindsAccessTokens: no token that is minted from then on outlives the session.
func TestShortenedSessionTTLBindsAccessTokens(t *testing.T) {
	long := testhost.New(t, openSQLite(t))
	first := long.Login("alice")
	short := testhost.New(t, long.DB, func(c *refreshtokens.Config) { c.Clock, c.SessionTTL = long.Clock.Now, time.Hour })
	end := long.Clock.Now().Add(time.Hour)
	long.Clock.Advance(59 * time.Minute)
	live := long.MustRefresh(first.Refresh.Token)
	claims, err := long.VerifyAccess(live.Access.Token)
	if err != nil {
		t.Fatal(err)
	}
	elevated, err := short.Reauthenticate(t.Context(), claims)
	if err != nil {
		t.Fatal(err)
	}
	for _, expires := range []time.Time{elevated.Expires.Time, short.MustRefresh(live.Refresh.Token).Access.Expires.Time} {
		if expires.After(end) {
			t.Errorf("an access token ends at %v, the session at %v", expires, end)
		}
	}
}

// TestTabsRaceInShortLives: a live token repeats for twice the grace period also where tokens live briefly, so that a late request
// is one generation behind at most: with the shortest idle limit, and in a session's last minute.
func TestTabsRaceInShortLives(t *testing.T) {
	const grace = testhost.Grace
	for name, row := range map[string]struct {
		option plugin.SessionOption
		after  time.Duration // the login
	}{
		"idle limit of four grace periods": {plugin.WithRefreshTTL(4 * grace), 0},
		"last minute":                      {plugin.WithSessionTTL(time.Hour), time.Hour - 50*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			host := testhost.New(t, openSQLite(t))
			first := issue(t, host, plugin.Device{}, row.option).Refresh.Token
			host.Clock.Advance(row.after)
			live := host.MustRefresh(first).Refresh.Token
			host.Clock.Advance(grace - time.Second)
			for _, token := range []string{live, first, live} {
				if got := host.MustRefresh(token).Refresh.Token; got != live {
					t.Error("the token rotated")
				}
			}
		})
	}
}

// TestLongerGracePeriodLogsNobodyOut: a session with a short idle limit goes on after the host made the grace period longer.
func TestLongerGracePeriodLogsNobodyOut(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	tokens := issue(t, host, plugin.Device{}, plugin.WithRefreshTTL(2*time.Minute))
	longer := testhost.New(t, host.DB, func(c *refreshtokens.Config) { c.Clock, c.GracePeriod = host.Clock.Now, 2*time.Minute })
	for range 10 {
		tokens = longer.MustRefresh(tokens.Refresh.Token)
		host.Clock.Advance(30 * time.Second)
	}
}

// TestClaimsGetsTheDeviceThatAsks, also where the live token is answered to another device.
func TestClaimsGetsTheDeviceThatAsks(t *testing.T) {
	var asked []string
	host := testhost.New(t, openSQLite(t), func(c *refreshtokens.Config) {
		c.Claims = func(_ context.Context, session plugin.Session) (map[string]any, error) {
			asked = append(asked, session.IP)
			return nil, nil
		}
	})
	tokens := issue(t, host, plugin.Device{IP: "192.0.2.1"})
	for _, ip := range []string{"192.0.2.2", "203.0.113.66"} {
		refreshed, err := host.Refresh(t.Context(), tokens.Refresh.Token, plugin.Device{IP: ip})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := host.Refresh(t.Context(), refreshed.Refresh.Token, plugin.Device{IP: ip}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"192.0.2.1", "192.0.2.2", "192.0.2.2", "203.0.113.66", "203.0.113.66"}; !slices.Equal(asked, want) {
		t.Errorf("asked about %v, want %v", asked, want)
	}
}
