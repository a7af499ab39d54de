package main

import (
	"regexp"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// aged is an access token as it would be had the user authenticated that long ago.
func (c client) aged(access string, age time.Duration) string {
	c.t.Helper()
	claims := c.claimsOf(access)
	claims["auth_time"] = time.Now().Add(-age).Unix()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(testSettings.JWTSecret))
	if err != nil {
		c.t.Fatal(err)
	}
	return signed
}

// TestReauthenticate: a deletion needs a password that was checked a moment ago. One that is checked again is enough.
func TestReauthenticate(t *testing.T) {
	const (
		path  = "/v1/auth/reauthenticate"
		right = `{"password":"correct horse 1"}`
	)
	eachApp(t, func(c client) {
		account := c.account(c.do("POST", "/v1/auth/register", "", ada), 201)
		old := c.aged(account.access(), 6*time.Minute)
		c.want(c.do("GET", "/v1/users/me", old, ""), 200, "")
		refused := c.do("DELETE", "/v1/users/me", old, "")
		c.want(refused, 401, unauthorized)
		if got := refused.header.Get("WWW-Authenticate"); got != `Bearer error="insufficient_user_authentication", max_age="300"` {
			c.t.Errorf("WWW-Authenticate is %s", got)
		}

		for _, row := range []struct {
			access, body string
			status       int
			answer       string
		}{
			{old, `{"password":"wrong horse 1"}`, 401, failure(401, wrongLogin)},
			{old, `{"password":""}`, 400, failure(400, "The body must be a JSON object with the string password")},
			{old, `{}`, 400, failure(400, "The body must be a JSON object with the string password")},
			{"", right, 401, unauthorized},
			{account.Tokens.Refresh.Token, right, 401, unauthorized},
		} {
			c.want(c.do("POST", path, row.access, row.body), row.status, row.answer)
		}

		got := c.do("POST", path, old, right)
		c.want(got, 200, "")
		match := regexp.MustCompile(`^\{"access":\{"token":"([^"]+)","expires":"[0-9T:-]+\.000Z"\}\}$`).FindStringSubmatch(got.body)
		if match == nil || got.header.Get("Cache-Control") != "no-store" {
			c.t.Fatalf("answered %s %v", got.body, got.header)
		}
		claims, before := c.claimsOf(match[1]), c.claimsOf(old)
		amr, _ := claims["amr"].([]any)
		if len(amr) != 1 || amr[0] != "pwd" || claims["sid"] != before["sid"] || claims["role"] != "user" {
			c.t.Errorf("claims are %v", claims)
		}
		c.want(c.do("DELETE", "/v1/users/me", match[1], ""), 204, "")
		c.want(c.do("POST", path, match[1], right), 401, unauthorized)
	})
}

// TestTooManyReauthentications: tries here and at the login are counted together.
func TestTooManyReauthentications(t *testing.T) {
	eachApp(t, func(c client) {
		c.app.passwords.params.Memory = 64 // the tries must be over within a minute
		access := c.account(c.do("POST", "/v1/auth/register", "", ada), 201).access()
		for range loginsPerMinute {
			c.want(c.do("POST", "/v1/auth/reauthenticate", access, `{"password":"wrong"}`), 401, failure(401, wrongLogin))
		}
		c.want(c.do("POST", "/v1/auth/reauthenticate", access, `{"password":"correct horse 1"}`), 429, failure(429, tooManyLogins))
		c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 429, failure(429, tooManyLogins))
	})
}
