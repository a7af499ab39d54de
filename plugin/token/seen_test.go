package token_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

func newHost(t testing.TB, configure ...func(*refreshtokens.Config)) *testhost.Host {
	return testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), configure...)
}

// keySource is a source whose keys a test changes.
type keySource struct {
	keys  map[string]crypto.PublicKey
	err   error
	asked atomic.Int64
}

func (s *keySource) PublicKey(kid string) (crypto.PublicKey, error) {
	s.asked.Add(1)
	if s.err != nil {
		return nil, s.err
	}
	if key, ok := s.keys[kid]; ok {
		return key, nil
	}
	return nil, token.ErrInvalid
}

func sourceOf(t testing.TB, keys ...crypto.Signer) *keySource {
	t.Helper()
	s := &keySource{keys: map[string]crypto.PublicKey{}}
	for _, key := range keys {
		public, err := token.NewPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		s.keys[public.ID] = public.Key
	}
	return s
}

func newVerifier(t testing.TB, config token.Config) *token.Verifier {
	t.Helper()
	verifier, err := token.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// TestRememberedTokenEndsWithItsTime, and with its leeway.
func TestRememberedTokenEndsWithItsTime(t *testing.T) {
	for _, algorithm := range append([]string{"HS256"}, testhost.Algorithms...) {
		for _, leeway := range []time.Duration{0, time.Minute} {
			host := newHost(t, testhost.WithAccessKey(algorithm), func(config *refreshtokens.Config) { config.Leeway = leeway })
			access := host.Login("alice").Access.Token
			for range 3 {
				if claims, err := host.VerifyAccess(access); err != nil || claims.Subject != "alice" {
					t.Fatal(claims, err)
				}
			}
			host.Clock.Advance(15*time.Minute + leeway - time.Second)
			if _, err := host.VerifyAccess(access); err != nil {
				t.Error(err)
			}
			host.Clock.Advance(time.Second)
			for range 2 {
				if claims, err := host.VerifyAccess(access); !errors.Is(err, token.ErrExpired) || claims.Subject != "" {
					t.Errorf("%s: %+v, %v", algorithm, claims, err)
				}
			}
		}
	}
}

// TestRememberedTokenEndsWithItsKey: what a source has withdrawn, or replaced, counts no more.
func TestRememberedTokenEndsWithItsKey(t *testing.T) {
	key := testhost.AccessKey("EdDSA")
	host := newHost(t, testhost.WithAccessKey("EdDSA"))
	access := host.Login("alice").Access.Token
	source := sourceOf(t, key)
	verifier := newVerifier(t, token.Config{KeySource: source, Clock: host.Clock.Now})
	for range 2 {
		if _, err := verifier.VerifyAccess(access); err != nil {
			t.Fatal(err)
		}
	}
	kept := source.keys
	source.keys = nil
	if _, err := verifier.VerifyAccess(access); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("a withdrawn key: %v", err)
	}
	source.keys = kept
	if _, err := verifier.VerifyAccess(access); err != nil {
		t.Errorf("the key is back: %v", err)
	}
	for kid := range kept { // a source that lies
		source.keys = map[string]crypto.PublicKey{kid: testhost.NewAccessKey(t, "EdDSA").Public()}
	}
	if _, err := verifier.VerifyAccess(access); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another key of the same kid: %v", err)
	}
	source.err = errors.New("the source is broken")
	if _, err := verifier.VerifyAccess(access); err == nil || errors.Is(err, token.ErrInvalid) {
		t.Errorf("a broken source: %v", err)
	}
}

// TestRememberedTokenIsTheWholeToken: one that differs in a bit is another.
func TestRememberedTokenIsTheWholeToken(t *testing.T) {
	host := newHost(t, testhost.WithAccessKey("ES256"))
	access := host.Login("alice").Access.Token
	if _, err := host.VerifyAccess(access); err != nil {
		t.Fatal(err)
	}
	for i := range access {
		changed := []byte(access)
		changed[i] ^= 1
		for _, twisted := range []string{string(changed), access[:i]} {
			if _, err := host.VerifyAccess(twisted); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("changed at %d: %v", i, err)
			}
		}
	}
}

// TestRememberedClaimsAreNobodysToChange: a handler that changes what it decoded changes it for itself.
func TestRememberedClaimsAreNobodysToChange(t *testing.T) {
	host := newHost(t, testhost.WithAccessKey("EdDSA"))
	access := host.Login("alice").Access.Token
	for range 3 {
		claims, err := host.VerifyAccess(access)
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := claims.Decode(&all); err != nil || all["sub"] != "alice" {
			t.Fatal(all, err)
		}
		all["sub"], claims.Subject = "root", "root"
	}
}

// TestNothingRemembered: off means that each request is a signature check. The source counts them.
func TestNothingRemembered(t *testing.T) {
	host := newHost(t, testhost.WithAccessKey("EdDSA"))
	good := host.Login("alice").Access.Token
	bad := good[:len(good)-3] + "AAA"
	for _, remember := range []int{-1, 0, 1} {
		verifier := newVerifier(t, token.Config{KeySource: sourceOf(t, testhost.AccessKey("EdDSA")), Clock: host.Clock.Now, Remember: remember})
		for range 3 {
			if _, err := verifier.VerifyAccess(good); err != nil {
				t.Error(err)
			}
			if _, err := verifier.VerifyAccess(bad); err == nil {
				t.Error("a bad token was accepted")
			}
		}
	}
}

// TestRememberingIsBounded: many more tokens than are remembered are all verified.
func TestRememberingIsBounded(t *testing.T) {
	host := newHost(t, testhost.WithAccessKey("EdDSA"), func(config *refreshtokens.Config) { config.RememberTokens = 10 })
	for i := range 200 {
		subject := fmt.Sprint("user ", i)
		access := host.Login(subject).Access.Token
		for range 2 {
			if claims, err := host.VerifyAccess(access); err != nil || claims.Subject != subject {
				t.Fatal(claims, err)
			}
		}
	}
}

// TestRememberedTokenStandsInForNoLookUp: LiveSession asks the database for a token that was seen before, too.
func TestRememberedTokenStandsInForNoLookUp(t *testing.T) {
	for _, algorithm := range append([]string{"HS256"}, testhost.Algorithms...) {
		host := newHost(t, testhost.WithAccessKey(algorithm))
		host.Router.GET("/live", host.RequireAuth(middleware.LiveSession()), func(c *gin.Context) { c.Status(http.StatusOK) })
		access := host.Login("alice").Access.Token
		for range 3 {
			testhost.WantAnswer(t, host.Bearer(http.MethodGet, "/live", access), http.StatusOK, "")
		}
		if looked := host.Stats().LiveLookups; looked != 3 {
			t.Errorf("%s: %d look-ups for 3 requests", algorithm, looked)
		}
		if err := host.RevokeAll(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		testhost.WantUnauthorized(t, host.Bearer(http.MethodGet, "/live", access), testhost.InvalidToken)
		testhost.WantAnswer(t, host.Bearer(http.MethodGet, testhost.MePath, access), http.StatusOK, "alice") // until it expires
	}
}

// TestSourceIsAskedForOurKidsOnly: what else a header holds reaches no source, and so no network.
func TestSourceIsAskedForOurKidsOnly(t *testing.T) {
	host := newHost(t, testhost.WithAccessKey("EdDSA"))
	good := host.Login("alice").Access.Token
	source := sourceOf(t)
	verifier := newVerifier(t, token.Config{KeySource: source, Clock: host.Clock.Now})
	for _, header := range []string{
		`{"alg":"EdDSA","typ":"JWT","kid":"../../etc/passwd"}`, `{"alg":"EdDSA","typ":"JWT","kid":"http://127.0.0.1/"}`, `{"alg":"EdDSA","typ":"JWT","kid":""}`,
		`{"alg":"EdDSA","typ":"JWT","kid":"` + strings.Repeat("A", 42) + `"}`, `{"alg":"EdDSA","typ":"JWT","kid":"` + strings.Repeat("A", 44) + `"}`,
		`{"alg":"EdDSA","typ":"JWT","kid":"` + strings.Repeat("A", 42) + `/"}`, `{"alg":"EdDSA","typ":"JWT","kid":"` + strings.Repeat("A", 42) + `B"}`,
		`{"alg":"none","typ":"JWT","kid":"` + strings.Repeat("A", 43) + `"}`, `{"alg":"HS256","typ":"JWT","kid":"` + strings.Repeat("A", 43) + `"}`,
		`{"alg":"EdDSA","typ":"JOSE","kid":"` + strings.Repeat("A", 43) + `"}`, `{"alg":"HS256","typ":"JWT"}`, `{}`, ``, `null`,
		`{"alg":"EdDSA","typ":"JWT","kid":"` + strings.Repeat("A", 43) + `"} `,
	} {
		twisted := testhost.Sign(encode(header), "{}", nil)
		if _, err := verifier.VerifyAccess(twisted); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %v", header, err)
		}
		if asked := source.asked.Swap(0); asked > 0 {
			t.Errorf("%s reached the source", header)
		}
	}
	if _, err := verifier.VerifyAccess(good); !errors.Is(err, token.ErrInvalid) || source.asked.Load() != 1 {
		t.Errorf("a kid of ours: %v, asked %d times", err, source.asked.Load())
	}
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// TestSourceThatMixesKeysUp: a key verifies only what names it by its own thumbprint, and its own algorithm.
func TestSourceThatMixesKeysUp(t *testing.T) {
	host := newHost(t, testhost.WithAccessKey("EdDSA"))
	good := host.Login("alice").Access.Token
	payload := strings.Split(good, ".")[1]
	right, other := testhost.AccessKey("EdDSA").(ed25519.PrivateKey), testhost.NewAccessKey(t, "EdDSA").(ed25519.PrivateKey)
	source := sourceOf(t, right)
	kid := slices.Collect(maps.Keys(source.keys))[0]
	sign := func(key ed25519.PrivateKey, header string) string {
		input := encode(header) + "." + payload
		return input + "." + encode(string(ed25519.Sign(key, []byte(input))))
	}
	verify := func(access string) error {
		_, err := newVerifier(t, token.Config{KeySource: source, Clock: host.Clock.Now}).VerifyAccess(access)
		return err
	}
	header := `{"alg":"EdDSA","typ":"JWT","kid":"` + kid + `"}`
	if err := verify(sign(right, header)); err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range []string{"ES256", "RS256"} {
		if err := verify(sign(right, strings.Replace(header, "EdDSA", algorithm, 1))); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("an Ed25519 signature with alg %s: %v", algorithm, err)
		}
	}
	source.keys[kid] = other.Public()
	if err := verify(sign(other, header)); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("a key under the kid of another: %v", err)
	}
}
