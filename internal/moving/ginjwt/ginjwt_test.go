// Package ginjwt_test moves an app from gin-jwt, with users logged in.
package ginjwt_test

import (
	"io"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/appleboy/gin-jwt/v3/core"
	"github.com/appleboy/gin-jwt/v3/store"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/ginjwt/after"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/ginjwt/before"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/movingtest"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/oldtokens"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

const route = "/auth/refresh-tokens"

// users returns a database with two users.
func users(t *testing.T) *gorm.DB {
	t.Helper()
	log.SetOutput(io.Discard) // gin-jwt logs which store it uses
	db := movingtest.SQLite(t)
	if err := db.AutoMigrate(&before.User{}); err != nil {
		t.Fatal(err)
	}
	for id, role := range map[string]string{"ada": "admin", "bob": "user"} {
		if err := db.Create(&before.User{ID: id, Email: id + "@example.com", Role: role, PasswordHash: movingtest.Hash(t)}).Error; err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// old starts the app before.
func old(t *testing.T, db *gorm.DB, tokens core.TokenStore) (logIn func(user string) (*movingtest.Client, string)) {
	t.Helper()
	app, err := before.New(db, []byte(movingtest.Secret), tokens)
	if err != nil {
		t.Fatal(err)
	}
	server := movingtest.Serve(t, app)
	return func(user string) (*movingtest.Client, string) {
		client := movingtest.New(t, server)
		answer := client.Post("/login", map[string]string{"email": user + "@example.com", "password": movingtest.Password}, http.StatusOK)
		client.Access = movingtest.Text(answer, "access_token")
		client.Get("/api/me", http.StatusOK)
		return client, movingtest.Text(answer, "refresh_token")
	}
}

// moved starts the app after, and lets the clients go on with it.
func moved(t *testing.T, db *gorm.DB, legacy after.Legacy, clients ...*movingtest.Client) {
	t.Helper()
	if err := db.AutoMigrate(models.All()...); err != nil {
		t.Fatal(err)
	}
	app, err := after.New(db, []byte(movingtest.Secret), legacy)
	if err != nil {
		t.Fatal(err)
	}
	server := movingtest.Serve(t, app)
	for _, client := range clients {
		client.MoveTo(server)
	}
}

var soon = time.Now().Add(30 * 24 * time.Hour)

// TestFromRedis: old and new processes share the store.
func TestFromRedis(t *testing.T) {
	stores, db := startRedis(t, 2), users(t)
	logIn := old(t, db, stores[0])
	ada, adas := logIn("ada")
	phone, phones := logIn("ada")
	bob, spent := logIn("bob")
	bobs := movingtest.Text(bob.Post("/refresh", map[string]string{"refresh_token": spent}, http.StatusOK), "refresh_token")
	browser, cookie := logIn("ada")
	stay, _ := logIn("bob")
	out, leaving := logIn("bob")
	out.Post("/logout", map[string]string{"refresh_token": leaving}, http.StatusOK)
	moved(t, db, after.FromRedis(stores[1], soon), ada, phone, bob, browser, out)

	t.Run("a client of today", func(t *testing.T) {
		ada.Get("/api/me", http.StatusUnauthorized) // the access token is gin-jwt's, so the client refreshes
		first := ada.Refresh(route, adas, http.StatusOK)
		if again := ada.Refresh(route, adas, http.StatusOK); again != first { // another tab
			t.Error("two tabs got two refresh tokens")
		}
		if got := ada.Get("/api/me", http.StatusOK); movingtest.Text(got, "email") != "ada@example.com" {
			t.Errorf("it is %v", got)
		}
		ada.Get("/api/admin", http.StatusNoContent)
		ada.Refresh(route, first, http.StatusOK)
	})
	t.Run("a client that knows the old routes alone", func(t *testing.T) {
		answer := phone.Post("/refresh", map[string]string{"refresh_token": phones}, http.StatusOK)
		phone.Access = movingtest.Text(answer, "access_token")
		if got := phone.Get("/api/me", http.StatusOK); movingtest.Text(got, "id") != "ada" {
			t.Errorf("it is %v", got)
		}
		if expires, _ := answer["expires_in"].(float64); movingtest.Text(answer, "token_type") != "Bearer" || expires < 890 || expires > 900 {
			t.Errorf("the answer is %v", answer)
		}
		next := movingtest.Text(answer, "refresh_token")
		phone.Post("/refresh", map[string]string{"refresh_token": next}, http.StatusOK)
		phone.Post("/logout", map[string]string{"refresh_token": next}, http.StatusOK)
		phone.Post("/refresh", map[string]string{"refresh_token": next}, http.StatusUnauthorized)
		phone.Post("/refresh", map[string]string{}, http.StatusBadRequest)
	})
	t.Run("spent, and logged out, before the move", func(*testing.T) {
		bob.Refresh(route, spent, http.StatusUnauthorized)
		out.Refresh(route, leaving, http.StatusUnauthorized)
	})
	t.Run("logged out after the move, without a refresh", func(*testing.T) {
		bob.Post("/auth/logout", map[string]string{"refreshToken": bobs}, http.StatusNoContent)
		bob.Refresh(route, bobs, http.StatusUnauthorized)
	})
	t.Run("a browser with the old cookie", func(*testing.T) {
		browser.Post("/web/auth/refresh-tokens", nil, http.StatusOK)
		answer := browser.Post("/web/auth/refresh-tokens", nil, http.StatusOK) // with our cookie
		browser.Access = movingtest.Text(answer, "access", "token")
		browser.Get("/api/me", http.StatusOK)
		browser.Post("/web/auth/logout", nil, http.StatusNoContent)
		browser.Post("/web/auth/refresh-tokens", nil, http.StatusUnauthorized)
		browser.Access = ""
		browser.Refresh(route, cookie, http.StatusUnauthorized)
	})
	t.Run("processes of the app before that still run", func(t *testing.T) {
		stay.Access = ada.Access
		if got := stay.Get("/api/me", http.StatusOK); movingtest.Text(got, "id") != "ada" {
			t.Errorf("it is %v", got)
		}
		stay.Get("/api/admin", http.StatusNoContent)
	})
}

// TestFromMemory: the last process of the app before exports what it has in memory.
func TestFromMemory(t *testing.T) {
	memory, db := store.NewInMemoryRefreshTokenStore(), users(t)
	logIn := old(t, db, memory)
	ada, adas := logIn("ada")
	bob, bobs := logIn("bob")
	late, lates := logIn("bob")
	if err := db.AutoMigrate(&oldtokens.OldToken{}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again does no harm
		if err := before.Export(db, memory); err != nil {
			t.Fatal(err)
		}
	}
	moved(t, db, oldtokens.Legacy(db, soon), ada, bob, late)

	next := ada.Refresh(route, adas, http.StatusOK)
	ada.Get("/api/admin", http.StatusNoContent)
	ada.Refresh(route, next, http.StatusOK)
	ada.Refresh(route, "x", http.StatusUnauthorized)

	bob.Refresh(route, bobs, http.StatusOK)
	bob.Get("/api/admin", http.StatusForbidden)

	if err := oldtokens.Forget(t.Context(), db, "bob"); err != nil { // a new password
		t.Fatal(err)
	}
	late.Refresh(route, lates, http.StatusUnauthorized)
}

// TestItEnds: from an instant on, old tokens are refused.
func TestItEnds(t *testing.T) {
	memory, db := store.NewInMemoryRefreshTokenStore(), users(t)
	ada, adas := old(t, db, memory)("ada")
	if err := db.AutoMigrate(&oldtokens.OldToken{}); err != nil {
		t.Fatal(err)
	}
	if err := before.Export(db, memory); err != nil {
		t.Fatal(err)
	}
	moved(t, db, oldtokens.Legacy(db, time.Now()), ada)
	ada.Refresh(route, adas, http.StatusUnauthorized)

	ended := after.FromRedis(memory, time.Now())
	if _, err := ended(t.Context(), adas); err == nil {
		t.Error("it did not end")
	}
}

// TestFailureSpendsNothing: while Redis is down, the answer is a 500, and afterwards the token works.
func TestFailureSpendsNothing(t *testing.T) {
	stores, db := startRedis(t, 2), users(t)
	ada, adas := old(t, db, stores[0])("ada")
	_ = stores[1].Close()
	moved(t, db, after.FromRedis(stores[1], soon), ada)
	ada.Refresh(route, adas, http.StatusInternalServerError)
	moved(t, db, after.FromRedis(stores[0], soon), ada)
	ada.Refresh(route, adas, http.StatusOK)
}
