package refreshtokens_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
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
	generation int64 // presented
}

// answered is the generation of the refresh token answered, and whether the operation succeeded.
type answered struct {
	ok         bool
	generation int64
}

// sessionState is a session as the decision table knows it, while the clock stands still.
type sessionState struct {
	generation int64 // 0: there is none
	revoked    bool
}

// decisionModel is the decision table, one operation after the other. Sessions are independent of each other.
func decisionModel(grace bool) porcupine.Model {
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
			switch in.kind {
			case "issue":
				return out == answered{true, 1} && s.generation == 0, sessionState{generation: 1}
			case "logout":
				return out.ok == lives, sessionState{s.generation, s.revoked || lives}
			case "revoke all":
				return out.ok, sessionState{s.generation, s.revoked || lives}
			default: // refresh
				switch {
				case !lives:
					return !out.ok, s
				case in.generation >= s.generation:
					return out == answered{true, in.generation + 1}, sessionState{generation: in.generation + 1}
				case grace && in.generation == s.generation-1:
					return out == answered{true, s.generation}, s
				default:
					return !out.ok, sessionState{s.generation, true}
				}
			}
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
	}
}

// recordHistory has clients of several Service instances on one database refresh, replay, log out and revoke, all on the
// same few sessions, and returns what they saw.
func recordHistory(t *testing.T, host *testhost.Host, seed uint64, ours ...*refreshtokens.Plugin) []porcupine.Operation {
	const clients, sessions, steps = 6, 4, 10
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
	generation := func(token string) int64 {
		var n int64
		_, _ = fmt.Sscan(fmt.Sprint(host.Claims(token)["gen"]), &n)
		return n
	}

	// Every session has a subject of its own, so that to revoke all is to revoke one.
	var known [sessions][]string // refresh tokens seen
	var sids [sessions]string
	for i := range sessions {
		tokens := host.Login(fmt.Sprintf("user %d", i))
		known[i], sids[i] = []string{tokens.Refresh.Token}, host.SessionID(tokens)
		record(0, operation{"issue", sids[i], 0}, func() answered { return answered{true, 1} })
	}
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(client)))
			service := ours[client%len(ours)]
			for range steps {
				i := random.IntN(sessions)
				mu.Lock()
				token := known[i][max(0, len(known[i])-1-random.IntN(2))] // the newest seen, or the one before
				mu.Unlock()
				in := operation{"refresh", sids[i], generation(token)}
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
						tokens, err := service.Refresh(context.Background(), token, plugin.Client{})
						check(err, plugin.ErrReused, plugin.ErrRevoked)
						if err != nil {
							return answered{}
						}
						next = tokens.Refresh.Token
						return answered{true, generation(next)}
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

// linearizable records histories and checks each. It returns at the first that is not, and tells whether none was.
func linearizable(t *testing.T, db *gorm.DB, grace bool, rounds uint64) bool {
	configure := func(config *refreshtokens.Config) {
		if !grace {
			config.GracePeriod = -1
		}
	}
	host := testhost.New(t, db, configure)
	other := testhost.New(t, db, configure, func(config *refreshtokens.Config) { config.Clock = host.Clock.Now })
	for seed := range rounds {
		history := recordHistory(t, host, seed, host.Plugin, other.Plugin)
		if !porcupine.CheckOperations(decisionModel(grace), history) {
			return false
		}
	}
	return true
}

func TestLinearizable(t *testing.T) {
	for name, grace := range map[string]bool{"grace": true, "no grace": false} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				if !linearizable(t, db, grace, 4) {
					t.Error("a history is not linearizable")
				}
			})
		})
	}
}

// TestCheckerBites: when the UPDATE loses its condition on the generation, the same test finds out.
func TestCheckerBites(t *testing.T) {
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
		if linearizable(t, db, true, 1000) {
			t.Error("the checker found nothing")
		}
	})
}
