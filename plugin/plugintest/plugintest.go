// Package plugintest helps a host to test its own handlers, without a database: requests that are logged in, and a clock.
//
// A handler alone needs a request from [LogIn]. A router with RequireAuth in it needs a [Verifier] in place of the Plugin:
//
//	router.GET("/me", middleware.RequireAuth(plugintest.Verifier{}), me)
//	router.ServeHTTP(recorder, plugintest.LogIn(request, "alice", map[string]any{"role": "admin"}))
package plugintest

import (
	"context"
	"net/http"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// SessionID is the session of every request that [LogIn] logs in.
const SessionID = "00000000-0000-7000-8000-000000000000"

// secret signs tokens that nothing but a Verifier of this package accepts.
const secret = "the secret of plugintest, which signs nothing but tests"

// LogIn logs the request in as subject, and returns it. A handler then finds the subject and the claims as it does behind
// RequireAuth, and a [Verifier] accepts the request's Authorization header for 15 minutes. claims may be nil.
//
// It panics for claims that the Claims callback may not return either: that is a mistake in the test.
func LogIn(request *http.Request, subject string, claims map[string]any) *http.Request {
	now := time.Now()
	payload, err := jose.Merge(jose.Registered{
		Subject: subject, SessionID: SessionID, Type: jose.TypeAccess,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(15 * time.Minute).Unix(), AuthTime: now.Unix(),
	}, nil, claims)
	if err != nil {
		panic("plugintest: " + err.Error())
	}
	accessToken := jose.NewKey([]byte(secret)).Sign(payload)
	verified, err := Verifier{}.VerifyAccess(accessToken)
	if err != nil {
		panic("plugintest: " + err.Error())
	}
	request.Header.Set("Authorization", "Bearer "+accessToken)
	httpapi.SetClaims(request, verified)
	return request
}

// Verifier stands in for a Plugin in middleware.RequireAuth. It accepts what [LogIn] made, and says that every session
// lives.
type Verifier struct{}

// VerifyAccess is part of middleware.Verifier.
func (Verifier) VerifyAccess(accessToken string) (token.Claims, error) {
	verifier, err := token.NewVerifier(token.Config{Secret: []byte(secret)})
	if err != nil {
		return token.Claims{}, err
	}
	return verifier.VerifyAccess(accessToken)
}

// SessionLives is part of middleware.Sessions.
func (Verifier) SessionLives(context.Context, string, string, time.Duration) (bool, error) {
	return true, nil
}
