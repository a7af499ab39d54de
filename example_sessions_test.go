package refreshtokens_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// The user names a device at login, and finds the name in the list of sessions.
func ExamplePlugin_Issue_deviceName() {
	auth, done := examplePlugin(nil)
	defer done()
	_, err := auth.Issue(context.Background(), "alice", refreshtokens.Device{Name: "Ada's phone", UserAgent: "Safari"})
	sessions, _ := auth.Sessions(context.Background(), "alice")
	fmt.Println(err, sessions[0].Name)
	// Output: <nil> Ada's phone
}

// A tenant is chosen at login. It is in every access token of the session.
func ExamplePlugin_Issue_tenant() {
	auth, done := examplePlugin(nil)
	defer done()
	ctx := context.Background()
	tokens, _ := auth.Issue(ctx, "alice", refreshtokens.Device{}, plugin.WithData(map[string]any{"tenant": "acme"}))
	tokens, _ = auth.Refresh(ctx, tokens.Refresh.Token, refreshtokens.Device{})

	claims, _ := auth.VerifyAccess(tokens.Access.Token)
	var mine struct{ Tenant string }
	_ = claims.Decode(&mine)
	fmt.Println(mine.Tenant)
	// Output: acme
}

// How the user authenticated is in amr (RFC 8176) and acr (OpenID Connect Core §2).
func ExamplePlugin_Issue_amr() {
	auth, done := examplePlugin(nil)
	defer done()
	tokens, _ := auth.Issue(context.Background(), "alice", refreshtokens.Device{},
		plugin.WithData(map[string]any{"amr": []string{"pwd", "otp"}, "acr": "2"}))

	claims, _ := auth.VerifyAccess(tokens.Access.Token)
	var how struct {
		AMR []string
		ACR string
	}
	_ = claims.Decode(&how)
	fmt.Println(how.AMR, how.ACR)
	// Output: [pwd otp] 2
}

// An admin acts as a user, with the act claim of RFC 8693 §4.1. Claims refuses the session once the admin is one no longer.
func ExamplePlugin_Issue_impersonation() {
	admins := map[string]bool{"root": true}
	auth, done := examplePlugin(func(config *refreshtokens.Config) {
		config.Claims = func(_ context.Context, session refreshtokens.Session) (map[string]any, error) {
			act, impersonated := session.Data["act"].(map[string]any)
			if impersonated && !admins[act["sub"].(string)] {
				return nil, refreshtokens.ErrSubjectRefused
			}
			return nil, nil
		}
	})
	defer done()
	ctx := context.Background()
	tokens, _ := auth.Issue(ctx, "alice", refreshtokens.Device{},
		plugin.WithData(map[string]any{"act": map[string]any{"sub": "root"}}), plugin.WithSessionTTL(time.Hour))
	tokens, err := auth.Refresh(ctx, tokens.Refresh.Token, refreshtokens.Device{})
	fmt.Println(err)

	delete(admins, "root")
	_, err = auth.Refresh(ctx, tokens.Refresh.Token, refreshtokens.Device{})
	fmt.Println(err)
	// Output:
	// <nil>
	// subject refused
}

// Without "remember me", a session ends after eight hours, however much it is used.
func ExamplePlugin_Issue_rememberMe() {
	auth, done := examplePlugin(nil)
	defer done()
	tokens, _ := auth.Issue(context.Background(), "alice", refreshtokens.Device{}, plugin.WithSessionTTL(8*time.Hour))
	fmt.Println(time.Until(tokens.Refresh.Expires.Time).Round(time.Minute))
	// Output: 8h0m0s
}

// A user may have five devices. A sixth login ends the session that was used least recently.
func ExampleConfig_maxSessions() {
	auth, done := examplePlugin(func(config *refreshtokens.Config) { config.MaxSessions = 5 })
	defer done()
	for range 6 {
		_, _ = auth.Issue(context.Background(), "alice", refreshtokens.Device{})
	}
	sessions, _ := auth.Sessions(context.Background(), "alice")
	fmt.Println(len(sessions))
	// Output: 5
}

// A dangerous route asks for a login of the last five minutes. Reauthenticate gives a token for it, after the host has checked
// the password again.
func ExamplePlugin_Reauthenticate() {
	clock := time.Now()
	auth, done := examplePlugin(func(config *refreshtokens.Config) { config.Clock = func() time.Time { return clock } })
	defer done()
	router := gin.New()
	router.DELETE("/account", auth.RequireAuth(middleware.AuthenticatedWithin(5*time.Minute)), func(c *gin.Context) { c.Status(http.StatusNoContent) })
	router.POST("/reauthenticate", auth.RequireAuth(), func(c *gin.Context) {
		claims, _ := refreshtokens.ClaimsOf(c) // once your own code has checked the password
		access, err := auth.Reauthenticate(c.Request.Context(), claims, plugin.WithData(map[string]any{"amr": []string{"pwd"}}))
		if err != nil {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		c.String(http.StatusOK, access.Token)
	})
	tokens, _ := auth.Issue(context.Background(), "alice", refreshtokens.Device{})
	clock = clock.Add(10 * time.Minute)

	answer := send(router, http.MethodDelete, "/account", tokens.Access.Token, "")
	fmt.Println(answer.Code, answer.Header().Get("WWW-Authenticate"))
	elevated := send(router, http.MethodPost, "/reauthenticate", tokens.Access.Token, "").Body.String()
	fmt.Println(send(router, http.MethodDelete, "/account", elevated, "").Code)
	// Output:
	// 401 Bearer error="insufficient_user_authentication", max_age="300"
	// 204
}

// Scope asks for names in the token's scope claim.
func ExamplePlugin_RequireAuth_scope() {
	auth, done := examplePlugin(nil)
	defer done()
	router := gin.New()
	router.GET("/mail", auth.RequireAuth(middleware.Scope("mail.read")), func(c *gin.Context) { c.Status(http.StatusOK) })
	for _, scope := range []string{"mail.read mail.send", "profile"} {
		tokens, _ := auth.Issue(context.Background(), "alice", refreshtokens.Device{}, plugin.WithData(map[string]any{"scope": scope}))
		answer := send(router, http.MethodGet, "/mail", tokens.Access.Token, "")
		fmt.Printf("%d %q\n", answer.Code, answer.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// 200 ""
	// 403 "Bearer error=\"insufficient_scope\", scope=\"mail.read\""
}

// Optional serves strangers too. A bad token is still refused.
func ExamplePlugin_RequireAuth_optional() {
	auth, done := examplePlugin(nil)
	defer done()
	router := gin.New()
	router.GET("/", auth.RequireAuth(middleware.Optional()), func(c *gin.Context) { c.String(http.StatusOK, "hello %q", refreshtokens.Subject(c)) })
	tokens, _ := auth.Issue(context.Background(), "alice", refreshtokens.Device{})
	for _, accessToken := range []string{"", tokens.Access.Token, "bad"} {
		answer := send(router, http.MethodGet, "/", accessToken, "")
		fmt.Println(answer.Code, answer.Body)
	}
	// Output:
	// 200 hello ""
	// 200 hello "alice"
	// 401 {"code":401,"message":"Please Authenticate"}
}

// Within spares most look-ups of LiveSession. A log-out by the same process is still seen at once.
func ExamplePlugin_RequireAuth_within() {
	auth, done := examplePlugin(nil)
	defer done()
	router := gin.New()
	live := middleware.LiveSession(middleware.Within(5 * time.Second))
	router.GET("/", auth.RequireAuth(live), func(c *gin.Context) { c.Status(http.StatusOK) })
	tokens, _ := auth.Issue(context.Background(), "alice", refreshtokens.Device{})
	for range 3 {
		send(router, http.MethodGet, "/", tokens.Access.Token, "")
	}
	stats := auth.Service().Stats()
	_ = auth.Revoke(context.Background(), tokens.Refresh.Token)
	fmt.Println(stats.LiveCacheHits, "of", stats.LiveLookups, "from memory, then", send(router, http.MethodGet, "/", tokens.Access.Token, "").Code)
	// Output: 2 of 3 from memory, then 401
}

// A ban ends every session of a user. Together with Claims, which refuses the next login and refresh, and LiveSession, which
// refuses the access tokens, it takes effect at once.
func ExamplePlugin_RevokeAll() {
	auth, done := examplePlugin(nil)
	defer done()
	ctx := context.Background()
	tokens, _ := auth.Issue(ctx, "mallory", refreshtokens.Device{})
	err := auth.RevokeAll(ctx, "mallory")
	_, refused := auth.Refresh(ctx, tokens.Refresh.Token, refreshtokens.Device{})
	fmt.Println(err, "-", refused)
	// Output: <nil> - session revoked: for revoked
}

// Forget erases a subject: rows, addresses and user agents.
func ExamplePlugin_Forget() {
	auth, done := examplePlugin(nil)
	defer done()
	_, _ = auth.Issue(context.Background(), "alice", refreshtokens.Device{IP: "192.0.2.1"})
	fmt.Println(auth.Forget(context.Background(), "alice"))
	// Output: 1 <nil>
}

// An admin's program lists and ends sessions with the database alone. It needs no secret.
func Example_admin() {
	db, done := exampleDB()
	defer done()
	auth, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: exampleSecret})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	_, _ = auth.Issue(ctx, "alice", refreshtokens.Device{Name: "a stolen phone"})

	admin, err := plugin.NewAdmin(plugin.AdminConfig{DB: db})
	if err != nil {
		panic(err)
	}
	sessions, _ := admin.Sessions(ctx, "alice")
	fmt.Println(sessions[0].Name, admin.RevokeSession(ctx, "alice", sessions[0].ID))
	// Output: a stolen phone <nil>
}
