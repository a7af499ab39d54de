package plugin

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/browsers"
	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// tableServer is the decision table with one row and no database, as a refresh goes through it.
type tableServer struct {
	row   models.RefreshToken
	grace int64
	skew  []time.Duration
}

func (s *tableServer) clock(now time.Duration, host int) int64 {
	return int64((now + s.skew[host]) / time.Second)
}

func (s *tableServer) Arrive(now time.Duration, host int, token browsers.Token) func(time.Duration) (browsers.Token, bool) {
	t := token.(mintedToken)
	presented := refreshClaims{Registered: jose.Registered{Subject: "alice", IssuedAt: t.issuedAt}, Generation: t.generation}
	arrived := s.clock(now, host)
	minted := mintedToken{t.generation + 1, arrived}
	return func(now time.Duration) (browsers.Token, bool) {
		outcome := decide(presented, &s.row, "", arrived, s.clock(now, host), s.grace)
		if !repeats(presented, arrived, s.grace) && s.row.RevokedAt == 0 && s.row.Generation < minted.generation {
			outcome = rotate // by the UPDATE, before the row is read
		}
		switch outcome {
		case rotate:
			s.row.Generation, s.row.IssuedAt = minted.generation, minted.issuedAt
			return minted, true
		case repeat:
			return s.live(), true
		case reuse:
			s.row.RevokedAt = arrived
		}
		return nil, false
	}
}

// TestWindowsOfTabs opens thousands of browser windows on the decision table. Nobody is logged out; the next refresh, any
// time later, goes on; and a thief who comes after the grace period is caught.
func TestWindowsOfTabs(t *testing.T) {
	const windows = 10_000
	config := Config{}.withDefaults()
	grace := int64(config.GracePeriod / time.Second)
	for _, network := range browsers.Networks {
		t.Run(network.Name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			refreshes, lost, caught := 0, 0, 0
			for i := range windows {
				window := browsers.NewWindow(random, network, config.GracePeriod, config.refreshTimeout())
				server := newTableServer(random, window, grace)
				start := time.Duration(random.Int64N(int64(24*time.Hour))) + 1000*time.Hour
				first := server.live()
				result := window.Open(random, server, start, first)
				refreshes, lost = refreshes+result.Refreshes, lost+result.Lost
				if result.LoggedOut > 0 {
					t.Fatalf("window %d: %d of %d tabs were logged out", i, result.LoggedOut, window.Tabs)
				}
				if i%10 == 0 { // a thief has what the jar held before
					theft := result.End + window.Grace + window.Skew + 2*time.Second
					if _, ok := server.Arrive(theft, 0, result.Spent)(theft); !ok {
						caught++
					}
					if _, ok := server.Arrive(theft, 0, result.Jar)(theft); ok {
						t.Fatalf("window %d: the session outlived its theft", i)
					}
					continue
				}
				next := result.End + time.Duration(random.Int64N(int64(20*time.Minute)))
				if _, ok := server.Arrive(next, random.IntN(window.Hosts), result.Jar)(next); !ok {
					t.Fatalf("window %d: the next refresh was refused", i)
				}
			}
			t.Logf("%d refreshes, %d answers lost", refreshes, lost)
			if caught != windows/10 || lost == 0 {
				t.Errorf("%d of %d thieves were caught, %d answers lost", caught, windows/10, lost)
			}
		})
	}
}

// newTableServer has a session whose live token is due: the first after a login, or one that has lain for long.
func newTableServer(random *rand.Rand, window browsers.Window, grace int64) *tableServer {
	s := &tableServer{grace: grace, row: models.RefreshToken{Subject: "alice", Generation: 1 + random.Int64N(3), IssuedAt: 1, ExpiresAt: 1 << 40}}
	for range window.Hosts {
		s.skew = append(s.skew, time.Duration(random.Int64N(int64(window.Skew)+1)))
	}
	return s
}

// mintedToken is what the decision table asks of a refresh token.
type mintedToken struct{ generation, issuedAt int64 }

func (s *tableServer) live() mintedToken { return mintedToken{s.row.Generation, s.row.IssuedAt} }
