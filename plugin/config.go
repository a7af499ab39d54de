package plugin

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"gorm.io/gorm"
)

// Config holds every setting. DB and Secret are required; the zero value of any other field means its default.
// Durations are whole seconds, because the claims of a JWT are.
type Config struct {
	// DB is the host's database. Its models.All() must have been migrated.
	DB *gorm.DB

	// Table is the name of the table, for a host that has a refresh_tokens table of its own, or two Plugins: each Plugin
	// needs a table to itself. Default: the name that GORM's naming strategy gives, which is refresh_tokens. Letters,
	// digits and underscores, at most 48. For another schema, set PostgreSQL's search_path. The host then migrates with
	// db.Table(name).AutoMigrate(models.All()...).
	Table string

	// Secret signs access tokens (HS256), and the key of refresh tokens is derived from it. At least 32 bytes
	// (RFC 7518 §3.2) from a random source: "openssl rand -base64 32". Changing it ends every session, unless the old one is
	// among PreviousSecrets.
	Secret []byte

	// PreviousSecrets verify and never sign, so that the secret can be changed: docs/operating.md has the two steps. In the first
	// one the next secret is in here. At most 8, each as good as Secret. A token of a secret that is in neither place is refused.
	PreviousSecrets [][]byte

	// AccessKey, where set, signs access tokens in place of Secret, so that other services verify them and can sign none. An Ed25519 key
	// signs EdDSA, a P-256 key ES256, an RSA key of 2048 to 8192 bits RS256. HS256 access tokens are then refused. Refresh tokens
	// are signed with Secret all the same.
	//
	// Any crypto.Signer will do, one of a key management service too. New signs once to try it. If it fails, or takes longer than
	// 10 seconds, so does the call that needed it: no token is spent then, and no session started. A signer that also has the method
	// SignContext(context.Context, io.Reader, []byte, crypto.SignerOpts) ([]byte, error) is told by its context when to give up.
	AccessKey crypto.Signer

	// PreviousAccessKeys verify access tokens and sign none, with Secret and with AccessKey: the keys before it, or the next one,
	// before the change. At most 8.
	PreviousAccessKeys []crypto.PublicKey

	// ClientID, where set, makes access tokens of the form of RFC 9068: typ is at+jwt, client_id is this, and jti is random. It
	// needs AccessKey, Issuer and Audience.
	ClientID string

	// AccessTTL is how long an access token is valid. Default: 15 minutes. At most SessionTTL.
	AccessTTL time.Duration

	// RefreshTTL is how long a refresh token may lie unused. Default: 7 days. At most SessionTTL, and more than twice
	// the grace period. Under four times the grace period, a token repeats for half of its life only, so slow tabs are less safe.
	RefreshTTL time.Duration

	// SessionTTL is how long after its login a session ends, however much it is used. Default: 30 days
	// (NIST SP 800-63B-4, AAL1). Shortening it takes effect at once.
	SessionTTL time.Duration

	// GracePeriod is how long after a rotation the old token still returns the new one, for tabs that race and for answers
	// that got lost; it may last up to a second longer. A new token repeats for twice as long before it can rotate again.
	// Default: 30 seconds. At most 10 minutes. Under 4 seconds, times in whole seconds are too coarse, so slow tabs are less safe.
	// A negative value turns it off: then every refresh rotates, and every retry counts as theft and ends the session.
	GracePeriod time.Duration

	// Leeway tolerates clocks that differ when access tokens are verified. At most 60 seconds. Default: 0.
	Leeway time.Duration

	// Issuer and Audience, where set, become the iss and aud claims of both tokens and are then required of them
	// (RFC 8725 §3.8 and §3.9). Setting or changing one ends every session.
	Issuer, Audience string

	// Claims returns further claims for an access token. It is called at each login, refresh and reauthentication, so that
	// roles are always fresh; nil adds none. It gets the session as it will be after the call, with the device that asks. It may refuse the
	// session with [ErrSubjectRefused], which ends it. Any other error fails the call, and the token stays valid. It may
	// not set a claim that this module sets itself: that is [ErrInvalidClaims].
	//
	// It runs before anything is written, for many requests at once. ctx has the values of the context that Issue or
	// Refresh got, so it can carry the host's transaction. At a refresh ctx ends when the refresh gives up; see [Service.Refresh].
	Claims func(ctx context.Context, session Session) (map[string]any, error)

	// Legacy, where set, tells whose the refresh token of another system is, so that users stay logged in when an app moves here.
	// docs/moving.md has examples. The token is taken over: it starts a session of the subject, and is spent. Of several requests
	// with it, one starts the session. The others are answered as with a spent token of ours: within the grace period with the same
	// refresh token, later with [ErrReused]. Default: none, and such tokens are refused.
	//
	// It refuses a token with [ErrInvalidToken] or [ErrExpired], and a subject with [ErrSubjectRefused]. With any other error the call
	// fails, and the token is not spent. It is asked before Claims, at most once in a call, and not about a token that was taken
	// over before. What it gets is printable ASCII of at most 8 KiB, and never of the form of this module's tokens, however old or
	// broken. ctx ends as it does for Claims. It must
	//   - refuse tokens of users who are gone, or who have changed their password: RevokeAll ends sessions, and not these tokens;
	//   - refuse every token from SessionTTL after the first take-over on: the rows which tell that tokens are spent are deleted then;
	//   - take only one text for each token: a column that ignores case or trailing blanks lets one token start several sessions;
	//   - not delete the token: if the call fails afterwards, the user would be logged out;
	//   - be quick: anybody can have it asked, so limit the rate of requests as you do at login.
	//
	// The auth_time of such a session's access tokens is in 1970, because nobody knows it.
	Legacy func(ctx context.Context, token string) (subject string, err error)

	// MaxSessions is how many live sessions a subject may have. A new login ends the least recently used ones beyond it.
	// Default: 0, which is no limit. In a transaction of your own, lock the user's row before you call Issue; otherwise
	// two logins at once can exceed the limit.
	MaxSessions int

	// MaxRefreshes is how many refreshes run at once in this process. When all clients come back after an outage, the others wait for
	// their turn. Who waits for more than 6.5 seconds (a quarter of the grace period less one second) is told to come back with [ErrBusy],
	// which the route answers with 503 and Retry-After. Default: twice as many as DB's pool may open connections when New is called, or
	// 64 if it has no limit. Raise it if Claims or AccessKey wait long for something other than this database.
	MaxRefreshes int

	// OnEvent, where set, is told what happens to sessions, after the database has committed it. Under WithDB it is called
	// before your commit: if you roll back, the event was wrong. It runs within the request, so it should hand slow work on. ctx has the
	// request's values and does not end when the client hangs up. A panic is logged and breaks nothing.
	OnEvent func(ctx context.Context, event Event)

	// RememberTokens is how many verified access tokens are remembered, so that a token which was seen before costs no second
	// signature check. Whether its session lives is never remembered here. Default: 10,000, with about 1 KiB each. A negative value
	// turns it off.
	RememberTokens int

	// Logger receives every event: reuse as a warning; revocations, reauthentications and tokens repeated to another device as
	// infos; the rest at debug level. It also receives warnings about clocks, and the causes of 500s. Default: slog.Default().
	Logger *slog.Logger

	// Clock tells the time. Default: time.Now.
	Clock func() time.Time
}

const (
	maxLeeway      = time.Minute
	maxGracePeriod = 10 * time.Minute
	maxTableLength = 48
)

func (c Config) withDefaults() Config {
	c.SessionTTL = cmp.Or(c.SessionTTL, 30*24*time.Hour)
	c.AccessTTL = cmp.Or(c.AccessTTL, min(15*time.Minute, c.SessionTTL))
	c.RefreshTTL = cmp.Or(c.RefreshTTL, min(7*24*time.Hour, c.SessionTTL))
	c.GracePeriod = cmp.Or(c.GracePeriod, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

// tableName is a name that needs no quoting.
var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (c Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := checkDB(c.DB); err != nil {
		errs = append(errs, err)
	}
	if c.Table != "" && (!tableName.MatchString(c.Table) || len(c.Table) > maxTableLength) {
		bad("Table is %q and must be at most %d letters, digits and underscores", c.Table, maxTableLength)
	}
	errs = append(errs, c.checkKeys()...)
	for _, ttl := range []struct {
		name  string
		value time.Duration
	}{{"AccessTTL", c.AccessTTL}, {"RefreshTTL", c.RefreshTTL}, {"SessionTTL", c.SessionTTL}} {
		if ttl.value < time.Second || ttl.value%time.Second != 0 {
			bad("%s is %v and must be whole seconds, at least one", ttl.name, ttl.value)
		} else if ttl.value > c.SessionTTL {
			bad("%s is %v, longer than the SessionTTL of %v: shorten it, or lengthen SessionTTL", ttl.name, ttl.value, c.SessionTTL)
		}
	}
	switch {
	case c.GracePeriod < 0:
	case c.GracePeriod%time.Second != 0 || c.GracePeriod > maxGracePeriod:
		bad("GracePeriod is %v and must be whole seconds up to %v, or negative to turn it off", c.GracePeriod, maxGracePeriod)
	case c.RefreshTTL <= 2*c.GracePeriod:
		bad("RefreshTTL is %v and must be longer than twice the GracePeriod of %v, while which a token repeats", c.RefreshTTL, c.GracePeriod)
	}
	if c.MaxSessions < 0 {
		bad("MaxSessions is %d and must be 0, for no limit, or more", c.MaxSessions)
	}
	if c.MaxRefreshes < 0 {
		bad("MaxRefreshes is %d and must be 0, for the default, or more", c.MaxRefreshes)
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway || c.Leeway%time.Second != 0 {
		bad("Leeway is %v and must be whole seconds from 0 to %v", c.Leeway, maxLeeway)
	}
	return errors.Join(errs...)
}

// checkDB refuses the broken *gorm.DB that gorm.Open returns together with an error. Using it would panic.
func checkDB(db *gorm.DB) error {
	switch {
	case db == nil:
		return errors.New("DB is required: pass the host's *gorm.DB")
	case db.Error != nil:
		return fmt.Errorf("DB carries an error: %w", db.Error)
	case db.Config == nil || db.Statement == nil || db.Dialector == nil || db.Statement.ConnPool == nil:
		return errors.New("DB was never opened: check the error of gorm.Open")
	}
	return nil
}
