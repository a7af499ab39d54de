package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// meet makes every Legacy callback of a group wait until all of them were asked. So nobody has inserted a row before that.
func meet(n int) func(*refreshtokens.Config) {
	var arrived sync.WaitGroup
	arrived.Add(n)
	return func(c *refreshtokens.Config) {
		ask := c.Legacy
		c.Legacy = func(ctx context.Context, token string) (string, error) {
			arrived.Done()
			arrived.Wait()
			return ask(ctx, token)
		}
	}
}

// legacyHosts are several hosts on one database, as processes are.
func legacyHosts(t *testing.T, db *gorm.DB, configure ...func(*refreshtokens.Config)) []*testhost.Host {
	t.Helper()
	hosts := make([]*testhost.Host, 3)
	for i := range hosts {
		all := append([]func(*refreshtokens.Config){func(c *refreshtokens.Config) { c.Legacy = (&oldSystem{}).subject }}, configure...)
		hosts[i] = testhost.New(t, db, all...)
	}
	return hosts
}

// TestParallelTakeOversShareOneSession: all of them find no row, ask the old system and try to insert one.
func TestParallelTakeOversShareOneSession(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		events := &diary{}
		hosts := legacyHosts(t, db, meet(parallel), func(c *refreshtokens.Config) { c.OnEvent, c.MaxSessions = events.write, 1 })
		answers := together(parallel, func(i int) string {
			status, tokens := hosts[i%len(hosts)].TryRefresh(oldToken)
			if status != http.StatusOK {
				t.Errorf("answered %d", status)
			}
			return tokens.Refresh.Token
		})
		for _, answer := range answers {
			if answer != answers[0] {
				t.Fatal("one legacy token has two answers")
			}
		}
		if rows := hosts[0].Rows(); len(rows) != 1 || rows[0].Generation != 2 || rows[0].RevokedAt != 0 {
			t.Errorf("the rows are %+v", rows)
		}
		started := 0
		for _, event := range events.read() {
			if strings.HasPrefix(event, "taken_over") {
				started++
			}
		}
		if started != 1 {
			t.Errorf("%d sessions were reported", started)
		}
	})
}

func TestParallelTakeOversWithoutGraceHaveOneWinner(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		hosts := legacyHosts(t, db, meet(parallel), testhost.Strict)
		counts := map[int]int{}
		for _, status := range together(parallel, func(i int) int {
			status, _ := hosts[i%len(hosts)].TryRefresh(oldToken)
			return status
		}) {
			counts[status]++
		}
		if counts[http.StatusOK] != 1 || counts[http.StatusUnauthorized] != parallel-1 {
			t.Errorf("statuses are %v", counts)
		}
		if rows := hosts[0].Rows(); len(rows) != 1 || rows[0].RevokedFor != models.ReasonReuse {
			t.Errorf("the rows are %+v", rows)
		}
	})
}

// TestLogoutBeatsTakeOver: once a log-out with a legacy token has answered 204, nothing that the token was traded for works.
func TestLogoutBeatsTakeOver(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		hosts := legacyHosts(t, db)
		for round := range 10 {
			token := fmt.Sprintf("of user %d", round)
			survivors := together(8, func(i int) string {
				host := hosts[i%len(hosts)]
				if i == 0 {
					if code := host.PostToken(testhost.LogoutPath, token).Code; code != http.StatusNoContent {
						t.Errorf("log-out answered %d", code)
					}
				}
				_, tokens := host.TryRefresh(token)
				return tokens.Refresh.Token
			})
			for _, survivor := range append(survivors, token) {
				if survivor != "" {
					hosts[1].WantRefresh(survivor, http.StatusUnauthorized)
				}
			}
		}
	})
}

// legacyModel is the decision table with legacy tokens, as a sequential model. Until a legacy token is used, its session is not there:
// generation 0. A take-over starts it, and a log-out ends it before it starts. From then on the legacy token is that of
// generation 1.
func legacyModel(grace int64) porcupine.Model {
	table := decisionModel(grace)
	step := table.Step
	table.Step = func(state, input, output any) (bool, any) {
		s, in, out := state.(sessionState), input.(operation), output.(answered)
		if s.generation > 0 || in.generation != 1 {
			return step(state, input, output)
		}
		if in.kind == "logout" {
			return out.ok, sessionState{generation: 2, issued: in.at, revoked: true}
		}
		return out == answered{ok: true, generation: 2}, sessionState{generation: 2, issued: in.at}
	}
	return table
}

// recordTakeOvers is recordHistory for sessions that begin with a legacy token.
func recordTakeOvers(t *testing.T, db *gorm.DB, grace int64, seed uint64) []porcupine.Operation {
	const clients, sessions, steps = 6, 4, 12
	var mu sync.Mutex
	var history []porcupine.Operation
	began := time.Now()
	var clock atomic.Int64 // the right time
	clock.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Unix())
	var clocks [clients]pinnedClock
	var hosts [clients]*testhost.Host
	for i := range hosts {
		clocks[i].seconds.Store(clock.Load())
		hosts[i] = testhost.New(t, db, func(c *refreshtokens.Config) {
			c.Clock, c.GracePeriod, c.Legacy = clocks[i].now, time.Duration(grace)*time.Second, (&oldSystem{}).subject
		})
	}
	type seen struct {
		token              string
		generation, minted int64
	}
	var known [sessions][]seen
	for i := range known {
		known[i] = []seen{{token: fmt.Sprintf("of user %d in round %d", i, seed), generation: 1, minted: math.MinInt32}}
	}
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			random, host, skew := rand.New(rand.NewPCG(seed, uint64(client))), hosts[client], int64(0)
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
				presented := known[i][max(0, len(known[i])-1-random.IntN(3))]
				mu.Unlock()
				in := operation{kind: "refresh", session: fmt.Sprint(i), generation: presented.generation, minted: presented.minted, at: now - skew}
				var out answered
				var next plugin.Tokens
				call := time.Since(began).Nanoseconds()
				var err error
				if random.IntN(25) == 0 {
					in.kind = "logout"
					err = host.Revoke(context.Background(), presented.token)
					out.ok = err == nil
				} else {
					next, err = host.Refresh(context.Background(), presented.token, plugin.Device{})
				}
				returned := time.Since(began).Nanoseconds()
				if err != nil && !errors.Is(err, plugin.ErrReused) && !errors.Is(err, plugin.ErrRevoked) && !errors.Is(err, plugin.ErrNotFound) {
					t.Error(err)
				}
				if errors.Is(err, plugin.ErrReused) {
					out.warned = plugin.EventReuseDetected
				}
				if next.Refresh.Token != "" {
					claims := host.Claims(next.Refresh.Token)
					got := seen{token: next.Refresh.Token, generation: number(t, claims["gen"]), minted: number(t, claims["iat"])}
					out = answered{ok: true, generation: got.generation}
					mu.Lock()
					known[i] = append(known[i], got)
					mu.Unlock()
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: call, Return: returned})
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return history
}

func number(t *testing.T, claim any) int64 {
	t.Helper()
	n, err := claim.(json.Number).Int64()
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestTakeOversAreLinearizable(t *testing.T) {
	for name, test := range map[string]struct {
		grace  int64
		rounds uint64
	}{"grace": {30, 15}, "no grace": {-1, 15}} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *gorm.DB) {
				started, repeated, refused := 0, 0, 0
				for seed := range test.rounds {
					history := recordTakeOvers(t, db, test.grace, seed)
					begun := map[string]bool{}
					for _, op := range history {
						in, out := op.Input.(operation), op.Output.(answered)
						switch {
						case in.kind != "refresh" || in.generation != 1:
						case !out.ok:
							refused++
						case begun[in.session]:
							repeated++
						default:
							begun[in.session] = true
							started++
						}
					}
					if !porcupine.CheckOperations(legacyModel(test.grace), history) {
						t.Fatalf("the history of seed %d is not linearizable", seed)
					}
				}
				if started < 8 || refused < 1 || test.grace > 0 && repeated < 1 {
					t.Errorf("only %d take-overs, %d repeats and %d refusals: too few to prove anything", started, repeated, refused)
				}
			})
		})
	}
}
