package nonce_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/nonce"
)

const period = 2 * time.Minute

var (
	secret = []byte("an example of a secret with 32 bytes and more")
	older  = []byte("an older example of a secret with 32 bytes and more")

	// start is the first instant of a period.
	start = time.Unix(1767323040, 0)
)

func source(t testing.TB, purpose string, secrets ...[]byte) *nonce.Source {
	t.Helper()
	s, err := nonce.New(purpose, period, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCheck has the nonce of one process checked by another.
func TestCheck(t *testing.T) {
	issuer := source(t, "dpop", secret)
	issued := issuer.Issue(start, "session-1")
	for _, row := range []struct {
		name    string
		nonce   string
		checker *nonce.Source
		context string
		now     time.Time
		ok      bool
	}{
		{name: "at once", ok: true},
		{name: "at the end of its period", now: start.Add(period - time.Second), ok: true},
		{name: "in the next period", now: start.Add(period), ok: true},
		{name: "at the end of the next period", now: start.Add(2*period - time.Second), ok: true},
		{name: "stale", now: start.Add(2 * period)},
		{name: "much later", now: start.Add(1000 * time.Hour)},
		{name: "by a host whose clock is a period behind", now: start.Add(-period), ok: true},
		{name: "by a host whose clock is further behind", now: start.Add(-period - time.Second)},
		{name: "missing", nonce: "-"},
		{name: "made up", nonce: strings.Repeat("A", 24)},
		{name: "changed", nonce: "x" + issued[1:]},
		{name: "cut off", nonce: issued[:23]},
		{name: "with more behind it", nonce: issued + "A"},
		{name: "of another session", context: "session-2"},
		{name: "of no session", context: "-"},
		{name: "of another purpose", checker: source(t, "dbsc", secret)},
		{name: "of another secret", checker: source(t, "dpop", older)},
		{name: "of the previous secret", checker: source(t, "dpop", older, secret), ok: true},
	} {
		checker, context, now, presented := source(t, "dpop", secret), "session-1", start, issued // another process
		if row.checker != nil {
			checker = row.checker
		}
		if row.context != "" {
			context = strings.Trim(row.context, "-")
		}
		if !row.now.IsZero() {
			now = row.now
		}
		if row.nonce != "" {
			presented = strings.Trim(row.nonce, "-")
		}
		if got := checker.Check(presented, now, context); got != row.ok {
			t.Errorf("%s: %t, want %t", row.name, got, row.ok)
		}
	}
}

// TestIssue: nonces differ in each respect that Check tells apart, and are the same within a period.
func TestIssue(t *testing.T) {
	first := source(t, "dpop", secret).Issue(start, "")
	if again := source(t, "dpop", secret, older).Issue(start.Add(period-time.Second), ""); again != first {
		t.Errorf("one period has the nonces %s and %s", first, again)
	}
	seen := map[string]string{first: "the first"}
	for name, other := range map[string]string{
		"the next period": source(t, "dpop", secret).Issue(start.Add(period), ""),
		"another context": source(t, "dpop", secret).Issue(start, "session-1"),
		"another purpose": source(t, "dbsc", secret).Issue(start, ""),
		"another secret":  source(t, "dpop", older, secret).Issue(start, ""),
	} {
		if same, ok := seen[other]; ok {
			t.Errorf("%s has the nonce of %s", name, same)
		}
		seen[other] = name
	}
	if len(first) != 24 || strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("the nonce is %q, want 24 base64url characters", first)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, create := range map[string]func() (*nonce.Source, error){
		"no secret":         func() (*nonce.Source, error) { return nonce.New("dpop", period) },
		"an empty secret":   func() (*nonce.Source, error) { return nonce.New("dpop", period, secret, nil) },
		"no period":         func() (*nonce.Source, error) { return nonce.New("dpop", 0, secret) },
		"a negative period": func() (*nonce.Source, error) { return nonce.New("dpop", -time.Minute, secret) },
		"parts of a second": func() (*nonce.Source, error) { return nonce.New("dpop", 1500*time.Millisecond, secret) },
	} {
		if _, err := create(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	s := source(b, "dpop", secret)
	issued := s.Issue(start, "")
	b.ReportAllocs()
	for b.Loop() {
		if !s.Check(issued, start, "") {
			b.Fatal("refused")
		}
	}
}
