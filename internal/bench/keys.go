package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	newTokens = 2000 // of each algorithm
	batch     = 8    // requests that are timed together: short enough that most batches are not interrupted
	passes    = 5    // over all tokens, each with a process that has seen none
)

// algorithms measures RequireAuth with a token that is new and with one that was seen before, for each algorithm.
func (r *run) algorithms() {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	r.section("An access token, by algorithm", fmt.Sprintf("One goroutine, Gin around it. All five take turns in batches of %d, and the quickest batch counts. "+
		"The bare check is golang-jwt's check of the signature alone, the bare parse its whole parse of an HS256 token. A new token is one that "+
		"the process has not seen yet. A token that was seen before is remembered, unless `RememberTokens` turns that off.", batch),
		"", "bare check", "new token", "of the bare check", "not remembered", "seen before", "of the bare HS256 parse")
	for _, algorithm := range []struct {
		name string
		key  crypto.Signer
	}{
		{"HS256", nil},
		{"EdDSA", ed},
		{"ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))},
		{"RS256, 2048 bits", must(rsa.GenerateKey(rand.Reader, 2048))},
	} {
		best := measure(r.lite, algorithm.key)
		of := func(name, base string) string { return times(float64(best[name]) / float64(best[base])) }
		r.row(algorithm.name, micros(best["check"]), micros(best["new"]), of("new", "check"), micros(best["off"]), micros(best["seen"]), of("seen", "parse"))
	}
}

// measure returns the time of one request, or of one check, by name.
func measure(e *engine, key crypto.Signer) map[string]time.Duration {
	config := quiet(e.db)
	config.AccessKey = key
	route := func(remember int) http.Handler {
		config.RememberTokens = remember
		router := newRouter()
		router.GET("/", must(refreshtokens.New(config)).RequireAuth(), func(c *gin.Context) { c.Status(http.StatusOK) })
		return router
	}
	issuer := must(refreshtokens.New(config))
	config.AccessKey = nil
	parsed := must(must(refreshtokens.New(config)).Issue(context.Background(), subject, plugin.Device{})).Access.Token
	config.AccessKey = key
	var tokens [newTokens]string
	var headers [newTokens]http.Header
	for i := range tokens {
		tokens[i] = must(issuer.Issue(context.Background(), subject, plugin.Device{})).Access.Token
		headers[i] = http.Header{"Authorization": {"Bearer " + tokens[i]}}
	}

	request, recorder := httptest.NewRequest(http.MethodGet, "/", http.NoBody), httptest.NewRecorder()
	send := func(handler http.Handler, i int) {
		request.Header = headers[i]
		handler.ServeHTTP(recorder, request)
	}
	method, public := jwt.SigningMethod(jwt.SigningMethodHS256), any([]byte(secret))
	if key != nil {
		public = key.Public()
		method = jwt.GetSigningMethod(issuer.Service().PublicKeys()[0].Algorithm)
	}
	best := map[string]time.Duration{}
	run := func(name string, work func(i int)) {
		began := time.Now()
		for i := range batch {
			work(i)
		}
		if took := time.Since(began) / batch; best[name] == 0 || took < best[name] {
			best[name] = took
		}
	}
	seen, off := route(0), route(-1)
	for range passes {
		fresh := route(0)
		for at := 0; at < newTokens; at += batch {
			// Unmeasured: the tokens are in the processor's cache when they come from a network, too.
			for i := range batch {
				_ = strings.Count(headers[at+i].Get("Authorization"), ".")
			}
			contenders := []struct {
				name string
				work func(i int)
			}{
				{"new", func(i int) { send(fresh, at+i) }},
				{"off", func(i int) { send(off, at+i) }},
				{"seen", func(int) { send(seen, 0) }},
				{"check", func(i int) {
					end := strings.LastIndexByte(tokens[at+i], '.')
					signature := must(base64.RawURLEncoding.DecodeString(tokens[at+i][end+1:]))
					if err := method.Verify(tokens[at+i][:end], signature, public); err != nil {
						log.Fatal(err)
					}
				}},
				{"parse", func(int) { must(jwt.Parse(parsed, func(*jwt.Token) (any, error) { return []byte(secret), nil })) }},
			}
			for i := range contenders { // the one before matters: it fills the processor's caches
				c := contenders[(i+at/batch)%len(contenders)]
				run(c.name, c.work)
			}
		}
	}
	if recorder.Code != http.StatusOK {
		log.Fatal(recorder.Code)
	}
	return best
}
