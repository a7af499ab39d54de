package middleware_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

func newHost(t testing.TB, configure ...func(*refreshtokens.Config)) *testhost.Host {
	return testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), configure...)
}

// TestClaimsReachTheHost checks that a handler gets the claims from its *gin.Context, from the request's context and from a
// derived context, and can decode them into the host's own struct.
func TestClaimsReachTheHost(t *testing.T) {
	host := newHost(t, func(config *refreshtokens.Config) {
		config.Claims = func(context.Context, plugin.Session) (map[string]any, error) {
			return map[string]any{"role": "admin", "team": map[string]any{"id": 7}}, nil
		}
	})
	tokens := host.Login("alice")
	reached := false
	host.Router.GET("/", host.RequireAuth(), func(c *gin.Context) {
		reached = true
		derived, cancel := context.WithTimeout(c, time.Hour)
		defer cancel()
		for name, ctx := range map[string]context.Context{"gin": c, "request": c.Request.Context(), "derived": derived} {
			if got := middleware.Subject(ctx); got != "alice" {
				t.Errorf("%s: subject is %q", name, got)
			}
			claims, ok := middleware.Claims(ctx)
			if !ok || claims.Subject != "alice" || claims.SessionID != host.SessionID(tokens) {
				t.Errorf("%s: claims are %+v, %v", name, claims, ok)
			}
			now := host.Clock.Now().Unix()
			if claims.IssuedAt.Unix() != now || claims.AuthTime.Unix() != now || claims.ExpiresAt.Unix() != now+900 {
				t.Errorf("%s: instants are %v, %v, %v", name, claims.IssuedAt, claims.AuthTime, claims.ExpiresAt)
			}
			var custom struct {
				Role string
				Team struct{ ID int }
			}
			if err := claims.Decode(&custom); err != nil || custom.Role != "admin" || custom.Team.ID != 7 {
				t.Errorf("%s: custom claims are %+v, %v", name, custom, err)
			}
			var wrong struct{ Role int }
			if err := claims.Decode(&wrong); err == nil {
				t.Errorf("%s: Decode put a string into an int without an error", name)
			}
		}
	})
	host.Bearer(http.MethodGet, "/", tokens.Access.Token)
	if !reached {
		t.Fatal("the handler did not run")
	}
}

func TestNoClaimsWithoutRequireAuth(t *testing.T) {
	host := newHost(t)
	host.Router.GET("/", func(c *gin.Context) {
		if claims, ok := middleware.Claims(c); ok || claims.Subject != "" || middleware.Subject(c) != "" {
			t.Errorf("claims are %+v, %v", claims, ok)
		}
	})
	host.Bearer(http.MethodGet, "/", host.Login("alice").Access.Token)
}

// TestRefusedRequestsStopThere checks that no later handler runs after RequireAuth has refused a request.
func TestRefusedRequestsStopThere(t *testing.T) {
	host := newHost(t)
	host.Router.GET("/", host.RequireAuth(), func(*gin.Context) { t.Error("the handler ran") })
	host.Do(http.MethodGet, "/", nil)
	host.Bearer(http.MethodGet, "/", "x")
}

func TestLiveSession(t *testing.T) {
	host := newHost(t, func(config *refreshtokens.Config) {
		config.RefreshTTL, config.GracePeriod = time.Minute, 10*time.Second
	})
	host.Router.GET("/", host.RequireAuth(middleware.LiveSession()), func(c *gin.Context) { c.Status(http.StatusOK) })
	tokens := host.Login("alice")
	get := func() int { return host.Bearer(http.MethodGet, "/", tokens.Access.Token).Code }
	if got := get(); got != http.StatusOK {
		t.Errorf("a live session: answered %d, want 200", got)
	}
	if err := host.RevokeAll(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	if got := get(); got != http.StatusUnauthorized {
		t.Errorf("a revoked session: answered %d, want 401", got)
	}
	tokens = host.Login("alice")
	host.Clock.Advance(time.Minute)
	if got := get(); got != http.StatusUnauthorized {
		t.Errorf("an idle session: answered %d, want 401", got)
	}
}

// FuzzAuthorization checks that RequireAuth lets a header through only if it is the Bearer scheme, spaces and the good
// token.
func FuzzAuthorization(f *testing.F) {
	host := newHost(f)
	const marker = "TOKEN"
	for _, seed := range []string{"Bearer TOKEN", "bearer  TOKEN", "Bearer TOKEN ", "Basic TOKEN", "TOKEN", "Bearer", "Bearer TOKEN, Bearer TOKEN", "\x00Bearer TOKEN"} {
		f.Add(seed)
	}
	token := host.Login("alice").Access.Token
	f.Fuzz(func(t *testing.T, header string) {
		host := host.For(t)
		sent := strings.ReplaceAll(header, marker, token)
		recorder := host.Do(http.MethodGet, "/v1/me", nil, "Authorization", sent)
		scheme, rest, _ := strings.Cut(sent, " ")
		good := strings.EqualFold(scheme, "bearer") && strings.TrimLeft(rest, " ") == token
		want := http.StatusUnauthorized
		if good {
			want = http.StatusOK
		}
		if recorder.Code != want {
			t.Errorf("answered %d to %q, want %d", recorder.Code, header, want)
		}
	})
}
