package plugin_test

import (
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const benchSubject = "5ebac534954b54139806c112"

var benchDevice = plugin.Device{UserAgent: "bench/1.0", IP: "192.0.2.1"}

// bareParse is what a host would do without us.
func bareParse(host *testhost.Host) func(token string) error {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(host.Clock.Now))
	return func(token string) error {
		_, err := parser.Parse(token, func(*jwt.Token) (any, error) { return []byte(testhost.Secret), nil })
		return err
	}
}

// TestAllocations holds the hot path to what it allocates, with some room for other versions of Go, and for the race
// detector, with which a sync.Pool forgets at random. Counts are exact where times are not.
func TestAllocations(t *testing.T) {
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), testhost.Strict)
	tokens := host.Login(benchSubject)
	access, refresh := tokens.Access.Token, tokens.Refresh.Token
	lenient := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}))
	repeated := lenient.MustRefresh(lenient.Login(benchSubject).Refresh.Token)
	sessionID := lenient.SessionID(repeated)
	parse := bareParse(host)
	bare := testing.AllocsPerRun(100, func() { _ = parse(access) })
	for _, row := range []struct {
		name string
		most float64
		run  func() error
	}{
		{"VerifyAccess", min(20, bare-1), func() error { _, err := host.VerifyAccess(access); return err }},
		{"Refresh", 90, func() error {
			tokens, err := host.Refresh(t.Context(), refresh, benchDevice)
			refresh = tokens.Refresh.Token
			return err
		}},
		{"Refresh that repeats", 125, func() error {
			_, err := lenient.Refresh(t.Context(), repeated.Refresh.Token, benchDevice)
			return err
		}},
		{"SessionLives", 75, func() error {
			lives, err := lenient.Service().SessionLives(t.Context(), benchSubject, sessionID, 0)
			if !lives {
				t.Fatal("the session is over")
			}
			return err
		}},
	} {
		got := testing.AllocsPerRun(100, func() {
			if err := row.run(); err != nil {
				t.Fatal(err)
			}
		})
		if t.Logf("%s: %.0f allocations", row.name, got); got > row.most {
			t.Errorf("%s: %.0f allocations, want %.0f at most", row.name, got, row.most)
		}
	}
}

func BenchmarkVerifyAccess(b *testing.B) {
	host := testhost.New(b, testdb.Open(b, testdb.SQLite(b), &gorm.Config{}))
	token := host.Login(benchSubject).Access.Token
	for name, verify := range map[string]func(string) error{
		"ours":       func(token string) error { _, err := host.VerifyAccess(token); return err },
		"golang-jwt": bareParse(host),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefresh measures rotations, so the grace period is off: within it, tokens repeat.
func BenchmarkRefresh(b *testing.B) {
	testdb.EachBenchmark(b, func(b *testing.B, db *gorm.DB) {
		host := testhost.New(b, db, testhost.Strict)
		token := host.Login(benchSubject).Refresh.Token
		b.ReportAllocs()
		for b.Loop() {
			tokens, err := host.Refresh(b.Context(), token, benchDevice)
			if err != nil {
				b.Fatal(err)
			}
			token = tokens.Refresh.Token
		}
	})
}

// BenchmarkRepeat is a refresh that writes nothing: of the live token, and of its predecessor.
func BenchmarkRepeat(b *testing.B) {
	host := testhost.New(b, testdb.Open(b, testdb.SQLite(b), &gorm.Config{}))
	spent := host.Login(benchSubject).Refresh.Token
	live := host.MustRefresh(spent).Refresh.Token
	for name, token := range map[string]string{"live": live, "predecessor": spent} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := host.Refresh(b.Context(), token, benchDevice); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkForged is what a stranger's token costs.
func BenchmarkForged(b *testing.B) {
	host := testhost.New(b, testdb.Open(b, testdb.SQLite(b), &gorm.Config{}))
	forged := testhost.Sign(testhost.Header, "{}", []byte("not the host's"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := host.Refresh(b.Context(), forged, benchDevice); err == nil {
			b.Fatal("it was accepted")
		}
	}
}

func BenchmarkIssue(b *testing.B) {
	testdb.EachBenchmark(b, func(b *testing.B, db *gorm.DB) {
		host := testhost.New(b, db)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := host.Issue(b.Context(), benchSubject, benchDevice); err != nil {
				b.Fatal(err)
			}
		}
	})
}
