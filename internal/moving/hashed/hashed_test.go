// Package hashed_test moves an app that has a table of hashed refresh tokens of its own, with users logged in.
package hashed_test

import (
	"net/http"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/hashed/after"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/hashed/before"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/movingtest"
)

const route = "/auth/refresh-tokens"

// logIn runs the app before on a new database, and logs Ada in n times.
func logIn(t *testing.T, n int) (*gorm.DB, *movingtest.Client, []string) {
	t.Helper()
	db := movingtest.SQLite(t)
	if err := db.AutoMigrate(&before.User{}, &before.RefreshToken{}); err != nil {
		t.Fatal(err)
	}
	if err := db.Create(&before.User{Email: "ada@example.com", PasswordHash: movingtest.Hash(t)}).Error; err != nil {
		t.Fatal(err)
	}
	client := movingtest.New(t, movingtest.Serve(t, before.App{DB: db, Key: []byte(movingtest.Secret)}.Router()))
	var tokens []string
	for range n {
		answer := client.Post("/auth/login", map[string]string{"email": "ada@example.com", "password": movingtest.Password}, http.StatusOK)
		tokens = append(tokens, movingtest.Text(answer, "refreshToken"))
		client.Access = movingtest.Text(answer, "accessToken")
	}
	client.Get("/me", http.StatusOK)
	return db, client, tokens
}

// move starts the app after, and lets the client go on with it.
func move(t *testing.T, db *gorm.DB, client *movingtest.Client, until time.Time) {
	t.Helper()
	if err := after.Migrate(db); err != nil {
		t.Fatal(err)
	}
	app, err := after.New(db, []byte(movingtest.Secret), until)
	if err != nil {
		t.Fatal(err)
	}
	client.MoveTo(movingtest.Serve(t, app))
}

func TestMove(t *testing.T) {
	db, client, tokens := logIn(t, 4)
	live, spent, leaving, late := tokens[0], tokens[1], tokens[2], tokens[3]
	next := movingtest.Text(client.Post("/auth/refresh", map[string]string{"refreshToken": spent}, http.StatusOK), "refreshToken")
	client.Post("/auth/refresh", map[string]string{"refreshToken": spent}, http.StatusUnauthorized)
	client.Post("/auth/logout", map[string]string{"refreshToken": leaving}, http.StatusNoContent)
	move(t, db, client, time.Now().Add(30*24*time.Hour))

	client.Get("/me", http.StatusUnauthorized) // the access token is the old app's, so the client refreshes
	first := client.Refresh(route, live, http.StatusOK)
	if got := client.Get("/me", http.StatusOK); movingtest.Text(got, "id") != "1" {
		t.Errorf("it is %v", got)
	}
	if again := client.Refresh(route, live, http.StatusOK); again != first { // another tab
		t.Error("two tabs got two refresh tokens")
	}
	client.Refresh(route, first, http.StatusOK)
	client.Refresh(route, spent, http.StatusUnauthorized)
	client.Refresh(route, leaving, http.StatusUnauthorized)
	client.Refresh(route, next, http.StatusOK)
	client.Post("/auth/logout", map[string]string{"refreshToken": late}, http.StatusNoContent)
	client.Refresh(route, late, http.StatusUnauthorized)

	answer := client.Post("/auth/login", map[string]string{"email": "ada@example.com", "password": movingtest.Password}, http.StatusOK)
	client.Refresh(route, movingtest.Text(answer, "refresh", "token"), http.StatusOK)
}

func TestLogOutEverywhere(t *testing.T) {
	db, client, tokens := logIn(t, 2)
	move(t, db, client, time.Now().Add(time.Hour))
	taken := client.Refresh(route, tokens[0], http.StatusOK)
	auth, err := refreshtokens.New(refreshtokens.Config{DB: db, Table: after.Table, Secret: []byte(movingtest.Secret)})
	if err != nil {
		t.Fatal(err)
	}
	if err := after.LogOutEverywhere(t.Context(), db, auth.Service(), 1); err != nil {
		t.Fatal(err)
	}
	for _, token := range append(tokens, taken) {
		client.Refresh(route, token, http.StatusUnauthorized)
	}
}

func TestItEnds(t *testing.T) {
	db, client, tokens := logIn(t, 1)
	move(t, db, client, time.Now())
	client.Refresh(route, tokens[0], http.StatusUnauthorized)
}

// TestDeletedUser: the Claims callback refuses who is gone.
func TestDeletedUser(t *testing.T) {
	db, client, tokens := logIn(t, 1)
	move(t, db, client, time.Now().Add(time.Hour))
	if err := db.Delete(&before.User{}, 1).Error; err != nil {
		t.Fatal(err)
	}
	client.Refresh(route, tokens[0], http.StatusUnauthorized)
}

// TestRollBack: whoever has not refreshed since the move is still logged in at the app before.
func TestRollBack(t *testing.T) {
	db, client, tokens := logIn(t, 2)
	move(t, db, client, time.Now().Add(time.Hour))
	client.Refresh(route, tokens[0], http.StatusOK)
	client.MoveTo(movingtest.Serve(t, before.App{DB: db, Key: []byte(movingtest.Secret)}.Router()))
	client.Post("/auth/refresh", map[string]string{"refreshToken": tokens[1]}, http.StatusOK)
}
