// Package jwks gets an issuer's public keys from its JWK Set (RFC 7517 §5), for a service that verifies access tokens and holds no
// secret:
//
//	keys, err := jwks.New(ctx, jwks.Config{URL: "https://auth.example.com/.well-known/jwks.json"})
//	verifier, err := token.NewVerifier(token.Config{KeySource: keys})
//	router.GET("/reports", middleware.RequireAuth(verifier), reports)
//
// It is a package of its own, so that who has the keys from elsewhere compiles no HTTP client.
package jwks

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/MicahParks/jwkset"
	"golang.org/x/time/rate"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// Config says where the keys are. Only URL is required.
type Config struct {
	// URL is of the issuer's JWK Set. It must be https; http is for a loopback address only, because whoever can change the answer on
	// its way can sign tokens.
	URL string

	// Refresh is how often the keys are fetched again. Default: 5 minutes. At least a second. A key that the issuer has withdrawn
	// is accepted for as long, and for the 5 minutes that caches may keep the set.
	Refresh time.Duration

	// Client makes the requests. Its redirects are not followed, and its answers are bounded. Default: one of its own.
	Client *http.Client

	// Logger is told when a fetch fails. Default: slog.Default().
	Logger *slog.Logger
}

const (
	defaultRefresh = 5 * time.Minute
	// fetchTimeout bounds a fetch, from the name look-up to the last byte.
	fetchTimeout = 5 * time.Second
	// unknownEvery is how often, at most, a kid that is unknown makes the keys be fetched before their time.
	unknownEvery = 30 * time.Second
)

// Keys are an issuer's public keys: a [token.KeySource]. They are fetched again at every interval, and once where a token names an
// unknown key, but for that at most every 30 seconds. While the issuer does not answer, or answers nonsense, the keys that
// were fetched last stay.
type Keys struct {
	current *current
	client  jwkset.Storage
	fetch   chan struct{} // has room for one, so that all tokens of a new key wait for one fetch
	unknown *rate.Limiter // of fetches for an unknown kid
}

// New fetches the keys, and again until ctx is done. The error says what is wrong with config, or with the answer: an issuer
// that is down, or has no key that could verify an access token, is an error here. Try again, or stop.
func New(ctx context.Context, config Config) (*Keys, error) {
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("jwks: bad Config: %w", err)
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	k := &Keys{
		current: &current{MemoryJWKSet: jwkset.NewMemoryStorage()},
		fetch:   make(chan struct{}, 1),
		unknown: rate.NewLimiter(rate.Every(unknownEvery), 1),
	}
	store, err := jwkset.NewStorageFromHTTP(config.URL, jwkset.HTTPClientStorageOptions{
		Client:          boundedClient(config.Client),
		Ctx:             ctx,
		HTTPTimeout:     fetchTimeout,
		RefreshInterval: cmp.Or(config.Refresh, defaultRefresh),
		Storage:         k.current,
		ValidateOptions: jwkset.JWKValidateOptions{SkipUse: true, SkipKeyOps: true}, // current looks at what counts, and ignores what doesn't
		RefreshErrorHandler: func(ctx context.Context, err error) {
			if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
				config.Logger.WarnContext(ctx, "refreshtokens: the issuer's keys can't be fetched, so those from before stay", "url", config.URL, "error", err)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	if len(k.current.load()) == 0 {
		return nil, fmt.Errorf("jwks: %s lists no key that could verify an access token: does the issuer sign with Config.AccessKey?", config.URL)
	}
	k.client, err = jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{config.URL: store},
		RefreshUnknownKID: rate.NewLimiter(rate.Inf, 1), // ours is asked first: this one would let requests wait for it
	})
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	return k, nil
}

func (c Config) validate() error {
	parsed, err := url.Parse(c.URL)
	switch {
	case err != nil || parsed.Host == "":
		return fmt.Errorf("URL is %q and must be the https URL of the issuer's JWK Set", c.URL)
	case parsed.User != nil:
		return errors.New("URL has a user or a password in it: a JWK Set is public")
	case parsed.Scheme != "https" && (parsed.Scheme != "http" || !isLoopback(parsed.Hostname())):
		return fmt.Errorf("URL is %q and must be https: whoever can change the answer on its way can sign tokens", c.URL)
	case c.Refresh < 0 || c.Refresh > 0 && c.Refresh < time.Second:
		return fmt.Errorf("Refresh is %v and must be at least a second", c.Refresh)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// PublicKey returns the key of a kid. For an unknown one it fetches the keys, which takes at most 5 seconds, unless it did so in the
// last 30 seconds. The error is [token.ErrInvalid].
func (k *Keys) PublicKey(kid string) (crypto.PublicKey, error) {
	if key, ok := k.current.load()[kid]; ok {
		return key, nil
	}
	if key, ok := k.fetchFor(kid); ok {
		return key, nil
	}
	return nil, fmt.Errorf("%w: the issuer has no such key", token.ErrInvalid)
}

func (k *Keys) fetchFor(kid string) (crypto.PublicKey, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	select {
	case k.fetch <- struct{}{}:
		defer func() { <-k.fetch }()
	case <-ctx.Done():
		return nil, false
	}
	if key, ok := k.current.load()[kid]; ok || !k.unknown.Allow() {
		return key, ok // fetched meanwhile, or not to be fetched
	}
	_, _ = k.client.KeyRead(ctx, kid) // it fetches, and logs a failure
	key, ok := k.current.load()[kid]
	return key, ok
}
