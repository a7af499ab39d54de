package conformance_test

import (
	"net/http"
	"net/http/httptest"

	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// step lets some time pass, and does something with a session.
func (c *historyClient) step() {
	i, session, token := c.pick()
	now := c.clock.Load()
	if c.random.IntN(3) == 0 {
		now = c.clock.Add(c.random.Int64N(40))
	}
	if c.scenario.keys && c.random.IntN(30) == 0 {
		now = c.clock.Add(3600 + c.random.Int64N(7200))
	}
	c.pinned.seconds.Store(now - c.skew)
	in := c.presenting(token)
	action := c.random.IntN(30)
	if action < 3 && c.scenario.keys {
		c.failover.Lock()
		defer c.failover.Unlock()
		c.loseWrites(session)
		return
	}
	c.failover.RLock()
	defer c.failover.RUnlock()
	switch action {
	case 3:
		c.logout(in, token)
	case 4:
		c.revokeAll(in, session)
	default:
		if lives := c.refresh(in, token, session); lives {
			return
		}
	}
	if c.scenario.keys {
		c.login(i)
	}
}

// pick returns one of the tokens of a session: the newest that was seen or the one before it, and with keys now and then any of them.
func (c *historyClient) pick() (i int, session *knownSession, token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i = c.random.IntN(len(c.sessions))
	session = c.sessions[i]
	newest := len(session.tokens) - 1
	if c.scenario.keys && c.random.IntN(5) == 0 {
		return i, session, session.tokens[c.random.IntN(newest+1)]
	}
	return i, session, session.tokens[max(0, newest-c.random.IntN(2))]
}

// refresh refreshes with a token, and tells whether the session may still live.
func (c *historyClient) refresh(in operation, token string, session *knownSession) bool {
	in.kind = "refresh"
	if c.scenario.keys {
		in.proven = []string{"", "", "", "owner", "owner", "owner", "owner", "thief"}[c.random.IntN(8)]
	}
	var next string
	out := c.record(in, func() answered {
		c.warned = ""
		recorder := c.send(token, in.proven)
		if recorder.Code != http.StatusOK {
			c.want(recorder, http.StatusUnauthorized)
			return answered{warned: c.warned}
		}
		next = c.keys["owner"].mustTokens(recorder).Refresh.Token
		got := c.presenting(next)
		return answered{ok: true, generation: got.generation, boundTo: got.boundTo, warned: c.warned}
	})
	if out.ok {
		c.mu.Lock()
		session.tokens = append(session.tokens, next)
		c.mu.Unlock()
	}
	return out.warned != plugin.EventReuseDetected
}

// send sends a refresh, with a proof by a key unless it is empty.
func (c *historyClient) send(token, key string) *httptest.ResponseRecorder {
	if key == "" {
		return c.host.PostToken(boundRefresh, token)
	}
	return c.keys[key].refresh(token)
}

func (c *historyClient) want(recorder *httptest.ResponseRecorder, status int) {
	if recorder.Code != status {
		c.t.Errorf("answered %d %s, want %d", recorder.Code, recorder.Body, status)
	}
}

func (c *historyClient) logout(in operation, token string) {
	in.kind = "logout"
	c.record(in, func() answered {
		recorder := c.host.PostToken(boundLogout, token)
		if recorder.Code != http.StatusNoContent {
			c.want(recorder, http.StatusNotFound)
		}
		return answered{ok: recorder.Code == http.StatusNoContent}
	})
}

func (c *historyClient) revokeAll(in operation, session *knownSession) {
	in.kind = "revoke all"
	c.record(in, func() answered {
		err := c.host.RevokeAll(c.t.Context(), session.subject)
		if err != nil {
			c.t.Error(err)
		}
		return answered{ok: err == nil}
	})
}

// loseWrites makes the row what it was after the login, as a fail-over to a replica that lagged does. It loses no revocation.
func (c *historyClient) loseWrites(session *knownSession) {
	in := operation{kind: "lose writes", session: string(session.first.ID), minted: session.first.IssuedAt, boundTo: c.presenting(session.tokens[0]).boundTo}
	c.record(in, func() answered {
		err := c.db.Model(&models.RefreshToken{}).Where("id = ? AND revoked_at = 0", session.first.ID).
			Select("generation", "issued_at", "expires_at", "binding").UpdateColumns(session.first).Error
		if err != nil {
			c.t.Error(err)
		}
		return answered{ok: err == nil}
	})
}
