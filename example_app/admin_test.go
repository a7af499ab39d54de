package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	root    = `{"name":"Root","email":"root@example.com","password":"correct horse 1"}`
	noUser  = "0a8a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a"
	allowed = "" // any body
)

var (
	forbidden    = failure(403, "Forbidden")
	notFound     = failure(404, "Not found")
	unauthorized = failure(401, "Please Authenticate")
)

// withAdmin is an app with an admin and a user.
func (c client) withAdmin() (with client, admin, user account) {
	c.t.Helper()
	with = c.with(func(s *config) {
		s.AdminEmail, s.RefreshTTL, s.SessionTTL = " Root@Example.com", 168*time.Hour, 720*time.Hour
	})
	with.cheapPasswords()
	admin = with.account(with.do("POST", "/v1/auth/register", "", root), 201)
	return with, admin, with.account(with.do("POST", "/v1/auth/register", "", ada), 201)
}

func (a account) id() string { return a.User["id"].(string) }

func (a account) access() string { return a.Tokens.Access.Token }

// claimsOf reads an access token.
func (c client) claimsOf(access string) jwt.MapClaims {
	c.t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(access, claims); err != nil {
		c.t.Fatal(err)
	}
	return claims
}

func (c client) set(userID, column string, value any) {
	c.t.Helper()
	if err := c.app.db.Model(&user{}).Where("id = ?", userID).Update(column, value).Error; err != nil {
		c.t.Fatal(err)
	}
}

// TestAdminRoutes are for admins, and tell of users what users see of themselves.
func TestAdminRoutes(t *testing.T) {
	eachApp(t, func(c client) {
		c, admin, user := c.withAdmin()
		json := func(a account, name, role string) string {
			return fmt.Sprintf(`{"id":%q,"name":%q,"email":%q,"role":%q,"isEmailVerified":false}`, a.id(), name, strings.ToLower(name)+"@example.com", role)
		}
		everybody := `{"users":[` + json(user, "Ada", "user") + `,` + json(admin, "Root", "admin") + `]}`
		for _, row := range []struct {
			method, path, access string
			status               int
			body                 string
		}{
			{"GET", "/v1/users", admin.access(), 200, everybody},
			{"GET", "/v1/users?after=ADA@example.com", admin.access(), 200, `{"users":[` + json(admin, "Root", "admin") + `]}`},
			{"GET", "/v1/users?after=root@example.com", admin.access(), 200, `{"users":[]}`},
			{"GET", "/v1/users?after=%00", admin.access(), 400, failure(400, "after must be an email address")},
			{"GET", "/v1/users", user.access(), 403, forbidden},
			{"GET", "/v1/users", "", 401, unauthorized},
			{"POST", "/v1/users/" + admin.id() + "/ban", user.access(), 403, forbidden},
			{"POST", "/v1/users/" + admin.id() + "/ban", "", 401, unauthorized},
			{"POST", "/v1/users/" + noUser + "/ban", admin.access(), 404, notFound},
			{"POST", "/v1/users/me/ban", admin.access(), 404, notFound},
			{"POST", "/v1/users/%00/ban", admin.access(), 404, notFound},
			{"POST", "/v1/users/%ff/impersonate", admin.access(), 404, notFound},
			{"POST", "/v1/users/" + noUser + "/impersonate", admin.access(), 404, notFound},
			{"POST", "/v1/users/" + user.id() + "/impersonate", user.access(), 403, forbidden},
			{"POST", "/v1/users/" + admin.id() + "/impersonate", admin.access(), 403, forbidden},
		} {
			c.want(c.do(row.method, row.path, row.access, ""), row.status, row.body)
		}
	})
}

// TestNoAdmin: nobody is admin by default.
func TestNoAdmin(t *testing.T) {
	eachApp(t, func(c client) {
		got := c.account(c.do("POST", "/v1/auth/register", "", root), 201)
		c.want(c.do("GET", "/v1/users", got.access(), ""), 403, forbidden)
		if _, err := newApp(c.app.db, config{JWTSecret: testSettings.JWTSecret, AdminEmail: "root"}, c.app.logger); err == nil {
			c.t.Error("ADMIN_EMAIL may be no email address")
		}
	})
}

// TestBan takes effect at once, everywhere.
func TestBan(t *testing.T) {
	eachApp(t, func(c client) {
		c, admin, user := c.withAdmin()
		phone := c.account(c.do("POST", "/v1/auth/login", "", adaLogin), 200)
		for range 2 { // twice is once
			c.want(c.do("POST", "/v1/users/"+user.id()+"/ban", admin.access(), ""), 204, "")
		}
		for _, session := range []account{user, phone} {
			c.want(c.do("GET", "/v1/users/me", session.access(), ""), 401, unauthorized)
			c.want(c.refresh(session.Tokens.Refresh.Token), 401, unauthorized)
			c.want(c.do("PATCH", "/v1/users/me", session.access(), `{"password":"battery staple 2"}`), 401, unauthorized)
			c.want(c.do("DELETE", "/v1/users/me", session.access(), ""), 401, unauthorized)
			c.want(c.do("POST", "/v1/auth/reauthenticate", session.access(), `{"password":"correct horse 1"}`), 401, unauthorized)
		}
		c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 401, failure(401, wrongLogin))
		c.want(c.do("POST", "/v1/auth/register", "", ada), 400, failure(400, takenEmail))
		c.want(c.do("POST", "/v1/users/"+user.id()+"/impersonate", admin.access(), ""), 403, forbidden)
		if got := c.living(); got != 1 { // the admin's
			c.t.Errorf("%d sessions live, want 1", got)
		}
	})
}

// TestBanOverlapsLogin: a login that has read the user's row before the ban starts no session after it.
func TestBanOverlapsLogin(t *testing.T) {
	eachApp(t, func(c client) {
		c, admin, user := c.withAdmin()
		c.afterRead("users", func() {
			c.want(c.do("POST", "/v1/users/"+user.id()+"/ban", admin.access(), ""), 204, "")
		})
		c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 401, failure(401, wrongLogin))
		if got := c.living(); got != 1 {
			c.t.Errorf("%d sessions live, want 1", got)
		}
	})
}

// TestBannedBySQL: a ban that ended no session ends each at its next refresh.
func TestBannedBySQL(t *testing.T) {
	eachApp(t, func(c client) {
		got := c.account(c.do("POST", "/v1/auth/register", "", ada), 201)
		c.set(got.id(), "banned", true)
		c.want(c.refresh(got.Tokens.Refresh.Token), 401, unauthorized)
		c.want(c.do("GET", "/v1/users/me", got.access(), ""), 401, unauthorized)
	})
}

// TestImpersonation: the admin acts for the user, says so in every token, and can do nothing that only the user may.
func TestImpersonation(t *testing.T) {
	eachApp(t, func(c client) {
		c, admin, user := c.withAdmin()
		path := "/v1/users/" + user.id() + "/impersonate"
		got := c.account(c.do("POST", path, admin.access(), ""), 200)
		if got.id() != user.id() || len(got.User) != 5 {
			c.t.Errorf("user is %v", got.User)
		}
		refreshed := c.refresh(got.Tokens.Refresh.Token)
		c.want(refreshed, 200, "")
		for _, access := range []string{got.access(), c.account(answer{200, `{"tokens":` + refreshed.body + `}`, nil}, 200).access()} {
			claims := c.claimsOf(access)
			if fmt.Sprint(claims["act"]) != "map[sub:"+admin.id()+"]" || claims["sub"] != user.id() || claims["role"] != "user" {
				c.t.Errorf("claims are %v", claims)
			}
			for _, row := range []struct {
				method, path, body string
				status             int
				answer             string
			}{
				{"GET", "/v1/users/me", "", 200, allowed},
				{"PATCH", "/v1/users/me", `{"password":"battery staple 2"}`, 403, forbidden},
				{"DELETE", "/v1/users/me", "", 403, forbidden},
				{"POST", "/v1/auth/reauthenticate", `{"password":"correct horse 1"}`, 403, forbidden},
				{"GET", "/v1/users", "", 403, forbidden},
				{"POST", "/v1/users/" + admin.id() + "/ban", "", 403, forbidden},
				{"POST", path, "", 403, forbidden},
			} {
				c.want(c.do(row.method, row.path, access, row.body), row.status, row.answer)
			}
		}
		for _, session := range c.sessions(user.access()) {
			if left := time.Until(session.ExpiresAt); session.Name == "Administrator" && left > time.Hour {
				c.t.Errorf("it lasts %v", left)
			}
		}
		if list := c.sessions(user.access()); len(list) != 2 || list[0].Name+list[1].Name != "Administrator" {
			c.t.Errorf("the user sees %v", list)
		}
	})
}

// TestImpersonationEnds at its next refresh where it would not be started any more.
func TestImpersonationEnds(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(c client, adminID, userID string)
	}{
		{"the admin is an admin no more", func(c client, adminID, _ string) { c.set(adminID, "role", roleUser) }},
		{"the admin is banned", func(c client, adminID, _ string) { c.set(adminID, "banned", true) }},
		{"the admin is gone", func(c client, adminID, _ string) {
			if err := c.app.db.Delete(&user{ID: adminID}).Error; err != nil {
				c.t.Fatal(err)
			}
		}},
		{"the user became an admin", func(c client, _, userID string) { c.set(userID, "role", roleAdmin) }},
		{"the user is banned", func(c client, _, userID string) { c.set(userID, "banned", true) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			eachApp(t, func(c client) {
				c, admin, user := c.withAdmin()
				impersonated := c.account(c.do("POST", "/v1/users/"+user.id()+"/impersonate", admin.access(), ""), 200)
				c.want(c.refresh(impersonated.Tokens.Refresh.Token), 200, "")
				row.change(c, admin.id(), user.id())
				c.want(c.refresh(impersonated.Tokens.Refresh.Token), 401, unauthorized)
				c.want(c.do("GET", "/v1/users/me", impersonated.access(), ""), 401, unauthorized)
			})
		})
	}
}
