package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

func BenchmarkRequireAuth(b *testing.B) {
	host := newHost(b)
	answer := func(c *gin.Context) { c.Status(http.StatusOK) }
	host.Router.GET("/with", host.RequireAuth(), answer)
	host.Router.GET("/without", answer)
	for _, path := range []string{"/with", "/without"} {
		b.Run(path[1:], func(b *testing.B) {
			request := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			request.Header.Set("Authorization", "Bearer "+host.Login("alice").Access.Token)
			recorder := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				host.Router.ServeHTTP(recorder, request)
			}
		})
	}
}
