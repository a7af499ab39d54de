package supabase_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/movingtest"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/supabase"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

const route = "/auth/refresh-tokens"

// logIn adds a user and a session with a chain of refresh tokens, of which the last one is active. It returns the user's id.
func logIn(t *testing.T, db *gorm.DB, tokens ...string) string {
	t.Helper()
	user, session := uuid.NewString(), uuid.NewString()
	exec(t, db, "INSERT INTO auth.users (id, email) VALUES (?, ?)", user, user+"@example.com")
	exec(t, db, "INSERT INTO auth.sessions (id, user_id, created_at, updated_at, aal) VALUES (?, ?, now(), now(), 'aal1')", session, user)
	var parent any
	for i, token := range tokens {
		exec(t, db, "INSERT INTO auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, parent, session_id) VALUES (?, ?, ?, now(), now(), ?, ?)",
			token, user, i < len(tokens)-1, parent, session)
		parent = token
	}
	return user
}

func exec(t *testing.T, db *gorm.DB, statement string, args ...any) {
	t.Helper()
	if err := db.Exec(statement, args...).Error; err != nil {
		t.Fatal(err)
	}
}

// move starts the app after.
func move(t *testing.T, db *gorm.DB, until time.Time) (*movingtest.Client, *refreshtokens.Plugin) {
	t.Helper()
	if err := db.AutoMigrate(models.All()...); err != nil { // public.refresh_tokens, beside auth.refresh_tokens
		t.Fatal(err)
	}
	auth, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: []byte(movingtest.Secret), Legacy: supabase.Legacy(db, until)})
	if err != nil {
		t.Fatal(err)
	}
	router := gin.New()
	auth.Register(router)
	router.GET("/me", auth.RequireAuth(), func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"id": refreshtokens.Subject(c)}) })
	return movingtest.New(t, movingtest.Serve(t, router)), auth
}

func TestMove(t *testing.T) {
	db := newDatabase(t)
	ada := logIn(t, db, "Z1hY4pQkWm0b", "vu7tq3xk2yfa", "hq2nmc4t5bza")
	logIn(t, db, "pt5xk7aogq2e")
	client, _ := move(t, db, time.Now().Add(29*24*time.Hour))

	first := client.Refresh(route, "hq2nmc4t5bza", http.StatusOK)
	if got := client.Get("/me", http.StatusOK); movingtest.Text(got, "id") != ada {
		t.Errorf("it is %v", got)
	}
	if again := client.Refresh(route, "hq2nmc4t5bza", http.StatusOK); again != first { // another tab
		t.Error("two tabs got two refresh tokens")
	}
	client.Refresh(route, first, http.StatusOK)
	client.Refresh(route, "vu7tq3xk2yfa", http.StatusUnauthorized) // its parent
	client.Refresh(route, "HQ2NMC4T5BZA", http.StatusUnauthorized)

	client.Post("/auth/logout", map[string]string{"refreshToken": "pt5xk7aogq2e"}, http.StatusNoContent)
	client.Refresh(route, "pt5xk7aogq2e", http.StatusUnauthorized)
}

func TestWhoIsRefused(t *testing.T) {
	db := newDatabase(t)
	client, auth := move(t, db, time.Now().Add(29*24*time.Hour))
	for name, statement := range map[string]string{
		"banned":                 "UPDATE auth.users SET banned_until = now() + interval '1 hour'",
		"deleted":                "UPDATE auth.users SET deleted_at = now()",
		"really deleted":         "DELETE FROM auth.users",
		"session over":           "UPDATE auth.sessions SET not_after = now() - interval '1 second'",
		"signed out":             "DELETE FROM auth.sessions",
		"token revoked":          "UPDATE auth.refresh_tokens SET revoked = true",
		"older than the session": "UPDATE auth.refresh_tokens SET session_id = NULL",
	} {
		exec(t, db, "DELETE FROM auth.users")
		logIn(t, db, name)
		exec(t, db, statement)
		client.Refresh(route, name, http.StatusUnauthorized)
		exec(t, db, "DELETE FROM auth.refresh_tokens")
	}
	for name, statement := range map[string]string{
		"not revoked":       "UPDATE auth.refresh_tokens SET revoked = NULL",
		"banned before":     "UPDATE auth.users SET banned_until = now() - interval '1 hour'",
		"session with time": "UPDATE auth.sessions SET not_after = now() + interval '1 hour'",
	} {
		logIn(t, db, name)
		exec(t, db, statement)
		client.Refresh(route, name, http.StatusOK)
	}
	user := logIn(t, db, "first")
	if err := supabase.LogOutEverywhere(t.Context(), db, auth.Service(), user); err != nil {
		t.Fatal(err)
	}
	client.Refresh(route, "first", http.StatusUnauthorized)
}

func TestItEnds(t *testing.T) {
	db := newDatabase(t)
	logIn(t, db, "hq2nmc4t5bza")
	client, _ := move(t, db, time.Now())
	client.Refresh(route, "hq2nmc4t5bza", http.StatusUnauthorized)
}

// TestTheLookUpIsByIndex: a stranger's guess must not scan the table.
func TestTheLookUpIsByIndex(t *testing.T) {
	db := newDatabase(t)
	exec(t, db, "INSERT INTO auth.refresh_tokens (token, revoked) SELECT 'token ' || n, false FROM generate_series(1, 20000) n")
	exec(t, db, "ANALYZE auth.refresh_tokens")
	var plan []string
	if err := db.Raw("EXPLAIN "+supabase.LookUp, "token 7").Scan(&plan).Error; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(plan, "\n"), "refresh_tokens_token_unique") {
		t.Errorf("the plan is %v", plan)
	}
}
