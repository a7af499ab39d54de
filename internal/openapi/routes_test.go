package openapi_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/docs"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestRoutes: every route that the library registers is described, and every one that is described is registered.
func TestRoutes(t *testing.T) {
	cookies := refreshtokens.WithCookies(refreshtokens.Cookies{AccessToken: true})
	bound := refreshtokens.WithBinding(refreshtokens.Binding{Policy: plugin.BindingIfOffered})
	for name, row := range map[string]struct {
		settings docs.Settings
		register func(*refreshtokens.Plugin, gin.IRouter)
	}{
		"everything": {everything, func(auth *refreshtokens.Plugin, router gin.IRouter) {
			auth.Register(router.Group("/v1"), bound)
			auth.Register(router.Group("/web"), cookies, bound)
			auth.RegisterJWKS(router)
		}},
		"bodies": {docs.Settings{Bodies: "/"}, func(auth *refreshtokens.Plugin, router gin.IRouter) {
			auth.Register(router)
		}},
		"cookies": {docs.Settings{Cookies: "/app"}, func(auth *refreshtokens.Plugin, router gin.IRouter) {
			auth.Register(router.Group("/app"), cookies)
		}},
		"a group with parameters": {docs.Settings{Bodies: "/orgs/:id"}, func(auth *refreshtokens.Plugin, router gin.IRouter) {
			auth.Register(router.Group("/orgs/:id"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}))
			router := gin.New()
			row.register(host.Plugin, router)
			registered := map[string]bool{}
			for _, route := range router.Routes() {
				if strings.HasSuffix(route.Path, "/refresh-tokens/") {
					continue // the empty id, which is described with the others
				}
				registered[route.Method+" "+templated(route.Path)] = true
			}
			got := slices.Sorted(maps.Keys(describe(t, row.settings).operation))
			if want := slices.Sorted(maps.Keys(registered)); !slices.Equal(got, want) {
				t.Errorf("described:  %q\nregistered: %q", got, want)
			}
		})
	}
}

// templated returns a route's path in OpenAPI's form.
func templated(path string) string {
	if before, found := strings.CutSuffix(path, "/refresh-tokens/:id"); found {
		path = before + "/refresh-tokens/{sessionId}"
	}
	return strings.ReplaceAll(path, "/:id/", "/{id}/")
}
