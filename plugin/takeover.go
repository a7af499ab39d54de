package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/binding"
	"github.com/seed-2f82c0fd/refreshtokens/internal/origin"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// takeOver is a refresh with a legacy token. It binds the session as a login does.
func (r *refresh) takeOver(ctx context.Context, token string) (Tokens, error) {
	bound, err := bindingAtLogin(ctx, nil)
	if err != nil {
		return Tokens{}, err
	}
	r.proven = models.Text(binding.Of(ctx).Key)
	for _, key := range r.legacyKeys {
		if r.ended.has(string(legacyToken{token, key}.id())) {
			return Tokens{}, fmt.Errorf("%w: it was refused before", ErrRevoked)
		}
	}
	ctx, end, err := r.begin(ctx)
	if err != nil {
		return Tokens{}, err
	}
	defer end()
	subject := "" // the host's answer, once it was asked
	for range maxAttempts {
		legacy, row, err := r.findLegacy(ctx, token)
		if err != nil {
			return Tokens{}, err
		}
		var tokens Tokens
		var settled bool
		switch {
		case row == nil:
			if subject == "" {
				if subject, err = r.askLegacy(ctx, token); err != nil {
					return Tokens{}, err
				}
			}
			r.presented = legacy.claims(subject, r.arrived)
			if bound != "" {
				r.presented.Binding = json.RawMessage(bound)
			}
			row, tokens, settled, err = r.start(ctx)
		case subject != "" && subject != string(row.Subject): // Claims was asked about this one, so it must not get the other's session
			err = fmt.Errorf("%w: the Legacy callback gave it to two subjects", ErrInvalidToken)
		case r.isOver(row):
			err = ErrExpired // as a spent token of ours is, which never outlives the live one
		default:
			if r.presented, err = legacy.claimsOf(row); err == nil {
				tokens, settled, err = r.carryOut(ctx, row)
			}
		}
		if err != nil {
			return Tokens{}, err
		}
		if !settled {
			continue
		}
		if err := r.limitTakenOver(ctx, row); err != nil {
			return Tokens{}, err
		}
		return tokens, nil
	}
	return Tokens{}, errUnsteady
}

// isOver tells whether a row's session ended by itself before the request arrived.
func (r *refresh) isOver(row *models.RefreshToken) bool {
	return row.ExpiresAt <= r.arrived || r.absoluteEnd(row.CreatedAt, row.AbsoluteLimit) <= r.arrived
}

// start inserts the row of the presented legacy token's session. It reports false if another request was faster.
func (r *refresh) start(ctx context.Context) (row *models.RefreshToken, tokens Tokens, started bool, err error) {
	row = r.successor(r.presented, r.arrived, r.device)
	if err := r.ask(ctx, row); err != nil {
		return nil, Tokens{}, false, err
	}
	// As at a rotation: the grace period runs from here, and whatever fails, fails before the legacy token is spent.
	now := r.now()
	row.IssuedAt, row.ExpiresAt = now, r.expiry(r.presented, now)
	if tokens, err = r.mint(ctx, row, now, r.custom); err != nil {
		return nil, Tokens{}, false, err
	}
	if started, _, err = r.store.CreateOnce(ctx, row, r.gracePeriod > 0); err != nil || !started {
		return nil, Tokens{}, false, err
	}
	r.emit(ctx, Event{Kind: EventTakenOver, Session: r.session(row), Device: r.device, Duration: time.Since(r.began)})
	r.purgeSometimes(ctx)
	return row, tokens, true, nil
}

// limitTakenOver is limitSessions for a session that was taken over. If it fails, the session stays, and the same request tries
// again: ending it would spend the legacy token for nothing.
func (r *refresh) limitTakenOver(ctx context.Context, row *models.RefreshToken) error {
	if r.config.MaxSessions == 0 {
		return nil
	}
	return r.endOldest(origin.With(ctx, origin.Request{UserAgent: r.device.UserAgent, IP: r.device.IP}), row)
}

// revokeLegacy is Revoke with a legacy token. If it was not taken over, its session is inserted as one that has ended, so that
// nobody can take it over.
func (s *Service) revokeLegacy(ctx context.Context, token string, now int64) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	subject, unsure := "", false
	for range maxAttempts {
		legacy, row, err := s.findLegacy(ctx, token)
		if err != nil {
			return err
		}
		if row != nil {
			if _, err := legacy.claimsOf(row); err != nil {
				return fmt.Errorf("%w: %w", ErrNotFound, err)
			}
			ended, err := s.store.RevokeSpent(ctx, row.ID, row.Subject, legacyGeneration, now, s.cutoff(now), models.ReasonLogout)
			ended = ended || unsure && row.RevokedFor == models.ReasonLogout
			return s.reportRevoked(ctx, ended, err, s.session(row), models.ReasonLogout)
		}
		if subject == "" {
			if subject, err = s.askLegacy(ctx, token); err != nil {
				if isOurs(err) {
					return fmt.Errorf("%w: %w", ErrNotFound, err)
				}
				return err
			}
		}
		row = s.successor(legacy.claims(subject, now), now, requester(ctx))
		row.RevokedAt, row.RevokedFor = now, models.ReasonLogout
		created, again, err := s.store.CreateOnce(ctx, row, true)
		if err != nil || created {
			return s.reportRevoked(ctx, created, err, s.session(row), models.ReasonLogout)
		}
		unsure = again
	}
	return errUnsteady
}
