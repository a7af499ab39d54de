package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// operation is what a client asks of one session.
type operation struct {
	kind       string // issue, refresh, logout, revoke all
	session    string
	generation int64 // of the presented token
	minted     int64 // when the presented token was minted
	at         int64 // the time on the clock of the client's server
}

// answered says whether an operation succeeded, and which generation the refresh token in the answer has.
type answered struct {
	ok         bool
	generation int64
}

// sessionState is a session as the decision table knows it.
type sessionState struct {
	generation int64 // 0 before the session is issued
	issued     int64
	revoked    bool
}

// decisionModel is the decision table as a sequential model: it takes one operation after the other. Sessions are independent
// of each other.
func decisionModel(grace int64) porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			bySession := map[string][]porcupine.Operation{}
			for _, op := range history {
				session := op.Input.(operation).session
				bySession[session] = append(bySession[session], op)
			}
			var partitions [][]porcupine.Operation
			for _, ops := range bySession {
				partitions = append(partitions, ops)
			}
			return partitions
		},
		Init: func() any { return sessionState{} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(sessionState), input.(operation), output.(answered)
			lives := s.generation > 0 && !s.revoked
			ended := sessionState{s.generation, s.issued, s.revoked || lives}
			switch in.kind {
			case "issue":
				return out == answered{true, 1} && s.generation == 0, sessionState{generation: 1, issued: in.at}
			case "logout":
				return out.ok == lives, ended
			case "revoke all":
				return out.ok, ended
			}
			repeated := answered{true, s.generation}
			age := func(issued int64) int64 {
				if issued-in.at > grace/2 {
					return math.MaxInt64 // the token was minted by a clock too far ahead, so it counts as old
				}
				return in.at - issued
			}
			switch {
			case !lives:
				return !out.ok, s
			case grace > 0 && in.generation == s.generation && in.generation > 1 && age(in.minted) < 2*grace:
				return out == repeated, s
			case in.generation >= s.generation:
				return out == answered{true, in.generation + 1}, sessionState{generation: in.generation + 1, issued: in.at}
			case grace > 0 && in.generation == s.generation-1 && age(s.issued) <= grace:
				return out == repeated, s
			default:
				return !out.ok, ended
			}
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
	}
}

// pinnedClock is a server's clock. It stands still during an operation of the server's client, so that the time of each
// operation is known.
type pinnedClock struct{ seconds atomic.Int64 }

func (c *pinnedClock) now() time.Time { return time.Unix(c.seconds.Load(), 0) }

// recordHistory runs concurrent clients and returns their operations and answers. The clients refresh, repeat, log out and
// revoke, all on the same few sessions. Each client has a host of its own, on the same database. The hosts' clocks advance, and
// differ by up to half the grace period.
func recordHistory(t *testing.T, db *gorm.DB, grace int64, seed uint64) []porcupine.Operation {
	const clients, sessions, steps = 6, 4, 12
	var mu sync.Mutex
	var history []porcupine.Operation
	began := time.Now()
	record := func(client int, in operation, work func() answered) answered {
		call := time.Since(began).Nanoseconds()
		out := work()
		mu.Lock()
		defer mu.Unlock()
		history = append(history, porcupine.Operation{
			ClientId: client, Input: in, Output: out, Call: call, Return: time.Since(began).Nanoseconds(),
		})
		return out
	}
	check := func(err error, refusals ...error) {
		if err != nil && !slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) }) {
			t.Error(err)
		}
	}
	var clock atomic.Int64 // the right time
	clock.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Unix())
	var clocks [clients]pinnedClock
	var hosts [clients]*testhost.Host
	for i := range hosts {
		clocks[i].seconds.Store(clock.Load())
		hosts[i] = testhost.New(t, db, func(config *refreshtokens.Config) {
			config.Clock = clocks[i].now
			config.GracePeriod = time.Duration(grace) * time.Second
		})
	}
	claim := func(token, name string) int64 {
		n, err := hosts[0].Claims(token)[name].(json.Number).Int64()
		check(err)
		return n
	}

	// Every session has a subject of its own, so "revoke all" ends only one session.
	var known [sessions][]string // the refresh tokens that clients have seen
	var sids [sessions]string
	for i := range sessions {
		tokens := hosts[0].Login(fmt.Sprintf("user %d", i))
		known[i], sids[i] = []string{tokens.Refresh.Token}, hosts[0].SessionID(tokens)
		record(0, operation{kind: "issue", session: sids[i], at: clock.Load()}, func() answered { return answered{true, 1} })
	}
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(client)))
			service, skew := hosts[client], int64(0)
			if grace > 0 {
				skew = random.Int64N(grace/2 + 1)
			}
			for range steps {
				now := clock.Load()
				if random.IntN(3) == 0 {
					now = clock.Add(random.Int64N(40))
				}
				clocks[client].seconds.Store(now - skew)
				i := random.IntN(sessions)
				mu.Lock()
				token := known[i][max(0, len(known[i])-1-random.IntN(2))] // the newest token seen, or the one before it
				mu.Unlock()
				in := operation{kind: "refresh", session: sids[i], generation: claim(token, "gen"), minted: claim(token, "iat"), at: now - skew}
				switch random.IntN(30) {
				case 0:
					in.kind = "logout"
					record(client, in, func() answered {
						err := service.Revoke(context.Background(), token)
						check(err, plugin.ErrNotFound)
						return answered{ok: err == nil}
					})
				case 1:
					in.kind = "revoke all"
					record(client, in, func() answered {
						err := service.RevokeAll(context.Background(), fmt.Sprintf("user %d", i))
						check(err)
						return answered{ok: err == nil}
					})
				default:
					var next string
					out := record(client, in, func() answered {
						tokens, err := service.Refresh(context.Background(), token, plugin.Device{})
						check(err, plugin.ErrReused, plugin.ErrRevoked)
						if err != nil {
							return answered{}
						}
						next = tokens.Refresh.Token
						return answered{true, claim(next, "gen")}
					})
					if out.ok {
						mu.Lock()
						known[i] = append(known[i], next)
						mu.Unlock()
					}
				}
			}
		})
	}
	wait.Wait()
	return history
}

// linearizable records histories and checks each. It stops at the first history that is not linearizable, and reports whether
// all were. rotations counts the refreshes that returned a later generation than the presented one, and repeats counts the
// other successful refreshes.
func linearizable(t *testing.T, db *gorm.DB, grace int64, rounds uint64) (all bool, rotations, repeats int) {
	for seed := range rounds {
		history := recordHistory(t, db, grace, seed)
		for _, op := range history {
			in, out := op.Input.(operation), op.Output.(answered)
			if in.kind == "refresh" && out.ok && out.generation > in.generation {
				rotations++
			} else if in.kind == "refresh" && out.ok {
				repeats++
			}
		}
		if !porcupine.CheckOperations(decisionModel(grace), history) {
			return false, rotations, repeats
		}
	}
	return true, rotations, repeats
}

func TestLinearizable(t *testing.T) {
	for name, test := range map[string]struct {
		grace  int64
		rounds uint64
	}{
		"grace":    {grace: 30, rounds: 6},
		"no grace": {grace: -1, rounds: 8}, // the first retry ends a session, so a round has few rotations
	} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				all, rotations, repeats := linearizable(t, db, test.grace, test.rounds)
				if !all {
					t.Error("a history is not linearizable")
				}
				if rotations < 8 || test.grace > 0 && repeats < 1 {
					t.Errorf("only %d rotations and %d repeats: too few to prove anything", rotations, repeats)
				}
			})
		})
	}
}

// TestCheckerFindsLostCondition checks the checker. It removes the UPDATE's condition on the generation, and the checker must
// find a history that is not linearizable.
func TestCheckerFindsLostCondition(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		err := db.Callback().Update().Before("gorm:update").Register("test:forget", func(db *gorm.DB) {
			if next, ok := db.Statement.Dest.(*models.RefreshToken); ok {
				forgetful := clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "id = ? AND revoked_at = 0", Vars: []any{next.ID}}}}
				db.Statement.Clauses["WHERE"] = clause.Clause{Name: "WHERE", Expression: forgetful}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if all, _, _ := linearizable(t, db, 30, 1000); all {
			t.Error("the checker found every history linearizable")
		}
	})
}
