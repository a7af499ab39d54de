package main

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// afterRead calls hook once, after the next query of the table.
func (c client) afterRead(table string, hook func()) {
	c.t.Helper()
	var called atomic.Bool
	hooked := func(db *gorm.DB) {
		if db.Statement.Table == table && called.CompareAndSwap(false, true) {
			hook()
		}
	}
	if err := c.app.db.Callback().Query().After("gorm:query").Register("hook of "+table, hooked); err != nil {
		c.t.Fatal(err)
	}
	if err := c.app.db.Callback().Row().After("gorm:row").Register("hook of "+table, hooked); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if !called.Load() {
			c.t.Errorf("no query has read %s", table)
		}
	})
}

// living counts the sessions that have not been revoked.
func (c client) living() int64 {
	c.t.Helper()
	var count int64
	if err := c.app.db.Model(&models.RefreshToken{}).Where("revoked_at = 0").Count(&count).Error; err != nil {
		c.t.Fatal(err)
	}
	return count
}

func (c client) refresh(refreshToken string) answer {
	return c.do("POST", "/v1/auth/refresh-tokens", "", `{"refreshToken":"`+refreshToken+`"}`)
}

// cheapPasswords makes logins fast and unlimited, for tests with many of them.
func (c client) cheapPasswords() {
	c.app.logins = unlimited()
	c.app.passwords.params.Memory, c.app.passwords.params.Iterations = 64, 1
}

// TestLoginDuringRevocation checks that a login starts no session if the password is changed, or the user deleted, after the
// login has read the user's row.
func TestLoginDuringRevocation(t *testing.T) {
	for name, row := range map[string]struct {
		method, body string
		status       int
		living       int64
	}{
		"password change": {method: "PATCH", body: `{"password":"battery staple 2"}`, status: 200, living: 1}, // the session that made the change stays
		"deletion":        {method: "DELETE", body: "", status: 204, living: 0},
	} {
		t.Run(name, func(t *testing.T) {
			eachApp(t, func(c client) {
				access := c.account(c.do("POST", "/v1/auth/register", "", ada), 201).Tokens.Access.Token
				c.afterRead("users", func() { c.want(c.do(row.method, "/v1/users/me", access, row.body), row.status, "") })
				c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 401, failure(401, wrongLogin))
				if got := c.living(); got != row.living {
					c.t.Errorf("%d sessions live, want %d", got, row.living)
				}
			})
		})
	}
}

// TestSessionEndsDuringRequest checks that a session can't change the password or delete the user if it is logged out while
// its request is under way.
func TestSessionEndsDuringRequest(t *testing.T) {
	for _, row := range []struct{ method, body string }{{"PATCH", `{"password":"battery staple 2"}`}, {"DELETE", ""}} {
		t.Run(row.method, func(t *testing.T) {
			eachApp(t, func(c client) {
				thief := c.account(c.do("POST", "/v1/auth/register", "", ada), 201).Tokens
				c.afterRead("refresh_tokens", func() {
					c.want(c.do("POST", "/v1/auth/logout", "", `{"refreshToken":"`+thief.Refresh.Token+`"}`), 204, "")
				})
				got := c.do(row.method, "/v1/users/me", thief.Access.Token, row.body)
				c.want(got, 401, failure(401, "Please Authenticate"))
				if want := `Bearer error="invalid_token"`; got.header.Get("WWW-Authenticate") != want {
					c.t.Errorf("WWW-Authenticate is %q", got.header.Get("WWW-Authenticate"))
				}
				c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 200, "")
			})
		})
	}
}

// TestLoginsRacePasswordChanges logs in on several devices while the password changes. After the last change, only two kinds
// of sessions may live: the one that made the changes, and those that logged in with the last password.
func TestLoginsRacePasswordChanges(t *testing.T) {
	const changes, devices = 12, 6
	password := func(i int) string { return fmt.Sprintf("correct horse %d", i) }
	eachApp(t, func(c client) {
		c.cheapPasswords()
		owner := c.account(c.do("POST", "/v1/auth/register", "", `{"name":"Ada","email":"ada@example.com","password":"`+password(0)+`"}`), 201).Tokens
		var (
			present atomic.Int64 // the number of the current password, or of the one before
			done    atomic.Bool
			wait    sync.WaitGroup
			mu      sync.Mutex
			tokens  [changes + 1][]string // refresh tokens, by the password of their login
		)
		logIn := func(i int) {
			got := c.do("POST", "/v1/auth/login", "", `{"email":"ada@example.com","password":"`+password(i)+`"}`)
			if got.status == http.StatusUnauthorized {
				return
			}
			account := c.account(got, http.StatusOK)
			mu.Lock()
			defer mu.Unlock()
			tokens[i] = append(tokens[i], account.Tokens.Refresh.Token)
		}
		for range devices {
			wait.Go(func() {
				for !done.Load() {
					logIn(int(present.Load()))
				}
			})
		}
		for i := 1; i <= changes; i++ {
			c.want(c.do("PATCH", "/v1/users/me", owner.Access.Token, `{"password":"`+password(i)+`"}`), 200, "")
			present.Store(int64(i))
		}
		done.Store(true)
		wait.Wait()
		logIn(changes)

		old := 0
		for i, list := range tokens {
			want := http.StatusUnauthorized
			if i == changes {
				want = http.StatusOK
			} else {
				old += len(list)
			}
			for _, token := range list {
				if got := c.refresh(token); got.status != want {
					c.t.Errorf("a session that logged in with password %d of %d: refresh answers %d, want %d", i, changes, got.status, want)
				}
			}
		}
		c.t.Logf("%d logins with an old password, %d with the last", old, len(tokens[changes]))
		if got, want := c.living(), int64(1+len(tokens[changes])); got != want {
			c.t.Errorf("%d sessions live, want %d", got, want)
		}
		c.want(c.refresh(owner.Refresh.Token), 200, "")
	})
}

// TestManyLoginsOnASmallPool checks that a login or a registration needs only one connection at a time. If one needed two, many
// of them would block each other on a pool of two.
func TestManyLoginsOnASmallPool(t *testing.T) {
	eachApp(t, func(c client) {
		c.cheapPasswords()
		pool, err := c.app.db.DB()
		if err != nil {
			c.t.Fatal(err)
		}
		pool.SetMaxOpenConns(2)
		c.want(c.do("POST", "/v1/auth/register", "", ada), 201, "")
		var wait sync.WaitGroup
		for i := range 32 {
			wait.Go(func() {
				c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 200, "")
				other := fmt.Sprintf(`{"name":"U","email":"u%d@example.com","password":"correct horse 1"}`, i)
				c.want(c.do("POST", "/v1/auth/register", "", other), 201, "")
			})
		}
		wait.Wait()
	})
}
