package plugin

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/binding"
	"github.com/seed-2f82c0fd/refreshtokens/internal/origin"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// BindingPolicy says whether sessions are bound to a key that never leaves the client's device. See [WithBinding].
type BindingPolicy = binding.Policy

// The policies.
const (
	BindingOff       = binding.Off       // sessions are not bound
	BindingIfOffered = binding.IfOffered // a client that proves a key is bound to it
	BindingRequired  = binding.Required  // every session is bound, or is not refreshed
)

// maxBinding is the width of the binding column, in bytes.
const maxBinding = 192

// WithBinding sets the policy of one login, in place of that of its route group. With [BindingRequired], a login that proves no key
// is [ErrUnproven]; a browser proves its key after the login, and is not refreshed before. It needs a route group that offers
// binding.
func WithBinding(policy BindingPolicy) SessionOption {
	return func(o *sessionOptions) { o.binding = &policy }
}

// bindingAtLogin returns the binding of a new session. The error is [ErrUnproven].
func bindingAtLogin(ctx context.Context, own *BindingPolicy) (models.Text, error) {
	offer := binding.Of(ctx)
	if own != nil {
		offer.Policy = *own
	}
	switch {
	case offer.Policy == BindingOff:
		return "", nil
	case offer.Key != "":
		return models.Text(offer.Key), nil
	case offer.Policy == BindingIfOffered:
		return "", nil
	case offer.Later:
		return models.BindingPending, nil
	default:
		return "", fmt.Errorf("%w: this login has to prove one", ErrUnproven)
	}
}

// isDevice tells whether a binding is the key of a device-bound session.
func isDevice(b models.Text) bool {
	return strings.HasPrefix(string(b), `{"jwk":`)
}

// isBound tells whether a binding is a key.
func isBound(b models.Text) bool {
	return b != "" && b != models.BindingPending
}

// BindingOf returns the session of a refresh token, and what it is bound to, as a cnf claim (RFC 7800 §3.1): empty where it is
// bound to nothing. It asks no database. The error is [ErrInvalidToken] or [ErrExpired].
func (s *Service) BindingOf(refreshToken string) (sessionID, confirmation string, err error) {
	claims, err := s.readRefresh(refreshToken, s.now())
	if err != nil || !isBound(models.Text(claims.Binding)) {
		return claims.SessionID, "", err
	}
	return claims.SessionID, string(claims.Binding), nil
}

// RepeatWindow returns for how long a live refresh token repeats before it can rotate: twice the grace period, or zero where that is
// off.
func (s *Service) RepeatWindow() time.Duration {
	return 2 * time.Duration(max(s.gracePeriod, 0)) * time.Second
}

// NonceSecrets returns keys that are derived from the secrets, for the nonces of proofs (RFC 9449 §8). A service that only verifies access
// tokens may have them: they tell nothing of the secrets.
func (s *Service) NonceSecrets() [][]byte {
	return s.nonceSecrets
}

// nonceKeyInfo is the HKDF info of the nonces' key (RFC 5869 §3.2).
const nonceKeyInfo = "refreshtokens/nonces/v1"

func deriveNonceSecrets(secrets ...[]byte) ([][]byte, error) {
	derived := make([][]byte, len(secrets))
	for i, secret := range secrets {
		var err error
		if derived[i], err = hkdf.Key(sha256.New, secret, nil, nonceKeyInfo, sha256.Size); err != nil {
			return nil, fmt.Errorf("derive the key of nonces: %w", err)
		}
	}
	return derived, nil
}

// prove checks that the request has proven the key that the presented token needs. It sets what the session is bound to next. The
// error is [ErrUnproven], which is reported and changes nothing: a thief without the key must not end the session.
func (r *refresh) prove(ctx context.Context) error {
	offer := binding.Of(ctx)
	r.proven = models.Text(offer.Key)
	presented := models.Text(r.presented.Binding)
	switch {
	case isBound(presented) && r.proven != presented:
		r.emit(origin.With(ctx, origin.Request{UserAgent: r.device.UserAgent, IP: r.device.IP}), Event{
			Kind: EventUnproven, Session: r.session(r.successor(r.presented, r.presented.IssuedAt, Device{})), Device: r.device,
		})
		return ErrUnproven
	case isBound(presented):
	case r.proven == "" && (presented == models.BindingPending || offer.Policy == BindingRequired):
		return fmt.Errorf("%w: the session has to be bound", ErrUnproven)
	case r.proven != "" && (presented == models.BindingPending || offer.Policy != BindingOff):
		r.bindTo = json.RawMessage(r.proven)
	}
	return nil
}
