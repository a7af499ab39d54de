package conformance_test

import (
	"crypto"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// TestKeySet: public members only, the key that signs first, and headers that let it be cached for five minutes.
func TestKeySet(t *testing.T) {
	members := map[string][]string{
		"EdDSA": {"alg", "crv", "kid", "kty", "use", "x"},
		"ES256": {"alg", "crv", "kid", "kty", "use", "x", "y"},
		"RS256": {"alg", "e", "kid", "kty", "n", "use"},
	}
	for _, algorithm := range testhost.Algorithms {
		previous := testhost.NewAccessKey(t, "ES256")
		host := testhost.New(t, openSQLite(t), testhost.WithAccessKey(algorithm), func(config *refreshtokens.Config) {
			config.PreviousAccessKeys = []crypto.PublicKey{previous.Public()}
		})
		host.RegisterJWKS(host.Router)
		recorder := host.Do(http.MethodGet, refreshtokens.JWKSPath, nil)
		if recorder.Code != http.StatusOK || recorder.Header().Get("Content-Type") != "application/jwk-set+json" ||
			recorder.Header().Get("Cache-Control") != "public, max-age=300" || recorder.Header().Get("Pragma") != "" {
			t.Errorf("answered %d, %v", recorder.Code, recorder.Header())
		}
		var set struct{ Keys []map[string]string }
		if err := json.Unmarshal(recorder.Body.Bytes(), &set); err != nil || len(set.Keys) != 2 {
			t.Fatalf("%s: %v", recorder.Body, err)
		}
		for i, want := range []string{algorithm, "ES256"} {
			key := set.Keys[i]
			if got := slices.Sorted(maps.Keys(key)); !slices.Equal(got, members[want]) || key["use"] != "sig" || key["alg"] != want {
				t.Errorf("%s: key %d is %v", algorithm, i, key)
			}
		}
		if set.Keys[0]["kid"] != thumbprintOf(t, testhost.AccessKey(algorithm)) || set.Keys[1]["kid"] != thumbprintOf(t, previous) {
			t.Errorf("%s: the kids are no thumbprints: %s", algorithm, recorder.Body)
		}

		again := host.Do(http.MethodGet, refreshtokens.JWKSPath, nil, "If-None-Match", recorder.Header().Get("ETag"))
		if again.Code != http.StatusNotModified || again.Body.Len() > 0 || again.Header().Get("Cache-Control") == "" {
			t.Errorf("the same set answered %d %s", again.Code, again.Body)
		}

		// A library of others' verifies a token with nothing but this answer.
		var public jose.JSONWebKeySet
		if err := json.Unmarshal(recorder.Body.Bytes(), &public); err != nil {
			t.Fatal(err)
		}
		token := host.Login("alice").Access.Token
		signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		if payload, err := signed.Verify(public); err != nil || !strings.Contains(string(payload), `"sub":"alice"`) {
			t.Errorf("%s: %s, %v", algorithm, payload, err)
		}
	}
}

// TestKeySetOfASecret: there is nothing to publish, but for a key before its turn.
func TestKeySetOfASecret(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	host.RegisterJWKS(host.Router)
	testhost.WantAnswer(t, host.Do(http.MethodGet, refreshtokens.JWKSPath, nil), http.StatusOK, "")
	if body := host.Do(http.MethodGet, refreshtokens.JWKSPath, nil).Body.String(); body != `{"keys":[]}` {
		t.Errorf("the set is %s", body)
	}
	next := testhost.New(t, host.DB, func(config *refreshtokens.Config) {
		config.PreviousAccessKeys = []crypto.PublicKey{testhost.AccessKey("EdDSA").Public()}
	})
	next.RegisterJWKS(next.Router)
	if body := next.Do(http.MethodGet, refreshtokens.JWKSPath, nil).Body.String(); !strings.Contains(body, thumbprintOf(t, testhost.AccessKey("EdDSA"))) {
		t.Errorf("the set is %s", body)
	}
}
