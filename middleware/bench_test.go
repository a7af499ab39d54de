package middleware_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// BenchmarkRequireAuth measures one request through Gin, without a network. A new token is one that this process has not seen
// yet, seen is the same token again and again, and off is the same without what is remembered. check is the bare signature check of
// golang-jwt, and parse its whole parse of an HS256 token.
func BenchmarkRequireAuth(b *testing.B) {
	answer := func(c *gin.Context) { c.Status(http.StatusOK) }
	router := gin.New()
	router.GET("/", answer)
	b.Run("without", func(b *testing.B) { benchRequests(b, router, nil) })
	for _, algorithm := range append([]string{"HS256"}, testhost.Algorithms...) {
		remembering := func(remember int) *testhost.Host {
			host := newHost(b, testhost.WithAccessKey(algorithm), func(config *refreshtokens.Config) { config.RememberTokens = remember })
			host.Router.GET("/", host.RequireAuth(), answer)
			return host
		}
		host := remembering(0)
		token := host.Login("alice").Access.Token
		b.Run(algorithm+"/seen", func(b *testing.B) { benchRequests(b, host.Router, []string{token}) })
		b.Run(algorithm+"/off", func(b *testing.B) { benchRequests(b, remembering(-1).Router, []string{token}) })
		b.Run(algorithm+"/new", func(b *testing.B) { benchNewTokens(b, algorithm) })
		b.Run(algorithm+"/check", func(b *testing.B) { benchCheck(b, token, algorithm) })
		if algorithm == "HS256" {
			b.Run(algorithm+"/parse", func(b *testing.B) { benchParse(b, host, token) })
		}
	}
}

// benchRequests sends requests with the tokens in turn.
func benchRequests(b *testing.B, handler http.Handler, tokens []string) {
	b.Helper()
	request := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	recorder := httptest.NewRecorder()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if len(tokens) > 0 {
			request.Header["Authorization"] = []string{"Bearer " + tokens[i%len(tokens)]}
		}
		handler.ServeHTTP(recorder, request)
	}
	if recorder.Code != http.StatusOK {
		b.Fatal(recorder.Code)
	}
}

// benchNewTokens takes a host that has seen nothing for each batch of tokens.
func benchNewTokens(b *testing.B, algorithm string) {
	b.Helper()
	mint := newHost(b, testhost.WithAccessKey(algorithm))
	tokens := make([]string, 1000)
	for i := range tokens {
		tokens[i] = mint.Login("alice").Access.Token
	}
	request := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	recorder := httptest.NewRecorder()
	var router *gin.Engine
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(tokens) == 0 {
			b.StopTimer()
			host := newHost(b, testhost.WithAccessKey(algorithm))
			host.Router.GET("/", host.RequireAuth(), func(c *gin.Context) { c.Status(http.StatusOK) })
			router = host.Router
			b.StartTimer()
		}
		request.Header["Authorization"] = []string{"Bearer " + tokens[i%len(tokens)]}
		router.ServeHTTP(recorder, request)
	}
	if recorder.Code != http.StatusOK {
		b.Fatal(recorder.Code)
	}
}

func benchCheck(b *testing.B, token, algorithm string) {
	b.Helper()
	end := strings.LastIndexByte(token, '.')
	input, encoded := token[:end], token[end+1:]
	var key any = []byte(testhost.Secret)
	if algorithm != "HS256" {
		key = testhost.AccessKey(algorithm).Public()
	}
	method := jwt.GetSigningMethod(algorithm)
	for b.Loop() {
		signature, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil || method.Verify(input, signature, key) != nil {
			b.Fatal(err)
		}
	}
}

func benchParse(b *testing.B, host *testhost.Host, token string) {
	b.Helper()
	parser := jwt.NewParser(jwt.WithTimeFunc(host.Clock.Now))
	for b.Loop() {
		_, err := parser.ParseWithClaims(token, jwt.MapClaims{}, func(*jwt.Token) (any, error) { return []byte(testhost.Secret), nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}
