package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
)

// Config holds every setting. DB and Secret are required; the zero value of any other field means its default.
// Durations are whole seconds, because the claims of a JWT are.
type Config struct {
	// DB is the host's database. Its models.All() must have been migrated.
	DB *gorm.DB

	// Secret signs access tokens (HS256), and the key of refresh tokens is derived from it. At least 32 bytes
	// (RFC 7518 §3.2) from a random source: "openssl rand -base64 32". Changing it ends every login.
	Secret []byte

	// AccessTTL is how long an access token is good for. Default: 15 minutes.
	AccessTTL time.Duration

	// RefreshTTL is how long a refresh token may lie unused. Default: 7 days.
	RefreshTTL time.Duration

	// SessionTTL is how long after its authentication a session ends, however much it is used. Default: 30 days
	// (NIST SP 800-63B-4, AAL1). Shortening it takes effect at once.
	SessionTTL time.Duration

	// GracePeriod is how long the predecessor of a refresh token is answered with that same token again, for tabs that
	// race and for answers that got lost; it may last up to a second longer. Default: 10 seconds. A negative value turns
	// it off: then every retry is treated as theft and ends the session.
	GracePeriod time.Duration

	// Leeway tolerates clocks that run apart when access tokens are verified, 60 seconds at most. Default: 0.
	Leeway time.Duration

	// Issuer and Audience, where set, become the iss and aud claims of access tokens and are required of them
	// (RFC 8725 §3.8 and §3.9).
	Issuer, Audience string

	// Claims is asked for further claims whenever an access token is minted, so that roles are always fresh; nil adds
	// none. It may refuse the subject with [ErrSubjectRefused], which ends the session. Any other error fails the call
	// and spends nothing. It may not set a claim that this module sets itself, which is [ErrInvalidClaims]. It runs
	// before anything is written, for many requests at once.
	Claims func(ctx context.Context, subject string) (map[string]any, error)

	// OnReuse, where set, is told once of each session that ended because a spent refresh token came back, which means
	// that the token was stolen or that a client is broken: the session as it was, and who presented the token. It runs
	// within the request, so it should hand slow work on; ctx has the request's values and ten seconds, whether the
	// presenter hangs up or not.
	OnReuse func(ctx context.Context, session Session, presenter Client)

	// Logger receives reuse as warnings, and the causes of 500s. Default: slog.Default().
	Logger *slog.Logger

	// Clock tells the time. Default: time.Now.
	Clock func() time.Time
}

const (
	minSecretLength = 32
	maxLeeway       = time.Minute
)

func (c Config) withDefaults() Config {
	c.AccessTTL = cmp.Or(c.AccessTTL, 15*time.Minute)
	c.RefreshTTL = cmp.Or(c.RefreshTTL, 7*24*time.Hour)
	c.SessionTTL = cmp.Or(c.SessionTTL, 30*24*time.Hour)
	c.GracePeriod = cmp.Or(c.GracePeriod, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.DB == nil {
		errs = append(errs, errors.New("DB is required: pass the host's *gorm.DB"))
	} else if c.DB.Error != nil {
		errs = append(errs, fmt.Errorf("DB carries an error: %w", c.DB.Error))
	}
	if len(c.Secret) < minSecretLength {
		errs = append(errs, fmt.Errorf(
			"Secret has %d bytes and needs %d or more (RFC 7518 §3.2): make one with \"openssl rand -base64 32\"",
			len(c.Secret), minSecretLength))
	}
	for _, ttl := range []struct {
		name  string
		value time.Duration
	}{{"AccessTTL", c.AccessTTL}, {"RefreshTTL", c.RefreshTTL}, {"SessionTTL", c.SessionTTL}} {
		if ttl.value < time.Second || ttl.value%time.Second != 0 {
			errs = append(errs, fmt.Errorf("%s is %v and must be whole seconds, at least one", ttl.name, ttl.value))
		}
	}
	if c.GracePeriod > 0 && c.GracePeriod%time.Second != 0 {
		errs = append(errs, fmt.Errorf("GracePeriod is %v and must be whole seconds, or negative to turn it off", c.GracePeriod))
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway || c.Leeway%time.Second != 0 {
		errs = append(errs, fmt.Errorf("Leeway is %v and must be whole seconds from 0 to %v", c.Leeway, maxLeeway))
	}
	return errors.Join(errs...)
}
