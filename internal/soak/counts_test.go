package soak_test

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// counts is what has happened in a world.
type counts struct {
	logins, refreshes, rotations, logouts, everywhere atomic.Int64

	tabs, lost       atomic.Int64 // windows of tabs, and requests whose answer was lost
	bound            atomic.Int64 // refreshes with a proof
	reuses, unproven atomic.Int64 // thieves who were caught, and thieves without the key
	holders          atomic.Int64 // spent tokens that the holder of the key came back with
	expired          atomic.Int64 // sessions that ran out

	failures     atomic.Int64 // no answer, or a 5xx: tried again
	failedLogins atomic.Int64 // of those, logins: each may have left a session behind
	stalled      atomic.Int64 // sessions given up because there was no answer for too long

	deployments, purged, killed atomic.Int64
}

func (c *counts) String() string {
	return fmt.Sprintf("%d logins, %d refreshes (%d rotations, %d with a proof), %d log-outs, %d everywhere, %d windows of tabs, "+
		"%d lost answers, %d thieves caught and %d without the key, %d holders of a key, %d expired, %d failures, %d stalled, "+
		"%d deployments, %d rows purged, %d connections killed",
		c.logins.Load(), c.refreshes.Load(), c.rotations.Load(), c.bound.Load(), c.logouts.Load(), c.everywhere.Load(), c.tabs.Load(),
		c.lost.Load(), c.reuses.Load(), c.unproven.Load(), c.holders.Load(), c.expired.Load(), c.failures.Load(), c.stalled.Load(),
		c.deployments.Load(), c.purged.Load(), c.killed.Load())
}

// judge checks that everything has happened, and that hardly any session was given up.
func (c *counts) judge(t *testing.T, name string) {
	t.Helper()
	for what, n := range map[string]*atomic.Int64{
		"logins": &c.logins, "rotations": &c.rotations, "log-outs": &c.logouts, "log-outs everywhere": &c.everywhere, "tabs": &c.tabs,
		"lost answers": &c.lost, "proofs": &c.bound, "thieves caught": &c.reuses, "thieves without the key": &c.unproven,
		"holders of a key": &c.holders, "expired sessions": &c.expired, "deployments": &c.deployments, "purged rows": &c.purged,
	} {
		if n.Load() == 0 {
			t.Errorf("%s: there were no %s", name, what)
		}
	}
	if stalled, logins := c.stalled.Load(), c.logins.Load(); stalled > logins/50 {
		t.Errorf("%s: %d of %d sessions got no answer for too long", name, stalled, logins)
	}
}
