package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/internal/origin"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Revoke ends the session of a refresh token. The token may be spent. It may also have expired, if it was spent before: then
// its session may have moved on and still be live. An unspent token that has expired is of a session that idled out. Once Revoke
// has returned nil, no token of that session can be refreshed. Errors: [ErrNotFound], with the cause, if the token is not of a
// live session; or the database's.
func (s *Service) Revoke(ctx context.Context, token string) error {
	now := s.now()
	claims, err := s.readRefresh(token, now)
	if s.isLegacy(token, err) {
		return s.revokeLegacy(ctx, token, now)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	row := s.successor(claims, now, requester(ctx))
	var ended bool
	if claims.ExpiresAt <= now {
		ended, err = s.store.RevokeSpent(ctx, row.ID, row.Subject, claims.Generation, now, s.cutoff(now), models.ReasonLogout)
	} else {
		ended, err = s.store.Revoke(ctx, row.ID, row.Subject, now, models.ReasonLogout)
	}
	return s.reportRevoked(ctx, ended, err, s.session(row), models.ReasonLogout)
}

// RevokeSession ends the subject's session of that id, or returns [ErrNotFound].
func (s *Service) RevokeSession(ctx context.Context, subject, id string) error {
	if !jose.ValidSessionID(id) {
		return ErrNotFound
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	ended, err := s.store.Revoke(ctx, models.Text(id), models.Text(subject), s.now(), models.ReasonRevoked)
	return s.reportRevoked(ctx, ended, err, Session{ID: id, Subject: subject}, models.ReasonRevoked)
}

// reportRevoked tells of a session that was ended, and makes an error of one that was not there.
func (s *Service) reportRevoked(ctx context.Context, ended bool, err error, session Session, why models.Reason) error {
	s.forgetLive(session.ID) // also after an error: it may have been carried out
	if err != nil {
		return err
	}
	if !ended {
		return ErrNotFound
	}
	s.emitRevoked(ctx, session, 1, why)
	return nil
}

// RevokeAll ends all of the subject's sessions, but those whose ids are in except. It is no error if there are none.
// Errors: [ErrInvalidSubject], or [ErrNotFound] where an id in except can't be a session's, and nothing is ended; or the
// database's.
func (s *Service) RevokeAll(ctx context.Context, subject string, except ...string) error {
	if !jose.ValidSubject(subject) {
		return ErrInvalidSubject
	}
	keep := make([]models.Text, 0, len(except))
	for _, id := range except {
		if !jose.ValidSessionID(id) {
			return fmt.Errorf("except: %w", ErrNotFound)
		}
		keep = append(keep, models.Text(id))
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	ended, unsure, err := s.store.RevokeAll(ctx, models.Text(subject), keep, s.now(), models.ReasonRevoked)
	s.forgetLive("")
	if err != nil {
		return err
	}
	if ended > 0 || unsure {
		s.emitRevoked(ctx, Session{Subject: subject}, ended, models.ReasonRevoked)
	}
	return nil
}

// revokeTimeout bounds a revocation.
const revokeTimeout = 10 * time.Second

// detach returns a context that the end of the request doesn't end. A revocation goes on when the client hangs up: a thief
// must not keep the session alive, and who logs out must not stay logged in.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
}

// requester is the device that sent the request of ctx; empty where ctx is of none.
func requester(ctx context.Context) Device {
	request, _ := origin.Of(ctx)
	return Device{UserAgent: request.UserAgent, IP: request.IP}
}
