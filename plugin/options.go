package plugin

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// SessionOption is an option of a login, for [Service.Issue].
type SessionOption func(*sessionOptions)

type sessionOptions struct {
	data                   map[string]any
	sessionTTL, refreshTTL time.Duration
}

// WithData gives the session data of its own. It is fixed at login, and is in every access token of the session as claims,
// in [Session], and in what the Claims callback gets. As JSON it may have at most 1 KiB.
//
// Standard names: amr and acr (OpenID Connect Core §2, RFC 8176), act for an impersonation (RFC 8693 §4.1). A claim that this
// module sets itself is [ErrInvalidClaims], and so is a name that the Claims callback returns too.
func WithData(data map[string]any) SessionOption {
	return func(o *sessionOptions) { o.data = data }
}

// WithSessionTTL ends the session this long after its login, where that is sooner than Config.SessionTTL. Whole seconds.
func WithSessionTTL(ttl time.Duration) SessionOption {
	return func(o *sessionOptions) { o.sessionTTL = ttl }
}

// WithRefreshTTL ends the session when it lies unused this long, where that is shorter than Config.RefreshTTL. Whole seconds,
// more than twice the grace period.
func WithRefreshTTL(ttl time.Duration) SessionOption {
	return func(o *sessionOptions) { o.refreshTTL = ttl }
}

// maxData is the most, in bytes, that a session's data may have as JSON.
const maxData = 1 << 10

// apply sets what the options say in a new session's claims. Errors: [ErrInvalidClaims], [ErrInvalidTTL].
func (s *Service) apply(claims *refreshClaims, device Device, options []SessionOption) error {
	var o sessionOptions
	for _, option := range options {
		option(&o)
	}
	for _, ttl := range []struct {
		name  string
		value time.Duration
		least time.Duration
		to    *int64
	}{
		{"WithSessionTTL", o.sessionTTL, time.Second, &claims.AbsoluteLimit},
		{"WithRefreshTTL", o.refreshTTL, max(time.Second, 2*s.config.GracePeriod+time.Second), &claims.IdleLimit},
	} {
		if ttl.value == 0 {
			continue
		}
		if ttl.value < ttl.least || ttl.value%time.Second != 0 {
			return fmt.Errorf("%w: %s is %v and must be whole seconds, at least %v", ErrInvalidTTL, ttl.name, ttl.value, ttl.least)
		}
		*ttl.to = int64(ttl.value / time.Second)
	}
	var err error
	claims.Data, err = encodeData(sessionData{string(clip(device.Name, maxDeviceName)), maps.Clone(o.data)})
	return err
}

// sessionData is what a session carries of its own. As JSON it is in the row and in the refresh token.
type sessionData struct {
	Device string         `json:"device,omitempty"`
	Claims map[string]any `json:"claims,omitempty"`
}

// encodeData returns nothing where there is nothing. The error is [ErrInvalidClaims].
func encodeData(data sessionData) (json.RawMessage, error) {
	if data.Device == "" && len(data.Claims) == 0 {
		return nil, nil
	}
	if err := jose.Check(data.Claims); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	claims, err := json.Marshal(data.Claims)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	if len(claims) > maxData {
		return nil, fmt.Errorf("%w: the session's data has %d bytes and may have %d", ErrInvalidClaims, len(claims), maxData)
	}
	return json.Marshal(data)
}

// decodeData reads what encodeData wrote. What it did not write is no data.
func decodeData(text models.Text) sessionData {
	var data sessionData
	if text != "" {
		_ = json.Unmarshal([]byte(text), &data) // our own, out of the row or under our signature
	}
	return data
}
