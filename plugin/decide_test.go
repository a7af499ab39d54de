package plugin

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// TestRefreshTimeout: with a grace period of 4 seconds or more, a refresh of a spent token ends before the live token may rotate again. The clocks of
// three hosts differ as much as they may, and whole seconds hide as much as they can.
func TestRefreshTimeout(t *testing.T) {
	for grace := 4 * time.Second; grace <= maxGracePeriod; grace += time.Second {
		const issued = 1000 * time.Hour // by the clock of the host that minted the live token
		for skew := time.Duration(0); skew <= grace/2; skew += grace / 2 {
			arrives := issued + grace + time.Second + skew // by that clock too: the spent token, at a host that is behind, just too late
			rotates := issued + 2*grace - (grace/2 - skew) // the live token, at a host that is ahead
			if ends := arrives + (Config{GracePeriod: grace}).refreshTimeout(); ends > rotates {
				t.Errorf("with a grace period of %v and a clock %v behind, a refresh ends %v too late", grace, skew, ends-rotates)
			}
		}
	}
}

// TestDecisionsOfTheModel compares the code with internal/model/decisions.txt, which is what the model that Spin checks decides.
func TestDecisionsOfTheModel(t *testing.T) {
	const arrived, grace, live, longAgo = 10_000, 4, 5, 1
	names := map[outcome]string{rotate: "rotate", repeat: "repeat", reuse: "reuse", revoked: "ended"}
	text, err := os.ReadFile("../internal/model/decisions.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) < 50 {
		t.Errorf("there are only %d lines", len(lines))
	}
	for _, line := range lines {
		question, want, _ := strings.Cut(line, ": ")
		var ago, waited, behind, ended, recent, young int64
		got := "not understood"
		if n, _ := fmt.Sscanf(question, "repeats ago=%d", &ago); n == 1 {
			presented := refreshClaims{Registered: jose.Registered{IssuedAt: arrived - ago}, Generation: live}
			got = bit(repeats(presented, arrived, grace))
		}
		if n, _ := fmt.Sscanf(question, "isRecent ago=%d waited=%d", &ago, &waited); n == 2 {
			got = bit(isRecent(grace, arrived-ago, arrived, arrived+waited, grace))
		}
		if n, _ := fmt.Sscanf(question, "decide behind=%d revoked=%d recent=%d young=%d", &behind, &ended, &recent, &young); n == 4 {
			presented := refreshClaims{Registered: jose.Registered{IssuedAt: longAgo + young*(arrived-longAgo)}, Generation: live - behind}
			row := &models.RefreshToken{Generation: live, IssuedAt: longAgo + recent*(arrived-longAgo), ExpiresAt: arrived + 1, RevokedAt: ended}
			got = names[decide(presented, row, "", arrived, arrived, grace)]
		}
		if got != want {
			t.Errorf("%s: the model says %s, the code %s", question, want, got)
		}
	}
}

func bit(is bool) string {
	if is {
		return "1"
	}
	return "0"
}

// TestDecide is the decision table, with the edges of the grace period.
func TestDecide(t *testing.T) {
	const now, grace = 10_000, 10
	row := func(generation, issuedAt int64) *models.RefreshToken {
		return &models.RefreshToken{Subject: "alice", Generation: generation, IssuedAt: issuedAt, ExpiresAt: now + 1}
	}
	ended := row(5, now)
	ended.RevokedAt = now
	idle := row(5, now)
	idle.ExpiresAt = now
	for _, test := range []struct {
		name      string
		presented int64
		minted    int64 // when the presented token was; 0: long ago
		row       *models.RefreshToken
		waited    int64 // since the token arrived
		strict    bool
		want      outcome
	}{
		{name: "no row", presented: 5, want: unknown},
		{name: "another's row", presented: 5, row: &models.RefreshToken{Subject: "Alice", Generation: 5}, want: unknown},

		{name: "live, long unused", presented: 5, row: row(5, 1), want: rotate},
		{name: "live, at once", presented: 5, minted: now, row: row(5, now), want: repeat},
		{name: "live, a second before twice grace", presented: 5, minted: now - 2*grace + 1, row: row(5, now-2*grace+1), want: repeat},
		{name: "live, after twice grace", presented: 5, minted: now - 2*grace, row: row(5, now-2*grace), want: rotate},
		{name: "live, by a clock that is half a grace period ahead", presented: 5, minted: now + grace/2, row: row(5, now+grace/2), want: repeat},
		{name: "live, by a clock that is further ahead", presented: 5, minted: now + grace/2 + 1, row: row(5, now+grace/2+1), want: rotate},
		{name: "live, at once, grace off", presented: 5, minted: now, row: row(5, now), strict: true, want: rotate},
		{name: "the first, at once", presented: 1, minted: now, row: row(1, now), want: rotate},
		{name: "the second, at once", presented: 2, minted: now, row: row(2, now), want: repeat},
		{name: "live, idled out", presented: 5, minted: now, row: idle, want: expired},

		{name: "ahead by one", presented: 6, row: row(5, now), want: rotate},
		{name: "ahead by many", presented: 99, row: row(5, now), want: rotate},
		{name: "ahead by one, at once", presented: 6, minted: now, row: row(5, now), want: rotate},

		{name: "live, revoked", presented: 5, row: ended, want: revoked},
		{name: "live, at once, revoked", presented: 5, minted: now, row: ended, want: revoked},
		{name: "ahead, revoked", presented: 6, row: ended, want: revoked},
		{name: "spent, revoked", presented: 4, row: ended, want: revoked},

		{name: "spent at once", presented: 4, row: row(5, now), want: repeat},
		{name: "spent at the end of grace", presented: 4, row: row(5, now-grace), want: repeat},
		{name: "spent after grace", presented: 4, row: row(5, now-grace-1), want: reuse},
		{name: "spent, by a clock that is half a grace period ahead", presented: 4, row: row(5, now+grace/2), want: repeat},
		{name: "spent, by a clock that is further ahead", presented: 4, row: row(5, now+grace/2+1), want: reuse},
		{name: "spent while it waited", presented: 4, row: row(5, now+4), waited: 4, want: repeat},
		{name: "spent while it waited, by a clock that is half a grace period ahead", presented: 4, row: row(5, now+4+grace/2), waited: 4, want: repeat},
		{name: "spent while it waited, by a clock that is further ahead", presented: 4, row: row(5, now+5+grace/2), waited: 4, want: reuse},
		{name: "spent at the end of grace, and waited", presented: 4, row: row(5, now-grace), waited: 4, want: repeat},
		{name: "spent, grace off", presented: 4, row: row(5, now), strict: true, want: reuse},
		{name: "spent, grace off, by a clock that is ahead", presented: 4, row: row(5, now+5), strict: true, want: reuse},
		{name: "spent twice", presented: 3, row: row(5, now), want: reuse},
		{name: "the first of many", presented: 1, row: row(5, now), want: reuse},
		{name: "spent, live one idled out", presented: 4, row: idle, want: expired},
	} {
		presented := refreshClaims{Registered: jose.Registered{Subject: "alice", IssuedAt: test.minted}, Generation: test.presented}
		g := int64(grace)
		if test.strict {
			g = -1
		}
		if got := decide(presented, test.row, "", now, now+test.waited, g); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// TestDecideBound is the decision table of sessions that are bound to a key.
func TestDecideBound(t *testing.T) {
	const now, grace = 10_000, 10
	const ours, other = `{"jkt":"ours"}`, `{"jkt":"other"}`
	row := func(binding models.Text, expiresAt int64) *models.RefreshToken {
		return &models.RefreshToken{Subject: "alice", Generation: 5, IssuedAt: now - 5*grace, ExpiresAt: expiresAt, Binding: binding}
	}
	for _, test := range []struct {
		name      string
		presented int64
		minted    int64 // when the presented token was; 0: long ago
		proven    models.Text
		row       *models.RefreshToken
		want      outcome
	}{
		{name: "holder, live", presented: 5, proven: ours, row: row(ours, now+1), want: rotate},
		{name: "holder, live, at once", presented: 5, minted: now, proven: ours, row: row(ours, now+1), want: repeat},
		{name: "holder, ahead: the database lost a write", presented: 6, proven: ours, row: row(ours, now+1), want: rotate},
		{name: "holder, spent long ago", presented: 4, proven: ours, row: row(ours, now+1), want: repeat},
		{name: "holder, spent many times", presented: 1, proven: ours, row: row(ours, now+1), want: repeat},
		{name: "holder, spent, live one idled out", presented: 4, proven: ours, row: row(ours, now), want: expired},
		{name: "no proof, live", presented: 5, row: row(ours, now+1), want: unknown},
		{name: "no proof, live, at once", presented: 5, minted: now, row: row(ours, now+1), want: unknown},
		{name: "no proof, ahead", presented: 6, row: row(ours, now+1), want: unknown},
		{name: "no proof, a copy from before the binding", presented: 4, row: row(ours, now+1), want: reuse},
		{name: "other key, live", presented: 5, proven: other, row: row(ours, now+1), want: unknown},
		{name: "other key, spent", presented: 4, proven: other, row: row(ours, now+1), want: reuse},
		{name: "key, ahead of a row that lost its binding", presented: 6, proven: ours, row: row("", now+1), want: rotate},
		{name: "key, ahead of a row that lost its binding and had to have one", presented: 6, proven: ours, row: row("{}", now+1), want: rotate},
		{name: "key, spent, of a row that is not bound", presented: 4, proven: ours, row: row("", now+1), want: reuse},
		{name: "a row that has to be bound is no one's", presented: 4, proven: "{}", row: row("{}", now+1), want: reuse},
	} {
		presented := refreshClaims{Registered: jose.Registered{Subject: "alice", IssuedAt: test.minted}, Generation: test.presented}
		if got := decide(presented, test.row, test.proven, now, now, grace); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}
