package plugin_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

func TestNewRefuses(t *testing.T) {
	migrated := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	partly := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	if err := partly.Migrator().DropColumn(&models.RefreshToken{}, "ip"); err != nil {
		t.Fatal(err)
	}
	empty := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	if err := empty.Migrator().DropTable(&models.RefreshToken{}); err != nil {
		t.Fatal(err)
	}
	good := func() plugin.Config { return plugin.Config{DB: migrated, Secret: []byte(testhost.Secret)} }
	for _, row := range []struct {
		name  string
		twist func(*plugin.Config)
		says  string // empty: it is accepted
	}{
		{"nothing wrong", func(*plugin.Config) {}, ""},
		{"no DB", func(c *plugin.Config) { c.DB = nil }, "DB is required"},
		{"a DB in error", func(c *plugin.Config) { c.DB = migrated.Where("x = ?"); _ = c.DB.AddError(errors.New("boom")) }, "boom"},
		{"no table", func(c *plugin.Config) { c.DB = empty }, `no table "refresh_tokens": run db.AutoMigrate(models.All()...)`},
		{"no column", func(c *plugin.Config) { c.DB = partly }, `no column "ip": run db.AutoMigrate`},
		{"no secret", func(c *plugin.Config) { c.Secret = nil }, "Secret has 0 bytes"},
		{"31 bytes", func(c *plugin.Config) { c.Secret = c.Secret[:31] }, "Secret has 31 bytes"},
		{"32 bytes", func(c *plugin.Config) { c.Secret = c.Secret[:32] }, ""},
		{"negative AccessTTL", func(c *plugin.Config) { c.AccessTTL = -time.Second }, "AccessTTL is -1s"},
		{"AccessTTL of a fraction", func(c *plugin.Config) { c.AccessTTL = 1500 * time.Millisecond }, "AccessTTL is 1.5s"},
		{"RefreshTTL of a fraction", func(c *plugin.Config) { c.RefreshTTL = time.Millisecond }, "RefreshTTL is 1ms"},
		{"negative SessionTTL", func(c *plugin.Config) { c.SessionTTL = -time.Hour }, "SessionTTL is -1h0m0s"},
		{"GracePeriod of a fraction", func(c *plugin.Config) { c.GracePeriod = time.Millisecond }, "GracePeriod is 1ms"},
		{"GracePeriod off", func(c *plugin.Config) { c.GracePeriod = -1 }, ""},
		{"GracePeriod of 10 minutes", func(c *plugin.Config) { c.GracePeriod = 10 * time.Minute }, ""},
		{"a longer GracePeriod", func(c *plugin.Config) { c.GracePeriod = 601 * time.Second }, "GracePeriod is 10m1s"},
		{"RefreshTTL of twice GracePeriod", func(c *plugin.Config) { c.RefreshTTL = time.Minute }, "RefreshTTL is 1m0s and must be longer than twice"},
		{"RefreshTTL of over twice GracePeriod", func(c *plugin.Config) { c.RefreshTTL = 61 * time.Second }, ""},
		{"RefreshTTL over SessionTTL", func(c *plugin.Config) { c.RefreshTTL = 31 * 24 * time.Hour }, "RefreshTTL is 744h0m0s, longer than the SessionTTL"},
		{"AccessTTL over SessionTTL", func(c *plugin.Config) { c.AccessTTL, c.SessionTTL = 2*time.Hour, time.Hour }, "AccessTTL is 2h0m0s, longer than the SessionTTL"},
		{"only a short SessionTTL", func(c *plugin.Config) { c.SessionTTL = 5 * time.Minute }, ""},
		{"a Secret of one byte, repeated", func(c *plugin.Config) { c.Secret = make([]byte, 64) }, "Secret is one byte, repeated"},
		{"a Table to inject with", func(c *plugin.Config) { c.Table = "x; DROP TABLE users" }, `Table is "x; DROP TABLE users"`},
		{"a Table of 49 letters", func(c *plugin.Config) { c.Table = strings.Repeat("a", 49) }, "at most 48"},
		{"a minute of Leeway", func(c *plugin.Config) { c.Leeway = time.Minute }, ""},
		{"more Leeway", func(c *plugin.Config) { c.Leeway = 61 * time.Second }, "Leeway is 1m1s"},
		{"negative MaxRefreshes", func(c *plugin.Config) { c.MaxRefreshes = -1 }, "MaxRefreshes is -1"},
		{"negative Leeway", func(c *plugin.Config) { c.Leeway = -time.Second }, "Leeway is -1s"},
	} {
		config := good()
		row.twist(&config)
		_, err := plugin.New(config)
		if row.says == "" && err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if row.says != "" && (err == nil || !strings.Contains(err.Error(), row.says)) {
			t.Errorf("%s: %v, want %q", row.name, err, row.says)
		}
		if err != nil && strings.Contains(err.Error(), testhost.Secret[:31]) {
			t.Errorf("%s: the secret is in the error", row.name)
		}
	}
	if _, err := plugin.New(plugin.Config{AccessTTL: -1, Leeway: -1}); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("not every mistake is named: %v", err)
	}
}

// TestTokenOfAKnownRow pins the bytes of a refresh token: a build that minted others would end every login.
func TestTokenOfAKnownRow(t *testing.T) {
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}))
	now := host.Clock.Now().Unix()
	err := store.New(host.DB, "").Create(t.Context(), &models.RefreshToken{
		ID: "019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f", Subject: "<alice>", Generation: 2, IssuedAt: now, ExpiresAt: now + 60, CreatedAt: now - 60,
	})
	if err != nil {
		t.Fatal(err)
	}
	const payload = `{"sub":"\u003calice\u003e","sid":"019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f","iat":1767323045,"exp":1767323105,"auth_time":1767322985,"type":"refresh","gen":2}`
	want := testhost.Sign(testhost.Header, payload, testhost.RefreshKey(t))
	spent := strings.Replace(payload, `"gen":2`, `"gen":1`, 1)

	got := host.MustRefresh(testhost.Sign(testhost.Header, spent, testhost.RefreshKey(t))).Refresh.Token

	if got != want {
		t.Errorf("the token is\n%s\nwant\n%s", got, want)
	}
}

func TestIssueRefusesSubjects(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		for _, subject := range []string{"", "a\x00b", "\xff", strings.Repeat("a", 256), strings.Repeat("ä", 128)} {
			if _, err := host.Issue(t.Context(), subject, plugin.Device{}); !errors.Is(err, plugin.ErrInvalidSubject) {
				t.Errorf("%q: %v", subject, err)
			}
		}
		if rows := host.Rows(); len(rows) != 0 {
			t.Errorf("rows are %+v", rows)
		}
		for _, subject := range []string{"1", strings.Repeat("a", 255), "日本 🙂 ' \" \\ % _ <&>\u2028", "a ", "A"} {
			tokens := host.MustRefresh(host.Login(subject).Refresh.Token)
			claims, err := host.VerifyAccess(tokens.Access.Token)
			if err != nil || claims.Subject != subject {
				t.Errorf("%q: came back as %q, %v", subject, claims.Subject, err)
			}
			sessions, err := host.Sessions(t.Context(), subject)
			if err != nil || len(sessions) != 1 || sessions[0].Subject != subject {
				t.Errorf("%q: sessions are %+v, %v", subject, sessions, err)
			}
		}
	})
}

func TestClientIsCutToItsColumn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		for _, row := range []struct{ userAgent, want string }{
			{"", ""},
			{"curl/8", "curl/8"},
			{"a\x00b\r\nc\x1b[31m", "abc[31m"},
			{"a\xffb\xc3", "ab"},
			{strings.Repeat("a", 1<<20), strings.Repeat("a", 255)},
			{strings.Repeat("🙂", 100), strings.Repeat("🙂", 63)},
			{"\u202eevil", "evil"},
			{"' OR 1=1; --", "' OR 1=1; --"},
		} {
			tokens, err := host.Issue(t.Context(), "alice", plugin.Device{UserAgent: row.userAgent, IP: strings.Repeat("9", 99)})
			if err != nil {
				t.Fatalf("%.20q: %v", row.userAgent, err)
			}
			session, err := host.Session(t.Context(), "alice", host.SessionID(tokens))
			if err != nil || session.UserAgent != row.want || len(session.IP) != 45 || !utf8.ValidString(session.UserAgent) {
				t.Errorf("%.20q: stored as %q, %q, %v", row.userAgent, session.UserAgent, session.IP, err)
			}
		}
	})
}

func TestErrorsCanBeToldApart(t *testing.T) {
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}))
	refresh := func(token string) error {
		_, err := host.Refresh(t.Context(), token, plugin.Device{})
		return err
	}
	session := func(subject, id string) error {
		_, err := host.Session(t.Context(), subject, id)
		return err
	}
	sessions := func(subject string) error {
		_, err := host.Sessions(t.Context(), subject)
		return err
	}
	first := host.Login("alice")
	spent := first.Refresh.Token
	live := host.MustRefresh(spent).Refresh.Token
	other := host.Login("bob")
	host.Clock.Advance(time.Minute)
	for _, row := range []struct {
		name string
		err  error
		want error
	}{
		{"malformed", refresh("x"), plugin.ErrInvalidToken},
		{"reused", refresh(spent), plugin.ErrReused},
		{"revoked", refresh(live), plugin.ErrRevoked},
		{"log-out of a revoked session", host.Revoke(t.Context(), live), plugin.ErrNotFound},
		{"log-out with no token", host.Revoke(t.Context(), ""), plugin.ErrNotFound},
		{"no such session", host.RevokeSession(t.Context(), "alice", "x"), plugin.ErrNotFound},
		{"another's session", host.RevokeSession(t.Context(), "alice", host.SessionID(other)), plugin.ErrNotFound},
		{"look-up of no session", session("alice", "x"), plugin.ErrNotFound},
		{"look-up of another's session", session("alice", host.SessionID(other)), plugin.ErrNotFound},
		{"look-up of a revoked session", session("alice", host.SessionID(first)), plugin.ErrNotFound},
		{"look-up of a live session", session("bob", host.SessionID(other)), nil},
		{"all of nobody", host.RevokeAll(t.Context(), ""), plugin.ErrInvalidSubject},
		{"sessions of nobody", sessions(""), plugin.ErrInvalidSubject},
		{"all but what is no session", host.RevokeAll(t.Context(), "bob", "x"), plugin.ErrNotFound},
		{"bob's session lives on", refresh(other.Refresh.Token), nil},
	} {
		if !errors.Is(row.err, row.want) || (row.want == nil) != (row.err == nil) {
			t.Errorf("%s: %v, want %v", row.name, row.err, row.want)
		}
	}
	host.Clock.Advance(8 * 24 * time.Hour)
	if err := refresh(other.Refresh.Token); !errors.Is(err, plugin.ErrExpired) {
		t.Errorf("expired: %v", err)
	}
	if _, err := host.VerifyAccess(other.Access.Token); !errors.Is(err, plugin.ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}

// TestWithDBStandsOrFallsWithTheTransaction: a password change that is rolled back has logged nobody out.
func TestWithDBStandsOrFallsWithTheTransaction(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		keep, drop := host.Login("alice"), host.Login("alice")
		change := func(fail error) error {
			return db.Transaction(func(tx *gorm.DB) error {
				if err := host.WithDB(tx).RevokeAll(t.Context(), "alice", host.SessionID(keep)); err != nil {
					return err
				}
				if _, err := host.WithDB(tx).Issue(t.Context(), "alice", plugin.Device{}); err != nil {
					return err
				}
				return fail
			})
		}
		if err := change(errors.New("disk full")); err == nil || len(host.Rows()) != 2 {
			t.Fatalf("%v, %d rows", err, len(host.Rows()))
		}
		drop = host.MustRefresh(drop.Refresh.Token)

		if err := change(nil); err != nil || len(host.Rows()) != 3 {
			t.Fatalf("%v, %d rows", err, len(host.Rows()))
		}
		host.WantRefresh(drop.Refresh.Token, http.StatusUnauthorized)
		host.WantRefresh(keep.Refresh.Token, http.StatusOK)
	})
}

// oneDay is how long sessions may last, and idle for an hour of it.
func oneDay(c *refreshtokens.Config) {
	c.RefreshTTL, c.SessionTTL = time.Hour, 24*time.Hour
}

func TestPurge(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db, oneDay)
		host.Clock.Set(time.Now().Add(-24 * time.Hour)) // Purge wants a clock that is right, in the end
		old := host.Login("alice")
		host.PostToken("/v1/auth/logout", old.Refresh.Token)
		host.Login("bob")
		host.Login("Alice")
		host.Clock.Advance(24*time.Hour - time.Second)
		host.Login("alice")
		if n, err := host.Purge(t.Context()); n != 0 || err != nil {
			t.Errorf("purged %d, %v, before their time", n, err)
		}

		host.Clock.Advance(time.Second)
		if n, err := host.Purge(t.Context()); n != 3 || err != nil {
			t.Errorf("purged %d, %v, want 3", n, err)
		}
		if n, err := host.Purge(t.Context()); n != 0 || err != nil {
			t.Errorf("purged %d, %v, want none", n, err)
		}
		if got := len(host.Rows()); got != 1 {
			t.Errorf("%d rows, want the one that may be live", got)
		}
	})
}

// TestSecretIsCopied: a host may wipe its own copy.
func TestSecretIsCopied(t *testing.T) {
	secret := []byte(testhost.Secret)
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), func(c *refreshtokens.Config) { c.Secret = secret })
	tokens := host.Login("alice")
	clear(secret)
	if _, err := host.VerifyAccess(tokens.Access.Token); err != nil {
		t.Error(err)
	}
}

// TestSlowClaims: the grace period runs from the rotation, however long the host took before.
func TestSlowClaims(t *testing.T) {
	var slow func()
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), func(c *refreshtokens.Config) {
		c.Claims = func(context.Context, plugin.Session) (map[string]any, error) { slow(); return nil, nil }
	})
	slow = func() {}
	spent := host.Login("alice").Refresh.Token
	slow = func() { host.Clock.Advance(11 * time.Second) }
	live := host.MustRefresh(spent).Refresh.Token
	for _, slow = range []func(){func() {}, slow} {
		if got := host.MustRefresh(spent).Refresh.Token; got != live {
			t.Error("not the very same successor")
		}
	}
}

// TestStalledRotation: a rotation that a lock holds up for half the grace period gives up, with the token unspent.
func TestStalledRotation(t *testing.T) {
	for _, engine := range testdb.Engines()[1:] { // in SQLite it is the driver's busy timeout that ends the wait
		t.Run(engine.Name, func(t *testing.T) {
			db := testdb.Open(t, engine.Open(t), &gorm.Config{})
			host := testhost.New(t, db, func(c *refreshtokens.Config) { c.GracePeriod = 2 * time.Second })
			token := host.Login("alice").Refresh.Token
			lock := db.Begin()
			lock.Exec("UPDATE refresh_tokens SET ip = 'locked'")
			host.WantRefresh(token, http.StatusInternalServerError)
			endWaiting(t, db)
			lock.Rollback()
			host.Clock.Advance(time.Hour)
			host.WantRefresh(token, http.StatusOK)
		})
	}
}

// endWaiting sees to it that the server has noticed that the client of the waiting UPDATE is gone. PostgreSQL does so by
// itself in a moment; MariaDB wouldn't before the lock is released, and would then carry the UPDATE out.
func endWaiting(t *testing.T, db *gorm.DB) {
	t.Helper()
	waiting := "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE%' AND " +
		"pid IN (SELECT pid FROM pg_locks WHERE relation = 'refresh_tokens'::regclass)"
	if db.Name() == "mysql" {
		waiting = "SELECT id FROM information_schema.processlist WHERE db = database() AND info LIKE 'UPDATE%'"
	}
	for {
		var ids []int64
		if err := db.Raw(waiting).Scan(&ids).Error; err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			return
		}
		if db.Name() == "mysql" {
			_ = db.Exec(fmt.Sprintf("KILL %d", ids[0])).Error // it may have ended by itself
		}
	}
}

// TestThiefWhoHangsUp: reuse ends the session, and is told of, though the request was cancelled in the middle.
func TestThiefWhoHangsUp(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	told := false
	host := testhost.New(t, db, func(c *refreshtokens.Config) {
		c.OnEvent = func(ctx context.Context, event plugin.Event) {
			told = told || event.Kind == plugin.EventReuseDetected && ctx.Err() == nil
		}
	})
	spent := host.Login("alice").Refresh.Token
	live := host.MustRefresh(spent).Refresh.Token
	host.Clock.Advance(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	if err := db.Callback().Row().After("*").Register("test:hangup", func(*gorm.DB) { cancel() }); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Refresh(ctx, spent, plugin.Device{}); !errors.Is(err, plugin.ErrReused) || !told {
		t.Errorf("%v, told: %v", err, told)
	}
	host.WantRefresh(live, http.StatusUnauthorized)
}

// FuzzVerify: what is accepted as a token, of either kind, is byte for byte what signing its payload makes.
func FuzzVerify(f *testing.F) {
	host := testhost.New(f, testdb.Open(f, testdb.SQLite(f), &gorm.Config{}))
	tokens := host.Login("alice")
	f.Add(tokens.Access.Token, "")
	f.Add(tokens.Refresh.Token, `{"sub":"alice","type":"access"}`)
	f.Add(testhost.Header+"..", `null`)
	f.Add("", `{"sub":"alice","sid":"019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f","iat":1,"exp":9999999999,"auth_time":1,"type":"access"}`)
	f.Fuzz(func(t *testing.T, token, payload string) {
		host := host.For(t)
		if _, err := host.VerifyAccess(token); err == nil && token != resign(token, []byte(testhost.Secret)) {
			t.Errorf("verified %q", token)
		}
		if _, err := host.Refresh(t.Context(), token, plugin.Device{}); err == nil && token != resign(token, testhost.RefreshKey(t)) {
			t.Errorf("refreshed %q", token)
		}
		// Under the right signature, what the parser accepts is what another parser reads.
		signed := testhost.Sign(testhost.Header, payload, []byte(testhost.Secret))
		claims, err := host.VerifyAccess(signed)
		if err != nil {
			if !errors.Is(err, plugin.ErrInvalidToken) && !errors.Is(err, plugin.ErrExpired) {
				t.Errorf("%q: %v", payload, err)
			}
			return
		}
		read := host.Claims(signed)
		if read["sub"] != claims.Subject || read["sid"] != claims.SessionID || read["type"] != "access" {
			t.Errorf("%q was read as %+v", payload, claims)
		}
	})
}

// resign signs the payload of token anew; empty where there is none.
func resign(token string, key []byte) string {
	header, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	return testhost.Sign(header, string(decoded), key)
}
