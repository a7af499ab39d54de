package conformance_test

import (
	"crypto"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/browsers"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/plugintest"
)

// build is what a process is deployed with.
type build struct {
	name      string
	configure func(*refreshtokens.Config)

	// refusesOlder says that a process of this build refuses access tokens of the build before it. Clients then refresh.
	refusesOlder bool
	// after is how long the operator waits before this build is deployed.
	after time.Duration
}

func withSecrets(secret string, previous ...string) func(*refreshtokens.Config) {
	return func(config *refreshtokens.Config) {
		config.Secret = []byte(secret)
		for _, s := range previous {
			config.PreviousSecrets = append(config.PreviousSecrets, []byte(s))
		}
	}
}

func withKeys(key crypto.Signer, previous ...crypto.PublicKey) func(*refreshtokens.Config) {
	return func(config *refreshtokens.Config) { config.AccessKey, config.PreviousAccessKeys = key, previous }
}

// secretRotation is the runbook of docs/operating.md for the secret.
func secretRotation() []build {
	return []build{
		{name: "before", configure: withSecrets(testhost.Secret)},
		{name: "step 1: both verify", configure: withSecrets(testhost.Secret, testhost.NewSecret)},
		{name: "step 2: the new one signs", configure: withSecrets(testhost.NewSecret, testhost.Secret)},
		{name: "the old one is retired", configure: withSecrets(testhost.NewSecret), after: 7 * 24 * time.Hour},
	}
}

// keyRotation is the runbook for access keys: from the secret to a key, to the next key, and back to the secret.
func keyRotation(t *testing.T) []build {
	first, second := testhost.NewAccessKey(t, "EdDSA"), testhost.NewAccessKey(t, "ES256")
	return []build{
		{name: "before"},
		{name: "step 1: the key verifies", configure: withKeys(nil, first.Public())},
		{name: "step 2: the key signs", configure: withKeys(first), refusesOlder: true},
		{name: "step 1: the next key verifies", configure: withKeys(first, second.Public())},
		{name: "step 2: the next key signs", configure: withKeys(second, first.Public())},
		{name: "the first key is retired", configure: withKeys(second), after: 15 * time.Minute},
		{name: "back to the secret", configure: withKeys(nil, second.Public()), refusesOlder: true},
	}
}

// fleet is two processes on one database, and the sessions that refresh with them.
type fleet struct {
	t         *testing.T
	db        *gorm.DB
	clock     *plugintest.Clock
	processes [2]atomic.Pointer[testhost.Host]
	jars      []*jar

	refreshes, loggedOut, refused atomic.Int64
}

// jar is what the tabs of one browser share.
type jar struct {
	mu      sync.Mutex
	refresh string
}

func newFleet(t *testing.T, db *gorm.DB, first build, sessions int) *fleet {
	t.Helper()
	f := &fleet{t: t, db: db, clock: plugintest.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	for i := range f.processes {
		f.deploy(i, first)
	}
	for range sessions {
		f.jars = append(f.jars, &jar{refresh: f.processes[0].Load().Login("alice").Refresh.Token})
	}
	return f
}

func (f *fleet) deploy(process int, b build) {
	f.t.Helper()
	f.processes[process].Store(testhost.New(f.t, f.db, func(config *refreshtokens.Config) {
		config.Clock = f.clock.Now
		if b.configure != nil {
			b.configure(config)
		}
	}))
}

const (
	tabsOfSession     = 3
	refreshesOfTab    = 3
	roundsOfBuild     = 4
	sessionsOfFleet   = 16
	refreshesOfRound  = sessionsOfFleet * tabsOfSession * refreshesOfTab
	roundsAfterDeploy = 1
)

// burst lets every tab of every session refresh at the same time, each with a process at random. meanwhile runs in the middle of it.
func (f *fleet) burst(meanwhile func()) {
	half := make(chan struct{})
	var done atomic.Int64
	var wait sync.WaitGroup
	for _, jar := range f.jars {
		for range tabsOfSession {
			wait.Go(func() {
				for range refreshesOfTab {
					f.refresh(jar)
					if done.Add(1) == refreshesOfRound/2 {
						close(half)
					}
				}
			})
		}
	}
	if meanwhile != nil {
		<-half
		meanwhile()
	}
	wait.Wait()
	f.clock.Advance(2*testhost.Grace + time.Second) // so that every token can rotate again
}

func (f *fleet) refresh(j *jar) {
	j.mu.Lock()
	presented := j.refresh
	j.mu.Unlock()
	status, tokens := f.processes[rand.IntN(len(f.processes))].Load().TryRefresh(presented)
	f.refreshes.Add(1)
	if status != http.StatusOK {
		f.loggedOut.Add(1)
		return
	}
	j.mu.Lock()
	j.refresh = tokens.Refresh.Token
	j.mu.Unlock()
	for i := range f.processes {
		if f.processes[i].Load().Bearer(http.MethodGet, testhost.MePath, tokens.Access.Token).Code != http.StatusOK {
			f.refused.Add(1)
		}
	}
}

// roll deploys the builds after the first one, each to one process after the other while the tabs refresh.
func (f *fleet) roll(builds []build) {
	for _, b := range builds[1:] {
		if b.after > 0 { // with a round in between, as clients that use their sessions do
			f.clock.Advance(b.after / 2)
			f.burst(nil)
			f.clock.Advance(b.after / 2)
		}
		for process := range f.processes {
			for range roundsOfBuild {
				f.burst(nil)
			}
			f.burst(func() { f.deploy(process, b) })
		}
		for range roundsAfterDeploy {
			f.burst(nil)
		}
		if refused := f.refused.Swap(0); refused > 0 != b.refusesOlder {
			f.t.Errorf("%s: %d access tokens were refused", b.name, refused)
		}
		if n := f.loggedOut.Swap(0); n > 0 {
			f.t.Fatalf("%s: %d refreshes were refused", b.name, n)
		}
	}
}

// TestRotationsUnderLoad rolls both runbooks of docs/operating.md out while browsers with several tabs refresh: nobody is logged out,
// and no session is revoked.
func TestRotationsUnderLoad(t *testing.T) {
	for name, builds := range map[string][]build{"secret": secretRotation(), "access key": keyRotation(t)} {
		t.Run(name, func(t *testing.T) {
			testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
				f := newFleet(t, db, builds[0], sessionsOfFleet)
				f.roll(builds)
				if n := f.refreshes.Load(); n < 3000 {
					t.Errorf("only %d refreshes", n)
				}
				for _, row := range f.processes[0].Load().Rows() {
					if row.RevokedAt != 0 || row.Generation < int64(len(builds)) {
						t.Errorf("a row is %+v", row)
					}
				}
			})
		})
	}
}

// TestRotationsInOneStep shows that the test above can fail: without the first step, processes of the old build refuse what the new
// one signs, or what the next one will.
func TestRotationsInOneStep(t *testing.T) {
	secrets := secretRotation()
	f := newFleet(t, openSQLite(t), secrets[0], sessionsOfFleet)
	f.deploy(1, secrets[2])
	for range roundsOfBuild {
		f.burst(nil)
	}
	if f.loggedOut.Load() == 0 {
		t.Error("a secret was changed in one step, and nobody was logged out")
	}
}

// TestRotationInWindowsOfTabs opens simulated browser windows, on slow networks that lose answers, while processes of two adjacent
// builds run side by side. No tab may be logged out.
func TestRotationInWindowsOfTabs(t *testing.T) {
	const windows = 12 // for each step and network
	secrets := secretRotation()
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		pauseStatements(t, db)
		random := rand.New(rand.NewPCG(5, 6))
		refreshes := 0
		for step := range 2 {
			for _, network := range browsers.Networks {
				for i := range windows {
					window := browsers.NewWindow(random, network, testhost.Grace, testhost.Grace/2-2*time.Second)
					window.Hosts = 2
					server := &httpServer{t: t, clock: plugintest.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
					server.base = server.clock.Now()
					var hosts []*testhost.Host
					for n, skew := range []time.Duration{0, time.Duration(random.Int64N(int64(window.Skew) + 1))} {
						host := testhost.New(t, db, func(config *refreshtokens.Config) {
							secrets[step+n].configure(config)
							config.Clock = func() time.Time { return server.clock.Now().Add(-skew) }
						})
						hosts = append(hosts, host)
						server.routers = append(server.routers, host.Router)
					}
					token := hosts[i%2].Login("alice").Refresh.Token
					result := window.Open(random, server, time.Hour, token)
					refreshes += result.Refreshes
					if result.LoggedOut > 0 {
						t.Fatalf("%s, %s, window %d: %d of %d tabs were logged out", secrets[step+1].name, network.Name, i, result.LoggedOut, window.Tabs)
					}
					if rows := hosts[0].Rows(); len(rows) != 1 || rows[0].Generation != 2 {
						t.Fatalf("%s, %s, window %d: rows are %+v", secrets[step+1].name, network.Name, i, rows)
					}
					if err := db.Where("1 = 1").Delete(&models.RefreshToken{}).Error; err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		t.Logf("%d refreshes", refreshes)
	})
}

// TestRepeatedByTheOtherProcess: the answer of a process with another secret is the same token, signed again.
func TestRepeatedByTheOtherProcess(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		builds := secretRotation()
		f := newFleet(t, db, builds[1], 1)
		f.deploy(1, builds[2])
		older, newer := f.processes[0].Load(), f.processes[1].Load()
		rotated := older.MustRefresh(f.jars[0].refresh).Refresh.Token
		repeated := newer.MustRefresh(f.jars[0].refresh).Refresh.Token
		unsigned := func(token string) string { return token[:strings.LastIndexByte(token, '.')] }
		if rotated == repeated || unsigned(rotated) != unsigned(repeated) {
			t.Errorf("the other process answered %s after %s", older.Claims(repeated), older.Claims(rotated))
		}
		for _, host := range []*testhost.Host{older, newer} {
			for _, token := range []string{rotated, repeated} {
				host.WantRefresh(token, http.StatusOK)
			}
		}
		if rows := older.Rows(); rows[0].Generation != 2 {
			t.Errorf("the generation is %d", rows[0].Generation)
		}
	})
}

// TestRetiredKeysAreRefused from the first request on, at every route, and at no cost to the row.
func TestRetiredKeysAreRefused(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		secrets := secretRotation()
		f := newFleet(t, db, secrets[0], 1)
		old := f.processes[0].Load()
		tokens := old.Login("alice")
		before := old.Rows()
		f.deploy(0, secrets[2])
		keeping := f.processes[0].Load()
		f.deploy(1, secrets[3])
		retired := f.processes[1].Load()
		testhost.WantUnauthorized(t, retired.PostToken(testhost.RefreshPath, tokens.Refresh.Token), testhost.InvalidToken)
		testhost.WantUnauthorized(t, retired.Bearer(http.MethodGet, testhost.MePath, tokens.Access.Token), testhost.InvalidToken)
		testhost.WantAnswer(t, retired.PostToken(testhost.LogoutPath, tokens.Refresh.Token), http.StatusNotFound, testhost.NotFoundBody)
		wantRows(t, old, before)
		testhost.WantAnswer(t, keeping.Bearer(http.MethodGet, testhost.MePath, tokens.Access.Token), http.StatusOK, "alice")
		keeping.WantRefresh(tokens.Refresh.Token, http.StatusOK)
	})
}
