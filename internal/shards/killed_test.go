package shards_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// soon is less than a front takes that tries twice to reach a shard.
const soon = 1500 * time.Millisecond

// TestKilledShard kills a shard under load: sessions on other shards notice nothing. Its own are answered 500, and soon. Once it is
// back, they go on with the refresh tokens that they have.
func TestKilledShard(t *testing.T) {
	each(t, layouts, func(t *testing.T, table *table) {
		const victim = 1
		devices := table.newDevices(t, 32)
		table.load(t, devices, "the load", func(d *device) bool { return d.rotations > 5 })
		for _, d := range devices {
			d.expect(t, d.failures == 0, "before the crash")
		}

		table.shards[victim].kill()
		for _, d := range devices {
			d.reset()
		}
		table.load(t, devices, "the crash", func(d *device) bool {
			return d.shard == victim && d.failures > 20 || d.shard != victim && d.rotations > 20
		})
		for _, d := range devices {
			d.expect(t, d.failures == 0 || d.shard == victim, "beside the dead shard")
			d.expect(t, d.rotations == 0 || d.shard != victim, "on the dead shard")
			d.expect(t, d.slowest < soon, "while a shard was dead")
		}
		table.wantOutage(t)

		if err := table.shards[victim].run(); err != nil {
			t.Fatal(err)
		}
		for _, d := range devices {
			d.resume(table)
			d.expect(t, d.rotations == 1, "after the crash")
		}
	}, testhost.RealTime)
}

// wantOutage fails the test unless a host that starts while a shard is down does start, and says so if it needs that shard.
func (table *table) wantOutage(t *testing.T) {
	t.Helper()
	began := time.Now()
	host := testhost.New(t, table.hosts[0].DB, testhost.RealTime)
	if sessions, err := host.Sessions(t.Context(), "nobody"); err == nil {
		t.Errorf("the list has %d sessions, and may lack some", len(sessions))
	}
	if err := host.RevokeAll(t.Context(), "nobody"); err == nil {
		t.Error("RevokeAll did not fail")
	}
	if _, err := host.Purge(t.Context()); err == nil {
		t.Error("Purge did not fail")
	}
	logins := map[bool]int{}
	for range 40 {
		_, err := host.Issue(t.Context(), "nobody", plugin.Device{})
		logins[err == nil]++
	}
	if logins[true] == 0 || logins[false] == 0 {
		t.Errorf("%d logins succeeded and %d failed, want some of both", logins[true], logins[false])
	}
	if took := time.Since(began); took > 4*soon {
		t.Errorf("that took %v", took)
	}
}

// device is a logged-in client that refreshes.
type device struct {
	t     *testing.T
	shard int
	token string

	mu                  sync.Mutex
	rotations, failures int // since the last reset
	slowest             time.Duration
}

// newDevices logs devices in, and finds out which shard has the session of each.
func (table *table) newDevices(t *testing.T, n int) []*device {
	t.Helper()
	var devices []*device
	for i := range n {
		tokens := table.hosts[i%2].Login(fmt.Sprint("user ", i))
		d := &device{t: t, shard: -1, token: tokens.Refresh.Token}
		for shard, part := range table.parts {
			var count int64
			if err := part.Model(&models.RefreshToken{}).Where("id = ?", tokens.SessionID).Count(&count).Error; err != nil {
				t.Fatal(err)
			}
			if count == 1 {
				d.shard = shard
			}
		}
		devices = append(devices, d)
	}
	return devices
}

// load has the devices refresh again and again, until done is true of each.
func (table *table) load(t *testing.T, devices []*device, what string, done func(d *device) bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for _, d := range devices {
		wait.Go(func() {
			for ctx.Err() == nil {
				d.refresh(table)
			}
		})
	}
	err := waitFor(what, func() bool {
		return !slices.ContainsFunc(devices, func(d *device) bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return !done(d)
		})
	})
	cancel()
	wait.Wait()
	if err != nil {
		t.Error(err)
	}
}

// refresh rotates the device's token through either front, and reports whether that was answered 200.
func (d *device) refresh(table *table) bool {
	if d.failures == 0 {
		d.age()
	}
	began := time.Now()
	status, next := table.hosts[rand.IntN(2)].TryRefresh(d.token)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slowest = max(d.slowest, time.Since(began))
	switch status {
	case http.StatusOK:
		d.token = next.Refresh.Token
		d.rotations++
		return true
	case http.StatusInternalServerError:
		d.failures++
	default:
		d.t.Errorf("a device on shard %d was answered %d", d.shard, status)
	}
	return false
}

// resume refreshes until that is answered 200, but at most ten times.
func (d *device) resume(table *table) {
	d.reset()
	for range 10 {
		if d.refresh(table) {
			return
		}
	}
}

func (d *device) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rotations, d.failures, d.slowest = 0, 0, 0
}

func (d *device) expect(t *testing.T, ok bool, when string) {
	t.Helper()
	if !ok {
		t.Errorf("%s, a device on shard %d had %d rotations and %d failures, the slowest answer after %v",
			when, d.shard, d.rotations, d.failures, d.slowest)
	}
}

// age makes the device's token old enough to rotate, by signing it anew with an earlier iat.
func (d *device) age() {
	parts := strings.Split(d.token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		d.t.Error(err)
	}
	var claims struct{ Iat int64 }
	if err := json.Unmarshal(payload, &claims); err != nil {
		d.t.Error(err)
	}
	iat := func(instant int64) string { return fmt.Sprintf(`"iat":%d`, instant) }
	old := strings.Replace(string(payload), iat(claims.Iat), iat(min(claims.Iat, time.Now().Add(-2*testhost.Grace).Unix())), 1)
	d.token = testhost.Sign(parts[0], old, testhost.RefreshKey(d.t))
}
