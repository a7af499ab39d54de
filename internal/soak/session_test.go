package soak_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// session is one device's login, as its client knows it.
type session struct {
	*user
	id      string
	client  *http.Client // sends proofs, if the client has a key
	hasKey  bool
	tokens  plugin.Tokens
	spent   string        // the refresh token before this one
	rotated time.Time     // when this one was received at the latest
	ended   models.Reason // why it was ended, or empty
	excused bool          // it ran out, or got no answer for too long
}

func (s *session) over() bool { return s.ended != "" || s.excused }

// end notes that the session was ended.
func (s *session) end(why models.Reason) {
	s.ended = why
	s.ledger.of(s.id, func(f *fate) { f.ended = why })
}

func (s *session) excuse() {
	s.excused = true
	s.ledger.of(s.id, func(f *fate) { f.excused = true })
}

// refresh sends the token until there is an answer, and judges that.
func (s *session) refresh() {
	s.judge(s.tokens.Refresh.Token, s.send(s.tokens.Refresh.Token), time.Now())
}

// send sends a token to the refresh route.
func (s *session) send(token string) reply {
	s.counts.refreshes.Add(1)
	if s.hasKey {
		s.counts.bound.Add(1)
	}
	return s.insist(s.client, http.MethodPost, refreshPath, "", refreshBody(token))
}

// judge checks the answer to a refresh. since is when the token was sent first, or later than the answer's own first try.
func (s *session) judge(token string, r reply, since time.Time) {
	presented := s.claims(token)
	if r.first.Before(since) {
		since = r.first
	}
	switch {
	case s.excused: // nobody knows
	case r.status == http.StatusOK && s.ended != "":
		s.t.Errorf("%s: session %s was ended for %s, and is refreshed", s.name, s.id, s.ended)
	case r.status == http.StatusOK && r.first.After(presented.expires().Add(time.Second)):
		s.t.Errorf("%s: session %s is refreshed with a token that expired at %v", s.name, s.id, presented.expires())
	case r.status == http.StatusOK:
		s.take(r.body, presented)
	case r.status == http.StatusUnauthorized && s.ended != "":
	case r.status == http.StatusUnauthorized && r.last.After(presented.expires().Add(-time.Second)):
		s.counts.expired.Add(1)
		s.excuse()
	case failed(r.status), r.status == http.StatusUnauthorized && r.last.Sub(since) > patience:
		s.counts.stalled.Add(1)
		s.excuse()
	default:
		s.t.Errorf("%s: session %s should live, and its refresh with generation %d is answered %d %s, after %d tries in %v; %s",
			s.name, s.id, presented.Generation, r.status, r.body, r.tries, r.last.Sub(since), s.ledger.describe(s.id))
		s.excuse()
	}
}

// take keeps the tokens of an answer, unless they are older than the ones it has.
func (s *session) take(body []byte, presented claims) {
	var tokens plugin.Tokens
	if err := json.Unmarshal(body, &tokens); err != nil {
		s.t.Error(err)
		return
	}
	got, have := s.claims(tokens.Refresh.Token), s.claims(s.tokens.Refresh.Token)
	if got.Generation < presented.Generation || got.SessionID != s.id {
		s.t.Errorf("%s: session %s presented generation %d, and got %d of %s", s.name, s.id, presented.Generation, got.Generation, got.SessionID)
	}
	if s.hasKey && got.Key == nil {
		s.t.Errorf("%s: session %s has a key, and is answered with an unbound token", s.name, s.id)
	}
	if got.Generation > have.Generation {
		s.spent, s.rotated = s.tokens.Refresh.Token, time.Now()
		s.counts.rotations.Add(1)
	}
	if got.Generation >= have.Generation {
		s.tokens = tokens
	}
}

// openTabs has several tabs refresh with the same token at about the same time. All get the same token, or the one before it.
func (s *session) openTabs() {
	s.counts.tabs.Add(1)
	token, since := s.tokens.Refresh.Token, time.Now()
	replies := make([]reply, 2+s.random.IntN(5))
	var wait sync.WaitGroup
	for i := range replies {
		jitter := time.Duration(s.random.IntN(500)) * time.Millisecond
		wait.Go(func() {
			pause(context.Background(), jitter)
			replies[i] = s.send(token)
		})
	}
	wait.Wait()
	for _, r := range replies {
		s.judge(token, r, since)
		if s.excused {
			return
		}
	}
	if next := s.claims(s.tokens.Refresh.Token).Generation - s.claims(token).Generation; next > 1 {
		s.t.Errorf("%s: tabs of session %s have moved on by %d generations", s.name, s.id, next)
	}
}

// loseAnswer hangs up before the answer is there, does something else for up to three seconds, and sends the token again.
func (s *session) loseAnswer(ctx context.Context) {
	s.counts.lost.Add(1)
	token, since := s.tokens.Refresh.Token, time.Now()
	hangUp, cancel := context.WithTimeout(context.Background(), time.Duration(s.random.IntN(15))*time.Millisecond)
	s.world.send(hangUp, s.client, http.MethodPost, refreshPath, "", refreshBody(token))
	cancel()
	pause(ctx, time.Duration(s.random.IntN(3000))*time.Millisecond)
	s.judge(token, s.send(token), since)
}

// ask sends a request with the access token, which it refreshes first if it is about to expire. It reports false if there was no
// answer.
func (s *session) ask(method, path string) (reply, bool) {
	if time.Until(s.claims(s.tokens.Access.Token).expires()) < 8*time.Second {
		if s.refresh(); s.over() {
			return reply{}, false
		}
	}
	r := s.withAccess(method, path)
	late := r.last.After(s.claims(s.tokens.Access.Token).expires().Add(-time.Second)) // at the session's end
	return r, !failed(r.status) && !late
}

func (s *session) withAccess(method, path string) reply {
	scheme := "Bearer "
	if s.claims(s.tokens.Access.Token).Key != nil {
		scheme = "DPoP "
	}
	return s.insist(s.client, method, path, scheme+s.tokens.Access.Token, "")
}

// me asks for what every living session may see.
func (s *session) me() {
	for _, path := range []string{mePath, livePath} {
		if r, ok := s.ask(http.MethodGet, path); ok && r.status != http.StatusOK {
			s.t.Errorf("%s: session %s lives, and %s answers %d %s", s.name, s.id, path, r.status, r.body)
		}
	}
}
