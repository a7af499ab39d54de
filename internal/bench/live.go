package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// liveSessions measures a route that asks for a live session.
func (r *run) liveSessions() {
	r.section("A route that asks for a live session", "Over HTTP, `RequireAuth(LiveSession())`: the access token is verified, and its session looked up. The floor is "+
		"a Gin route with a bare `SELECT` by primary key, whose key is the `Authorization` header. Each client has a session of its own.",
		"server", "requests/s", "p50", "p99", "of the floor's requests/s")
	for _, e := range r.engines() {
		auth, addr := ours(e, defaultGrace)
		bare := &contender{addr: floor(e.floor), requests: authorized(mintFloor(e))}
		us := &contender{addr: addr, requests: authorized(func() string {
			return "Bearer " + must(auth.Issue(context.Background(), subject, plugin.Device{})).Access.Token
		})}
		r.compete(bare, us)
		f, o := bare.median(), us.median()
		r.result("floor, "+e.name, f)
		r.result("**refreshtokens**, "+e.name, o, times(o.speed(f)))
		r.atLeast("requests/s with LiveSession, of the floor's, "+e.name, o.speed(f), 0.95)
		r.number("live sessions, "+e.name+", /s", o.perSecond)
	}
	remembered := rememberedLive(r.lite)
	r.note(fmt.Sprintf("With `LiveSession(Within(time.Minute))` and a session that was asked for before, a request takes %s in one goroutine, "+
		"without a network, Gin around it.", micros(remembered)))
	r.atMost("a request with LiveSession that is remembered", float64(remembered)/1e3, 5, "µs")
}

// authorized gives each client an Authorization header of its own.
func authorized(mint func() string) func() []request {
	return func() []request {
		all := make([]request, clients)
		for i := range all {
			c := call{path: "/live", headers: []header{{"Authorization", mint()}}}
			all[i] = func(*answer) call { return c }
		}
		return all
	}
}

func rememberedLive(e *engine) time.Duration {
	auth := must(refreshtokens.New(quiet(e.db)))
	router := newRouter()
	router.GET("/", auth.RequireAuth(middleware.LiveSession(middleware.Within(time.Minute))), func(c *gin.Context) { c.Status(http.StatusOK) })
	request, recorder := httptest.NewRequest(http.MethodGet, "/", http.NoBody), httptest.NewRecorder()
	request.Header.Set("Authorization", "Bearer "+must(auth.Issue(context.Background(), subject, plugin.Device{})).Access.Token)
	result := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			router.ServeHTTP(recorder, request)
		}
		if recorder.Code != http.StatusOK {
			b.Fatal(recorder.Code)
		}
	})
	return time.Duration(result.NsPerOp())
}
