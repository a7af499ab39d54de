package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// maxAttempts bounds how often a refresh starts over because the row that it read was older than the one that its
// UPDATE had met, which takes a restored backup or a lagging reader in between.
const maxAttempts = 3

// Refresh spends a refresh token and returns its successor with a fresh access token. Presented again within the grace
// period, before the successor is used, it returns the very same successor.
//
// Errors: [ErrInvalidToken], [ErrExpired], [ErrRevoked]; [ErrReused] and [ErrSubjectRefused], with which the session is
// revoked; [ErrInvalidClaims], what the Claims callback returned, or the database's, with which the token stays good.
func (s *Service) Refresh(ctx context.Context, token string, client Client) (Tokens, error) {
	arrived := s.now()
	presented, err := s.verifyRefresh(token, arrived)
	if err != nil {
		return Tokens{}, err
	}
	custom, err := s.customClaims(ctx, presented.Subject)
	if errors.Is(err, ErrSubjectRefused) {
		ctx, cancel := outlive(ctx)
		defer cancel()
		if _, err := s.store.Revoke(ctx, models.Text(presented.SessionID), models.Text(presented.Subject), arrived, models.ReasonRefused); err != nil {
			return Tokens{}, err
		}
	}
	if err != nil {
		return Tokens{}, err
	}
	// Whoever presents a spent token is judged by when they came, and the grace period runs from when its successor was
	// minted: a slow callback makes a thief of nobody.
	now := s.now()
	if s.gracePeriod > 0 {
		// Nor does a stalled database: a rotation that it holds up until little of the grace period would be left fails,
		// with the token unspent.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.config.GracePeriod/2)
		defer cancel()
	}

	// Minted before the UPDATE: whatever fails, fails before the token is spent.
	next := s.successor(presented, now, client)
	tokens, err := s.mint(next, now, custom)
	if err != nil {
		return Tokens{}, err
	}
	for range maxAttempts {
		rotated, err := s.store.Rotate(ctx, next)
		if err != nil {
			return Tokens{}, err
		}
		if rotated {
			return tokens, nil
		}
		row, err := s.store.Find(ctx, next.ID)
		if err != nil {
			return Tokens{}, err
		}
		switch decide(presented, row, arrived, s.gracePeriod) {
		case rotate:
			continue
		case replay:
			return s.mint(row, now, custom)
		case reuse:
			ended, err := s.endReused(ctx, presented, row, now, client)
			if err != nil {
				return Tokens{}, err
			}
			if !ended {
				continue
			}
			return Tokens{}, ErrReused
		case expired:
			return Tokens{}, ErrExpired
		case revoked:
			return Tokens{}, fmt.Errorf("%w: for %s", ErrRevoked, row.RevokedFor)
		case unknown:
			return Tokens{}, fmt.Errorf("%w: no such session", ErrInvalidToken)
		}
	}
	return Tokens{}, errors.New("the session's row can be read, and not updated, as it was before: " +
		"is the database being restored, read from a lagging replica, or in a transaction that has read before?")
}

// endReused revokes the session, unless someone else just has, and tells of it.
func (s *Service) endReused(ctx context.Context, presented refreshClaims, row *models.RefreshToken, now int64, presenter Client) (bool, error) {
	ctx, cancel := outlive(ctx)
	defer cancel()
	ended, err := s.store.RevokeReused(ctx, row.ID, row.Subject, presented.Generation, now)
	if err != nil || !ended {
		return false, err
	}
	s.config.Logger.WarnContext(ctx, "refreshtokens: a spent refresh token came back; its session is revoked",
		"session", presented.SessionID, "subject", presented.Subject,
		"presented_generation", presented.Generation, "generation", row.Generation, "ip", presenter.IP)
	if s.config.OnReuse != nil {
		s.config.OnReuse(ctx, s.session(row), presenter)
	}
	return true, nil
}

// revokeTimeout bounds a revocation that its request no longer does.
const revokeTimeout = 10 * time.Second

// outlive returns a context that the request's end doesn't end: a thief who hangs up must not keep the session alive, nor
// its owner from being told.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
}
