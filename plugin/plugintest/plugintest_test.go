package plugintest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/plugintest"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

func newRouter() *gin.Engine {
	gin.SetMode(gin.TestMode)
	router := gin.New()
	answer := func(c *gin.Context) { c.String(http.StatusOK, middleware.Subject(c)) }
	admin := middleware.Allow(func(claims token.Claims) bool {
		var custom struct{ Role string }
		return claims.Decode(&custom) == nil && custom.Role == "admin"
	})
	router.GET("/bare", answer)
	router.GET("/me", middleware.RequireAuth(plugintest.Verifier{}, middleware.LiveSession()), answer)
	router.GET("/admin", middleware.RequireAuth(plugintest.Verifier{}, admin), answer)
	return router
}

func TestLogIn(t *testing.T) {
	router := newRouter()
	for _, row := range []struct {
		path   string
		claims map[string]any
		anyone bool // not logged in
		status int
		body   string
	}{
		{path: "/bare", status: 200, body: "alice"},
		{path: "/bare", anyone: true, status: 200},
		{path: "/me", status: 200, body: "alice"},
		{path: "/me", anyone: true, status: 401, body: `{"code":401,"message":"Please Authenticate"}`},
		{path: "/admin", claims: map[string]any{"role": "admin"}, status: 200, body: "alice"},
		{path: "/admin", claims: map[string]any{"role": "user"}, status: 403, body: `{"code":403,"message":"Forbidden"}`},
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, row.path, http.NoBody)
		if !row.anyone {
			request = plugintest.LogIn(request, "alice", row.claims)
		}
		recorder := httptest.NewRecorder()
		router.ServeHTTP(recorder, request)
		if recorder.Code != row.status || recorder.Body.String() != row.body {
			t.Errorf("%+v: answered %d %s", row, recorder.Code, recorder.Body)
		}
	}
}

func TestLogInRefusesReservedClaims(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("sub was overridden")
		}
	}()
	plugintest.LogIn(httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody), "alice", map[string]any{"sub": "bob"})
}

// TestWhatIsCompiled: neither tests of handlers nor a service that only verifies compile GORM or a driver.
func TestWhatIsCompiled(t *testing.T) {
	for _, path := range []string{".", "../token", "../../middleware"} {
		output, err := exec.Command("go", "list", "-deps", path).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		for dependency := range strings.Lines(string(output)) {
			if strings.HasPrefix(dependency, "gorm.io/") || strings.TrimSpace(dependency) == "database/sql" {
				t.Errorf("%s compiles %s", path, dependency)
			}
		}
	}
}
