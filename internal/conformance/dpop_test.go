package conformance_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	boundLogin   = "/bound/login"
	boundRefresh = "/bound/auth/refresh-tokens"
	boundLogout  = "/bound/auth/logout"
	boundMe      = "/bound/me"
	boundOnly    = "/bound/only"

	algs         = `algs="ES256 EdDSA Ed25519 RS256 PS256"`
	badProof     = `DPoP error="invalid_dpop_proof", ` + algs
	useNonce     = `DPoP error="use_dpop_nonce", ` + algs
	badDPoPToken = `DPoP error="invalid_token", ` + algs
)

// boundHost is a host whose sessions may be bound under /bound, beside those under /v1.
func boundHost(t testing.TB, db *gorm.DB, policy plugin.BindingPolicy, configure ...func(*refreshtokens.Config)) *testhost.Host {
	t.Helper()
	host := testhost.New(t, db, configure...)
	bound := host.Register(host.Router.Group("/bound"), refreshtokens.WithBinding(refreshtokens.Binding{Policy: policy}))
	host.Router.POST(boundLogin, bound.Protect, func(c *gin.Context) {
		var options []plugin.SessionOption
		switch c.Query("binding") {
		case "off":
			options = append(options, plugin.WithBinding(plugin.BindingOff))
		case "required":
			options = append(options, plugin.WithBinding(plugin.BindingRequired))
		}
		tokens, err := host.Issue(c.Request.Context(), c.DefaultQuery("subject", "alice"), refreshtokens.DeviceOf(c), options...)
		if errors.Is(err, plugin.ErrUnproven) {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		if err != nil {
			t.Error(err)
		}
		bound.WriteTokens(c, http.StatusOK, tokens)
	})
	answer := func(c *gin.Context) { c.String(http.StatusOK, middleware.Subject(c)) }
	host.Router.GET(boundMe, bound.RequireAuth(), answer)
	host.Router.GET(boundOnly, bound.RequireAuth(middleware.Bound()), answer)
	return host
}

// prover is a client with a key.
type prover struct {
	host  *testhost.Host
	key   *ecdsa.PrivateKey
	jwk   map[string]any
	nonce string
	mu    sync.Mutex
	count int
}

func newProver(t testing.TB, host *testhost.Host) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jose.JSONWebKey{Key: key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	p := &prover{host: host, key: key}
	if err := json.Unmarshal(text, &p.jwk); err != nil {
		t.Fatal(err)
	}
	return p
}

// proof signs a proof for a request with the last nonce.
func (p *prover) proof(method, path, accessToken string) string {
	p.mu.Lock()
	p.count++
	claims := jwt.MapClaims{
		"jti": fmt.Sprint("proof ", p.count), "htm": method, "htu": "http://example.com" + path, "iat": 1, "nonce": p.nonce,
	}
	p.mu.Unlock()
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["typ"], token.Header["jwk"] = "dpop+jwt", p.jwk
	signed, err := token.SignedString(p.key)
	if err != nil {
		panic(err)
	}
	return signed
}

// send sends a request with a proof, and once more if the answer wants another nonce.
func (p *prover) send(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	accessToken := ""
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Authorization" {
			accessToken = strings.TrimPrefix(headers[i+1], "DPoP ")
		}
	}
	if body != "" {
		headers = append(headers, "Content-Type", "application/json")
	}
	for range 2 {
		pathOnly, _, _ := strings.Cut(path, "?")
		all := append([]string{"DPoP", p.proof(method, pathOnly, accessToken)}, headers...)
		recorder := p.host.Do(method, path, strings.NewReader(body), all...)
		nonce := recorder.Header().Get("DPoP-Nonce")
		p.mu.Lock()
		fresh := nonce != "" && nonce != p.nonce
		if fresh {
			p.nonce = nonce
		}
		p.mu.Unlock()
		if recorder.Code != http.StatusBadRequest && recorder.Code != http.StatusUnauthorized || !fresh {
			return recorder
		}
	}
	panic("the nonce is never right")
}

func (p *prover) login() plugin.Tokens { return p.mustTokens(p.send(http.MethodPost, boundLogin, "")) }

func (p *prover) refresh(token string) *httptest.ResponseRecorder {
	return p.send(http.MethodPost, boundRefresh, `{"refreshToken":"`+token+`"}`)
}

func (p *prover) mustRefresh(token string) plugin.Tokens { return p.mustTokens(p.refresh(token)) }

func (p *prover) get(path, accessToken string) *httptest.ResponseRecorder {
	return p.send(http.MethodGet, path, "", "Authorization", "DPoP "+accessToken)
}

func (p *prover) mustTokens(recorder *httptest.ResponseRecorder) plugin.Tokens {
	var tokens plugin.Tokens
	if err := json.Unmarshal(recorder.Body.Bytes(), &tokens); err != nil || recorder.Code != http.StatusOK {
		panic(fmt.Sprint(recorder.Code, recorder.Body, err))
	}
	return tokens
}

// unproven counts the events of bound tokens without a proof.
func unproven(count *int) func(*refreshtokens.Config) {
	return func(config *refreshtokens.Config) {
		config.OnEvent = func(_ context.Context, event refreshtokens.Event) {
			if event.Kind == plugin.EventUnproven {
				*count++
			}
		}
	}
}

// TestDPoP goes through the life of a bound session, and tries its tokens without the key at every step, on every database.
func TestDPoP(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		reported := 0
		host := boundHost(t, db, plugin.BindingIfOffered, unproven(&reported))
		owner, thief := newProver(t, host), newProver(t, host)
		tokens := owner.login()
		if cnf := host.Claims(tokens.Access.Token)["cnf"]; fmt.Sprint(cnf) != fmt.Sprint(host.Claims(tokens.Refresh.Token)["cnf"]) || cnf == nil {
			t.Errorf("cnf is %v", cnf)
		}
		for round := range 3 {
			testhost.WantAnswer(t, owner.get(boundMe, tokens.Access.Token), http.StatusOK, "alice")
			testhost.WantAnswer(t, owner.get(boundOnly, tokens.Access.Token), http.StatusOK, "alice")
			testhost.WantAnswer(t, owner.get(boundRefresh, tokens.Access.Token), http.StatusOK, "")

			testhost.WantUnauthorized(t, thief.get(boundMe, tokens.Access.Token), badDPoPToken)
			testhost.WantUnauthorized(t, host.Bearer(http.MethodGet, boundMe, tokens.Access.Token), badDPoPToken)
			testhost.WantUnauthorized(t, host.Bearer(http.MethodGet, testhost.MePath, tokens.Access.Token), testhost.InvalidToken)
			testhost.WantUnauthorized(t, host.Do(http.MethodGet, boundMe, nil, "Authorization", "DPoP "+tokens.Access.Token), badProof)
			testhost.WantUnauthorized(t, host.Do(http.MethodGet, testhost.MePath, nil, "Authorization", "DPoP "+tokens.Access.Token), "Bearer")
			testhost.WantUnauthorized(t, thief.refresh(tokens.Refresh.Token), badProof)
			testhost.WantUnauthorized(t, host.PostToken(boundRefresh, tokens.Refresh.Token), badProof)
			testhost.WantUnauthorized(t, host.PostToken(testhost.RefreshPath, tokens.Refresh.Token), badProof)
			if want := 3 * (round + 1); reported != want {
				t.Errorf("reported %d uses without the key, want %d", reported, want)
			}
			host.Clock.Advance(2*testhost.Grace + time.Second)
			tokens = owner.mustRefresh(tokens.Refresh.Token)
		}
		sessions, err := host.Sessions(t.Context(), "alice")
		if err != nil || len(sessions) != 1 || !sessions[0].Bound {
			t.Errorf("sessions are %+v, %v", sessions, err)
		}
		testhost.WantAnswer(t, host.PostToken(boundLogout, tokens.Refresh.Token), http.StatusNoContent, "") // needs no proof
		testhost.WantUnauthorized(t, owner.refresh(tokens.Refresh.Token), testhost.InvalidToken)
	})
}

// TestLostAnswerOfBoundSession checks that the holder of the key may come back with a spent token at any time, and that nobody else
// may.
func TestLostAnswerOfBoundSession(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := boundHost(t, db, plugin.BindingIfOffered)
		phone := newProver(t, host)
		first := phone.login()
		second := phone.mustRefresh(first.Refresh.Token) // the answer gets lost
		host.Clock.Advance(time.Hour)
		again := phone.mustRefresh(first.Refresh.Token)
		if again.Refresh != second.Refresh {
			t.Errorf("the holder of the key gets another token: %v, want %v", again.Refresh, second.Refresh)
		}
		third := phone.mustRefresh(again.Refresh.Token)
		host.Clock.Advance(24 * time.Hour)
		for _, spent := range []plugin.Tokens{first, second} {
			if got := phone.mustRefresh(spent.Refresh.Token); got.Refresh != third.Refresh {
				t.Errorf("a spent token gets %v, want %v", got.Refresh, third.Refresh)
			}
			testhost.WantUnauthorized(t, newProver(t, host).refresh(spent.Refresh.Token), badProof)
			testhost.WantUnauthorized(t, host.PostToken(boundRefresh, spent.Refresh.Token), badProof)
		}
		phone.mustRefresh(third.Refresh.Token)
	})
}

// TestBindAtRefresh checks that a session is bound at its first refresh, or at one that is due; and that a copy of the token from
// before can't move the bound session on.
func TestBindAtRefresh(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := boundHost(t, db, plugin.BindingIfOffered)
		client := newProver(t, host)
		isBound := func(tokens plugin.Tokens) bool { return host.Claims(tokens.Refresh.Token)["cnf"] != nil }

		first := host.Login("alice")
		second := client.mustRefresh(first.Refresh.Token)
		if !isBound(second) {
			t.Error("the first refresh has not bound the session")
		}
		// A tab that raced with it gets the bound token, which is of no use without the key.
		raced := host.MustRefresh(first.Refresh.Token)
		if raced.Refresh != second.Refresh {
			t.Errorf("a tab that raced got %v, want %v", raced.Refresh, second.Refresh)
		}
		host.Clock.Advance(testhost.Grace + time.Second)
		// The holder of the key may still use it. Anybody else has stolen it.
		if got := client.mustRefresh(first.Refresh.Token); got.Refresh != second.Refresh {
			t.Errorf("the holder of the key got %v, want %v", got.Refresh, second.Refresh)
		}
		host.WantRefresh(first.Refresh.Token, http.StatusUnauthorized)
		testhost.WantUnauthorized(t, client.refresh(second.Refresh.Token), testhost.InvalidToken)

		living := host.MustRefresh(host.Login("alice").Refresh.Token)
		if same := client.mustRefresh(living.Refresh.Token); isBound(same) || same.Refresh != living.Refresh {
			t.Error("a token that is not due was bound")
		}
		host.Clock.Advance(2*testhost.Grace + time.Second)
		bound := client.mustRefresh(living.Refresh.Token)
		if !isBound(bound) {
			t.Error("a refresh that is due has not bound the session")
		}
		if again := client.mustRefresh(bound.Refresh.Token); !isBound(again) {
			t.Error("the repeated token is not bound")
		}
	})
}

// TestBoundMeanwhile has a tab that comes late with a spent token and its key, and another tab of the same client that binds the
// session in that moment: after the row was read, and before it is revoked. Neither tab is logged out.
func TestBoundMeanwhile(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		var warned []plugin.EventKind
		host := boundHost(t, db, plugin.BindingIfOffered, func(config *refreshtokens.Config) {
			config.OnEvent = func(_ context.Context, event refreshtokens.Event) {
				if event.Kind == plugin.EventReuseDetected {
					warned = append(warned, event.Kind)
				}
			}
		})
		client := newProver(t, host)
		first := host.Login("alice")
		second := host.MustRefresh(first.Refresh.Token)
		host.Clock.Advance(2*testhost.Grace + time.Second)
		client.nonce = client.refresh("x").Header().Get("DPoP-Nonce")

		var bound plugin.Tokens
		var binding atomic.Bool
		err := db.Callback().Update().Before("gorm:update").Register("test:bind", func(db *gorm.DB) {
			if _, rotates := db.Statement.Dest.(*models.RefreshToken); !rotates && binding.CompareAndSwap(false, true) {
				bound = client.mustRefresh(second.Refresh.Token)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if late := client.mustRefresh(first.Refresh.Token); late.Refresh != bound.Refresh || host.Claims(late.Refresh.Token)["cnf"] == nil {
			t.Errorf("the late tab got %v, want %v", late.Refresh, bound.Refresh)
		}
		if !binding.Load() || len(warned) > 0 {
			t.Errorf("the other tab came: %t; the host was told of %v", binding.Load(), warned)
		}
		client.mustRefresh(bound.Refresh.Token)
	})
}

// TestBoundRowLosesItsBinding checks that a database that lost the write which bound a session takes it back from the token.
func TestBoundRowLosesItsBinding(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := boundHost(t, db, plugin.BindingIfOffered)
		client := newProver(t, host)
		unbound := host.Login("alice")
		before := host.Rows()[0]
		bound := client.mustRefresh(unbound.Refresh.Token)
		if err := db.Save(&before).Error; err != nil {
			t.Fatal(err)
		}
		next := client.mustRefresh(bound.Refresh.Token)
		if row := host.Rows()[0]; row.Generation != 2 || row.Binding == "" || host.Claims(next.Refresh.Token)["cnf"] == nil {
			t.Errorf("the row is %+v", row)
		}
		host.Clock.Advance(testhost.Grace + time.Second)
		host.WantRefresh(unbound.Refresh.Token, http.StatusUnauthorized)
	})
}

// TestBoundRaces refreshes one bound token fifty times at once, with fifty proofs.
func TestBoundRaces(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		for _, strict := range []bool{false, true} {
			host := boundHost(t, db, plugin.BindingRequired, func(config *refreshtokens.Config) {
				if strict {
					config.GracePeriod = -1
				}
			})
			client := newProver(t, host)
			tokens := client.login()
			for range 3 {
				var mu sync.Mutex
				successors := map[string]bool{}
				var tabs sync.WaitGroup
				for range 50 {
					tabs.Go(func() {
						recorder := client.refresh(tokens.Refresh.Token)
						if recorder.Code != http.StatusOK {
							t.Errorf("answered %d %s", recorder.Code, recorder.Body)
							return
						}
						mu.Lock()
						defer mu.Unlock()
						successors[client.mustTokens(recorder).Refresh.Token] = true
					})
				}
				tabs.Wait()
				if len(successors) != 1 {
					t.Fatalf("%d successors, want 1", len(successors))
				}
				tokens = client.mustRefresh(tokens.Refresh.Token)
				host.Clock.Advance(2*testhost.Grace + time.Second)
			}
		}
	})
}

// TestBindingPolicy checks each policy of a group and of a login, with a proof and without.
func TestBindingPolicy(t *testing.T) {
	for _, row := range []struct {
		policy plugin.BindingPolicy
		login  string // the login's own
		proof  bool
		status int
		bound  bool
	}{
		{plugin.BindingOff, "", false, 200, false},
		{plugin.BindingOff, "", true, 200, false},
		{plugin.BindingOff, "required", true, 400, false}, // the group doesn't look at proofs
		{plugin.BindingIfOffered, "", false, 200, false},
		{plugin.BindingIfOffered, "", true, 200, true},
		{plugin.BindingIfOffered, "off", true, 200, false},
		{plugin.BindingIfOffered, "required", false, 400, false},
		{plugin.BindingIfOffered, "required", true, 200, true},
		{plugin.BindingRequired, "", false, 400, false},
		{plugin.BindingRequired, "", true, 200, true},
		{plugin.BindingRequired, "off", false, 400, false},
		{plugin.BindingRequired, "off", true, 200, false},
	} {
		t.Run(fmt.Sprintf("%+v", row), func(t *testing.T) {
			host := boundHost(t, openSQLite(t), row.policy)
			client := newProver(t, host)
			path := boundLogin + "?binding=" + row.login
			recorder := host.Do(http.MethodPost, path, nil)
			if row.proof {
				recorder = client.send(http.MethodPost, path, "")
			}
			if recorder.Code != row.status {
				t.Fatalf("answered %d %s", recorder.Code, recorder.Body)
			}
			if rows := host.Rows(); recorder.Code != 200 && len(rows) > 0 {
				t.Errorf("there are rows: %v", rows)
			}
			if recorder.Code == 200 {
				tokens := client.mustTokens(recorder)
				if bound := host.Claims(tokens.Refresh.Token)["cnf"] != nil; bound != row.bound {
					t.Errorf("bound is %v", bound)
				}
			}
		})
	}
	// With BindingRequired, a living session has to be bound at its next refresh.
	host := boundHost(t, openSQLite(t), plugin.BindingRequired)
	living := host.Login("alice")
	testhost.WantUnauthorized(t, host.PostToken(boundRefresh, living.Refresh.Token), badProof)
	newProver(t, host).mustRefresh(living.Refresh.Token)
	// Bound() lets no other session through.
	unbound := host.Login("bob")
	testhost.WantAnswer(t, host.Bearer(http.MethodGet, boundOnly, unbound.Access.Token), http.StatusForbidden, "")
	testhost.WantUnauthorized(t, newProver(t, host).get(boundMe, unbound.Access.Token), badDPoPToken)
}

// TestBadProofs checks what a bad proof is answered: 400 at a login, 401 elsewhere, and that it changes nothing.
func TestBadProofs(t *testing.T) {
	host := boundHost(t, openSQLite(t), plugin.BindingIfOffered)
	client := newProver(t, host)
	tokens := client.login()
	before := fmt.Sprint(host.Rows())
	body := `{"refreshToken":"` + tokens.Refresh.Token + `"}`
	nonce := client.nonce
	stale := func() string {
		client.nonce = "AAAAAAAAAAAAAAAAAAAAAAAA"
		defer func() { client.nonce = nonce }()
		return client.proof(http.MethodPost, boundRefresh, "")
	}
	good := client.proof(http.MethodPost, boundRefresh, "")
	for name, row := range map[string]struct {
		proofs    []string
		challenge string
	}{
		"none":          {nil, badProof},
		"empty":         {[]string{""}, badProof},
		"two":           {[]string{good, good}, badProof},
		"joined":        {[]string{good + ", " + good}, badProof},
		"of the method": {[]string{client.proof(http.MethodGet, boundRefresh, "")}, badProof},
		"of the URL":    {[]string{client.proof(http.MethodPost, boundLogout, "")}, badProof},
		"stale nonce":   {[]string{stale()}, useNonce},
		"10 KiB":        {[]string{good + strings.Repeat("x", 10<<10)}, badProof},
	} {
		headers := []string{"Content-Type", "application/json"}
		for _, proof := range row.proofs {
			headers = append(headers, "DPoP", proof)
		}
		t.Run(name, func(t *testing.T) {
			recorder := host.Do(http.MethodPost, boundRefresh, strings.NewReader(body), headers...)
			testhost.WantUnauthorized(t, recorder, row.challenge)
			if recorder.Header().Get("DPoP-Nonce") == "" {
				t.Error("there is no nonce for the next proof")
			}
			if len(row.proofs) == 0 {
				return
			}
			recorder = host.Do(http.MethodPost, boundLogin, nil, headers...)
			testhost.WantAnswer(t, recorder, http.StatusBadRequest, "")
			if after := fmt.Sprint(host.Rows()); after != before {
				t.Error("a row has changed")
			}
		})
	}
	// A proof may be used as long as its nonce lives, and no longer.
	send := func() *httptest.ResponseRecorder {
		return host.Do(http.MethodPost, boundRefresh, strings.NewReader(body), "Content-Type", "application/json", "DPoP", good)
	}
	testhost.WantAnswer(t, send(), http.StatusOK, "")
	host.Clock.Advance(5 * time.Minute)
	testhost.WantUnauthorized(t, send(), useNonce)
	// A proof for one access token is none for another.
	other := client.login()
	recorder := host.Do(http.MethodGet, boundMe, nil, "Authorization", "DPoP "+other.Access.Token,
		"DPoP", client.proof(http.MethodGet, boundMe, tokens.Access.Token))
	testhost.WantUnauthorized(t, recorder, badProof)
	testhost.WantUnauthorized(t, host.Do(http.MethodGet, boundMe, nil), "Bearer, DPoP "+algs)
}

// TestProofsBehindAProxy checks that proofs name the URL of the outside, and that of nothing else.
func TestProofsBehindAProxy(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	bound := host.Register(host.Router.Group("/bound"), refreshtokens.WithBinding(refreshtokens.Binding{
		Policy: plugin.BindingIfOffered, BaseURL: "http://example.com/api",
	}))
	host.Router.GET(boundMe, bound.RequireAuth(), func(c *gin.Context) { c.Status(http.StatusOK) })
	client := newProver(t, host)
	body := `{"refreshToken":"` + host.Login("alice").Refresh.Token + `"}`
	send := func(htu string) *httptest.ResponseRecorder {
		return host.Do(http.MethodPost, boundRefresh, strings.NewReader(body), "Content-Type", "application/json", "DPoP", client.proof(http.MethodPost, htu, ""))
	}
	client.nonce = send("/api" + boundRefresh).Header().Get("DPoP-Nonce")
	testhost.WantUnauthorized(t, send(boundRefresh), badProof)
	testhost.WantAnswer(t, send("/api"+boundRefresh), http.StatusOK, "")
	for _, base := range []string{"example.com", "ftp://example.com", "https://example.com?x"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the BaseURL %q is taken", base)
				}
			}()
			host.Register(gin.New(), refreshtokens.WithBinding(refreshtokens.Binding{Policy: plugin.BindingIfOffered, BaseURL: base}))
		}()
	}
}
