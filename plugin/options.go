package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// SessionOption is an option of a login, for [Service.Issue]. [Service.Reauthenticate] takes WithData alone.
type SessionOption func(*sessionOptions)

type sessionOptions struct {
	data                   map[string]any
	sessionTTL, refreshTTL *time.Duration // nil: as configured
	binding                *BindingPolicy // nil: the route group's
}

// WithData gives the session data of its own. It is fixed at login, and is in every access token of the session as claims,
// in [Session], and in what the Claims callback gets. As JSON it may have at most 1 KiB.
//
// Standard names: amr and acr (OpenID Connect Core §2, RFC 8176), act for an impersonation (RFC 8693 §4.1). Setting a
// claim of this module's own is [ErrInvalidClaims], and so is a name that the Claims callback returns too. The refresh token
// carries the data too, signed and readable.
func WithData(data map[string]any) SessionOption {
	return func(o *sessionOptions) { o.data = data }
}

// WithSessionTTL ends the session this long after its login, where that is sooner than Config.SessionTTL. Whole seconds.
func WithSessionTTL(ttl time.Duration) SessionOption {
	return func(o *sessionOptions) { o.sessionTTL = &ttl }
}

// WithRefreshTTL ends the session when it lies unused this long, where that is shorter than Config.RefreshTTL. Whole seconds,
// more than twice the grace period.
func WithRefreshTTL(ttl time.Duration) SessionOption {
	return func(o *sessionOptions) { o.refreshTTL = &ttl }
}

// apply sets what the options say in a new session's claims. Errors: [ErrInvalidClaims], [ErrInvalidTTL], [ErrUnproven].
func (s *Service) apply(ctx context.Context, claims *refreshClaims, device Device, options []SessionOption) error {
	var o sessionOptions
	for _, option := range options {
		option(&o)
	}
	for _, ttl := range []struct {
		name  string
		value *time.Duration
		least time.Duration
		to    *int64
	}{
		{"WithSessionTTL", o.sessionTTL, time.Second, &claims.AbsoluteLimit},
		{"WithRefreshTTL", o.refreshTTL, max(time.Second, 2*s.config.GracePeriod+time.Second), &claims.IdleLimit},
	} {
		if ttl.value == nil {
			continue
		}
		if *ttl.value < ttl.least || *ttl.value%time.Second != 0 {
			return fmt.Errorf("%w: %s is %v and must be whole seconds, at least %v", ErrInvalidTTL, ttl.name, *ttl.value, ttl.least)
		}
		*ttl.to = int64(*ttl.value / time.Second)
	}
	bound, err := bindingAtLogin(ctx, o.binding)
	if err != nil {
		return err
	}
	if bound != "" {
		claims.Binding = json.RawMessage(bound)
	}
	claims.Data, err = encodeData(string(clip(device.Name, maxDeviceName)), o.data)
	return err
}
