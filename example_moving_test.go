package refreshtokens_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// Users stay logged in when an app moves here: the first refresh with a token of the old system starts a session.
func ExampleConfig_legacy() {
	oldTokens := map[string]string{"a token of the old system": "alice"} // more likely a table
	until := time.Now().Add(30 * 24 * time.Hour)                         // more likely a date
	auth, done := examplePlugin(func(config *refreshtokens.Config) {
		config.Legacy = func(_ context.Context, token string) (string, error) {
			subject, known := oldTokens[token]
			if !known || time.Now().After(until) {
				return "", plugin.ErrInvalidToken
			}
			return subject, nil
		}
	})
	defer done()
	device := refreshtokens.Device{UserAgent: "Firefox", IP: "192.0.2.1"}

	tokens, err := auth.Refresh(context.Background(), "a token of the old system", device)
	if err != nil {
		panic(err)
	}
	claims, err := auth.VerifyAccess(tokens.Access.Token)
	fmt.Println(claims.Subject, err)

	again, err := auth.Refresh(context.Background(), "a token of the old system", device) // another tab
	fmt.Println("the same:", again.Refresh == tokens.Refresh, err)

	_, err = auth.Refresh(context.Background(), "unknown", device)
	fmt.Println(http.StatusUnauthorized, err)

	// Output:
	// alice <nil>
	// the same: true <nil>
	// 401 invalid token: the Legacy callback refused it
}
