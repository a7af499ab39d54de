package soak_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/dpop"
)

// user is a user with some devices, from the login to the end of every session. What it does is a script, so it knows at any time which
// of its sessions live.
type user struct {
	*world
	random   *rand.Rand
	subject  string
	sessions []*session
	strays   bool // a login got no answer, and may have started a session
}

func newUser(w *world, random *rand.Rand) *user {
	return &user{world: w, random: random, subject: fmt.Sprintf("user-%x", rand.Uint64())}
}

// live is a user's life. The end of ctx cuts it short.
func (u *user) live(ctx context.Context) {
	for range 1 + u.random.IntN(3) {
		u.login()
	}
	if len(u.sessions) == 0 {
		return
	}
	if u.random.IntN(4) == 0 {
		u.robbed(ctx, u.sessions[0])
	}
	for range 4 + u.random.IntN(10) {
		s := u.living()
		if s == nil || !u.think(ctx) {
			return
		}
		switch n := u.random.IntN(10); {
		case n < 3:
			s.refresh()
		case n < 6:
			s.openTabs()
		case n < 8:
			s.loseAnswer(ctx)
		case n < 9:
			s.me()
		default:
			s.list()
		}
	}
	u.finish(ctx)
}

// think waits for a moment, and reports whether ctx let it.
func (u *user) think(ctx context.Context) bool {
	return pause(ctx, time.Duration(100+u.random.IntN(900))*time.Millisecond)
}

// living picks a session that lives, or nil.
func (u *user) living() *session {
	var living []*session
	for _, s := range u.sessions {
		if !s.over() {
			living = append(living, s)
		}
	}
	if len(living) == 0 {
		return nil
	}
	return living[u.random.IntN(len(living))]
}

// login starts a session: one without a key, one that is bound at once, or one that will be bound at its first refresh.
func (u *user) login() {
	plain := &http.Client{Transport: u.transport}
	s := &session{user: u, client: plain}
	entering := plain
	if kind := u.random.IntN(4); kind > 1 {
		transport, err := dpop.New(newAccessKey(), u.transport)
		if err != nil {
			u.t.Error(err)
			return
		}
		s.hasKey, s.client = true, &http.Client{Transport: transport}
		if kind > 2 {
			entering = s.client
		}
	}
	r := u.insist(entering, http.MethodPost, loginPath+"?subject="+u.subject, "", "")
	if tries := int64(r.tries - 1); tries > 0 || failed(r.status) {
		u.strays = true
		u.counts.failedLogins.Add(int64(r.tries))
	}
	if r.status != http.StatusOK {
		if !failed(r.status) {
			u.t.Errorf("%s: login answered %d %s", u.name, r.status, r.body)
		}
		return
	}
	if err := json.Unmarshal(r.body, &s.tokens); err != nil {
		u.t.Error(err)
	}
	s.id = u.claims(s.tokens.Refresh.Token).SessionID
	u.ledger.of(s.id, func(f *fate) { f.owned = true })
	u.sessions = append(u.sessions, s)
	u.counts.logins.Add(1)
}

// list compares the list of sessions with what the user knows.
func (s *session) list() {
	r, ok := s.ask(http.MethodGet, sessionsPath)
	if !ok {
		return
	}
	var answer struct{ Sessions []struct{ ID string } }
	if r.status != http.StatusOK || json.Unmarshal(r.body, &answer) != nil {
		s.t.Errorf("%s: the list answered %d %s", s.name, r.status, r.body)
		return
	}
	var listed []string
	for _, listedSession := range answer.Sessions {
		listed = append(listed, listedSession.ID)
	}
	for _, mine := range s.sessions {
		there := slices.Contains(listed, mine.id)
		listed = slices.DeleteFunc(listed, func(id string) bool { return id == mine.id })
		switch expires := s.claims(mine.tokens.Refresh.Token).expires(); {
		case mine.excused || time.Until(expires) < 2*time.Second: // nobody knows
		case there != (mine.ended == ""):
			s.t.Errorf("%s: session %s is listed: %t, and it was ended for %q", s.name, mine.id, there, mine.ended)
		}
	}
	if len(listed) > 0 && !s.strays {
		s.t.Errorf("%s: unknown sessions are listed: %v", s.name, listed)
	}
}
