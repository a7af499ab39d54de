package conformance_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/go-jose/go-jose/v4"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// scenario is what the clients of a history do.
type scenario struct {
	grace int64 // the grace period in seconds; a negative one turns it off
	// keys has clients that prove a key or lack it, who come back with old tokens hours later; and a database that loses writes.
	keys bool
}

// pinnedClock is a server's clock. It stands still during an operation of the server's client, so that the time of each
// operation is known.
type pinnedClock struct{ seconds atomic.Int64 }

func (c *pinnedClock) now() time.Time { return time.Unix(c.seconds.Load(), 0) }

// history is what concurrent clients did, and what they were answered.
type history struct {
	scenario
	t     *testing.T
	db    *gorm.DB
	began time.Time
	clock atomic.Int64      // the right time
	names map[string]string // of the keys, by their thumbprints

	failover sync.RWMutex // a fail-over ends what is under way, so nothing is

	mu         sync.Mutex
	operations []porcupine.Operation
	sessions   []*knownSession
	logins     int
}

// knownSession is a session that the clients share.
type knownSession struct {
	subject string
	first   models.RefreshToken // the row after the login
	tokens  []string            // the refresh tokens that clients have seen
}

// historyClient is a client with a host of its own, on the database of all.
type historyClient struct {
	*history
	id     int
	random *rand.Rand
	host   *testhost.Host
	pinned pinnedClock
	skew   int64 // how far the host's clock is behind
	keys   map[string]*prover
	warned plugin.EventKind // what the host was last told of a refused refresh
}

// recordHistory runs concurrent clients and returns their operations and answers. The clients refresh, repeat, log out and
// revoke, all on the same few sessions. Each client has a host of its own, on the same database. The hosts' clocks advance, and
// differ by up to half the grace period.
func recordHistory(t *testing.T, db *gorm.DB, s scenario, seed uint64) []porcupine.Operation {
	const clients = 6
	sessions, steps := 4, 12
	if s.keys {
		sessions, steps = 2, 20
	}
	h := &history{scenario: s, t: t, db: db, began: time.Now(), names: map[string]string{}}
	h.clock.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Unix())
	owner, thief := newProver(t, nil), newProver(t, nil)
	h.names[thumbprint(t, owner)], h.names[thumbprint(t, thief)] = "owner", "thief"
	var all [clients]*historyClient
	for i := range all {
		c := &historyClient{history: h, id: i, random: rand.New(rand.NewPCG(seed, uint64(i)))}
		c.pinned.seconds.Store(h.clock.Load())
		c.host = boundHost(t, db, plugin.BindingIfOffered, func(config *refreshtokens.Config) {
			config.Clock, config.GracePeriod = c.pinned.now, time.Duration(s.grace)*time.Second
			config.OnEvent = func(_ context.Context, event refreshtokens.Event) {
				if event.Kind == plugin.EventUnproven || event.Kind == plugin.EventReuseDetected {
					c.warned = event.Kind
				}
			}
		})
		c.keys = map[string]*prover{
			"owner": {host: c.host, key: owner.key, jwk: owner.jwk}, "thief": {host: c.host, key: thief.key, jwk: thief.jwk},
		}
		all[i] = c
	}
	h.sessions = make([]*knownSession, sessions)
	for i := range sessions {
		all[0].login(i)
	}
	var wait sync.WaitGroup
	for _, c := range all {
		wait.Go(func() {
			if s.grace > 0 {
				c.skew = c.random.Int64N(s.grace/2 + 1)
			}
			for range steps {
				c.step()
			}
		})
	}
	wait.Wait()
	return h.operations
}

func thumbprint(t *testing.T, p *prover) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: p.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// login starts the session in place i, now and then bound to the owner's key. Every session has a subject of its own, so "revoke all"
// ends only one session.
func (c *historyClient) login(i int) {
	c.mu.Lock()
	c.logins++
	subject := fmt.Sprintf("user-%d", c.logins)
	c.mu.Unlock()
	path := boundLogin + "?subject=" + subject
	var token string
	if c.scenario.keys && c.random.IntN(4) == 0 {
		token = c.keys["owner"].mustTokens(c.keys["owner"].send(http.MethodPost, path, "")).Refresh.Token
	} else {
		token = c.keys["owner"].mustTokens(c.host.Do(http.MethodPost, path, nil)).Refresh.Token
	}
	session := &knownSession{subject: subject, tokens: []string{token}}
	in := c.presenting(token)
	in.kind = "issue"
	c.record(in, func() answered { return answered{ok: true} })
	for _, row := range c.host.Rows() {
		if string(row.ID) == in.session {
			session.first = row
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[i] = session
}

// presenting returns an operation with a token, at the time of the client's host.
func (c *historyClient) presenting(token string) operation {
	claims := c.host.Claims(token)
	number := func(name string) int64 {
		n, err := claims[name].(json.Number).Int64()
		if err != nil {
			c.t.Error(err)
		}
		return n
	}
	in := operation{session: fmt.Sprint(claims["sid"]), generation: number("gen"), minted: number("iat"), at: c.pinned.seconds.Load()}
	if cnf, ok := claims["cnf"].(map[string]any); ok {
		in.boundTo = c.names[fmt.Sprint(cnf["jkt"])]
	}
	return in
}

func (c *historyClient) record(in operation, work func() answered) answered {
	call := time.Since(c.began).Nanoseconds()
	out := work()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.operations = append(c.operations, porcupine.Operation{
		ClientId: c.id, Input: in, Output: out, Call: call, Return: time.Since(c.began).Nanoseconds(),
	})
	return out
}
