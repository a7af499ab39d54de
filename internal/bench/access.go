package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/jwtauth/v5"
	"github.com/golang-jwt/jwt/v5"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// accessTokens measures how long it takes to verify one access token, without a network.
func (r *run) accessTokens() {
	r.middlewares()
	r.algorithms()
}

func (r *run) middlewares() {
	auth := must(refreshtokens.New(quiet(r.lite.db)))
	token := must(auth.Issue(context.Background(), subject, plugin.Device{})).Access.Token
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

	router := newRouter()
	router.GET("/", auth.RequireAuth(), func(c *gin.Context) { c.Status(http.StatusOK) })
	empty := newRouter()
	empty.GET("/", func(c *gin.Context) { c.Status(http.StatusOK) })
	chi := jwtauth.New("HS256", []byte(secret), nil)
	handler := jwtauth.Verifier(chi)(jwtauth.Authenticator(chi)(http.HandlerFunc(ok)))

	request := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	request.Header.Set("Authorization", "Bearer "+token)
	serving := func(h http.Handler) testing.BenchmarkResult {
		return testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			recorder := httptest.NewRecorder()
			for b.Loop() {
				h.ServeHTTP(recorder, request)
			}
		})
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}))
	key := func(*jwt.Token) (any, error) { return []byte(secret), nil }
	bare := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(parser.Parse(token, key))
		}
	})
	ginOnly := serving(empty)
	r.section("An access token", "One goroutine, HS256, the same token, which the process has seen before.",
		"", "time", "allocations", "of golang-jwt's time")
	for _, row := range []struct {
		name   string
		result testing.BenchmarkResult
	}{
		{"golang-jwt, a bare parse", bare},
		{"Gin, a route without middleware", ginOnly},
		{"**`RequireAuth`**, with Gin around it", serving(router)},
		{"gin-jwt's middleware, with Gin around it", serving(ginJWTRoute())},
		{"go-chi/jwtauth, without a router", serving(handler)},
	} {
		r.row(row.name, micros(time.Duration(row.result.NsPerOp())), strconv.FormatInt(row.result.AllocsPerOp(), 10),
			times(float64(row.result.NsPerOp())/float64(bare.NsPerOp())))
	}
}
