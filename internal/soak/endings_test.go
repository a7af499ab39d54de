package soak_test

import (
	"context"
	"net/http"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// finish ends a user's sessions, in one of the ways there are.
func (u *user) finish(ctx context.Context) {
	switch n := u.random.IntN(10); {
	case n < 3:
		for _, s := range u.sessions {
			s.logout()
		}
	case n < 5:
		if s := u.living(); s != nil {
			s.everywhere("")
		}
	case n < 6:
		if s := u.living(); s != nil {
			s.everywhere("?except=current")
			s.logout()
		}
	case n < 7:
		if !pause(ctx, refreshTTL+2*time.Second) {
			return
		}
	case n < 9:
		for s := u.living(); s != nil; s = u.living() { // until the absolute end
			if s.refresh(); !u.think(ctx) {
				return
			}
		}
	default: // leaves them behind
		return
	}
	u.checkEnded()
}

// checkEnded tries the tokens of sessions that should be over.
func (u *user) checkEnded() {
	for _, s := range u.sessions {
		if s.refresh(); !s.over() {
			s.logout()
		}
		if s.ended == "" {
			continue
		}
		if r := s.withAccess(http.MethodGet, livePath); r.status != http.StatusUnauthorized && !failed(r.status) {
			s.t.Errorf("%s: session %s was ended for %s, and its access token is answered %d", s.name, s.id, s.ended, r.status)
		}
	}
}

// logout ends the session with its refresh token.
func (s *session) logout() {
	if s.over() {
		return
	}
	r := s.insist(&http.Client{Transport: s.transport}, http.MethodPost, logoutPath, "", refreshBody(s.tokens.Refresh.Token)) // needs no proof
	expires := s.claims(s.tokens.Refresh.Token).expires()
	switch {
	case r.status == http.StatusNoContent, r.status == http.StatusNotFound && r.tries > 1: // done before the answer got lost
		s.end(models.ReasonLogout)
		s.counts.logouts.Add(1)
	case r.status == http.StatusNotFound && r.last.After(expires.Add(-time.Second)), failed(r.status):
		s.excuse()
	default:
		s.t.Errorf("%s: log-out of session %s is answered %d %s", s.name, s.id, r.status, r.body)
	}
}

// everywhere ends every session of the user, or all but this one.
func (s *session) everywhere(query string) {
	r, ok := s.ask(http.MethodDelete, sessionsPath+query)
	again := r.status == http.StatusUnauthorized && r.tries > 1 // it has ended itself before the answer got lost
	switch {
	case !ok:
		for _, other := range s.sessions {
			other.excuse() // nobody knows
		}
		return
	case r.status != http.StatusNoContent && !again:
		s.t.Errorf("%s: log-out everywhere of session %s is answered %d %s", s.name, s.id, r.status, r.body)
		return
	}
	s.counts.everywhere.Add(1)
	for _, other := range s.sessions {
		if !other.over() && (query == "" || other != s) {
			other.end(models.ReasonRevoked)
		}
	}
}

// robbed has a thief copy the first token of a session. The user refreshes, and when the grace period is over, the thief does.
func (u *user) robbed(ctx context.Context, s *session) {
	stolen := s.tokens.Refresh.Token
	wasBound := u.claims(stolen).Key != nil
	if s.refresh(); s.over() || !pause(ctx, grace+2*time.Second) {
		return
	}
	if s.hasKey { // whose holder may come back with it at any time
		s.judge(stolen, s.send(stolen), time.Now())
		u.counts.holders.Add(1)
	}
	if s.over() || time.Until(u.claims(stolen).expires()) < patience+time.Second {
		return
	}
	u.ledger.of(s.id, func(f *fate) { f.robbed = true })
	thief := &http.Client{Transport: u.transport}
	r := u.insist(thief, http.MethodPost, refreshPath, "", refreshBody(stolen))
	switch {
	case failed(r.status):
		s.excuse()
		return
	case r.status != http.StatusUnauthorized:
		u.t.Errorf("%s: the thief of session %s is answered %d", u.name, s.id, r.status)
	}
	u.ledger.of(s.id, func(f *fate) { f.caught = r.tries == 1 }) // a try that failed may have ended the session, and told nobody
	if wasBound {
		u.counts.unproven.Add(1)
	} else {
		u.counts.reuses.Add(1)
		s.end(models.ReasonReuse)
	}
	s.refresh() // which is refused where the session was ended, and nowhere else
}
