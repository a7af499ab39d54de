package dpop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/dpop"
)

// A service calls an API with a token that is bound to its key. The API asks for a nonce first; the Transport sees to it.
func Example() {
	asked := false
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !asked {
			asked = true
			w.Header().Set("DPoP-Nonce", "a nonce")
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Println(r.Method, r.URL, "with", r.Header.Get("Authorization"))
	}))
	defer api.Close()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	transport, err := dpop.New(key, nil)
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: transport.WithToken(func(*http.Request) (string, error) {
		return "an.access.token", nil // from the service's own store, refreshed by a client without WithToken
	})}
	response, err := client.Get(api.URL + "/reports")
	if err != nil {
		panic(err)
	}
	fmt.Println(response.StatusCode)
	_ = response.Body.Close()
	// Output:
	// GET /reports with DPoP an.access.token
	// 200
}
