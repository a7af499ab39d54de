package plugin

import (
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// TestDecide is the decision table, with the edges of the grace period.
func TestDecide(t *testing.T) {
	const now, grace = 1000, 10
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
		row       *models.RefreshToken
		grace     int64
		want      outcome
	}{
		{"no row", 5, nil, grace, unknown},
		{"another's row", 5, &models.RefreshToken{Subject: "Alice", Generation: 5}, grace, unknown},
		{"live", 5, row(5, now), grace, rotate},
		{"live, long unused", 5, row(5, now-900), grace, rotate},
		{"ahead by one", 6, row(5, now), grace, rotate},
		{"ahead by many", 99, row(5, now), grace, rotate},
		{"live, revoked", 5, ended, grace, revoked},
		{"ahead, revoked", 6, ended, grace, revoked},
		{"spent, revoked", 4, ended, grace, revoked},
		{"spent at once", 4, row(5, now), grace, replay},
		{"spent at the end of grace", 4, row(5, now-grace), grace, replay},
		{"spent after grace", 4, row(5, now-grace-1), grace, reuse},
		{"spent, by a clock that is behind", 4, row(5, now+5), grace, replay},
		{"spent, grace off", 4, row(5, now), -1, reuse},
		{"spent, grace off, by a clock that is behind", 4, row(5, now+5), -1, reuse},
		{"spent twice", 3, row(5, now), grace, reuse},
		{"the first of many", 1, row(5, now), grace, reuse},
		{"spent, successor idled out", 4, idle, grace, expired},
	} {
		presented := refreshClaims{registered{Subject: "alice"}, test.presented}
		if got := decide(presented, test.row, now, test.grace); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}
