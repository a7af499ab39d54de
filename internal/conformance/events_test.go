package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// diary keeps events.
type diary struct {
	mu     sync.Mutex
	events []plugin.Event
}

func (d *diary) write(_ context.Context, event plugin.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, event)
}

// read returns the events since the last read, each as "kind reason".
func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var lines []string
	for _, event := range d.events {
		line := string(event.Kind)
		if event.Reason != "" {
			line += " " + string(event.Reason)
		}
		if event.DeviceChanged {
			line += " changed"
		}
		lines = append(lines, line)
	}
	d.events = nil
	return lines
}

func wantEvents(t *testing.T, d *diary, what string, want ...string) {
	t.Helper()
	if got := d.read(); !slices.Equal(got, want) {
		t.Errorf("%s: events are %q, want %q", what, got, want)
	}
}

// TestEvents goes through a session's life and reads the diary after each step.
func TestEvents(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var d diary
		var logs syncBuffer
		var refusal error
		host := testhost.New(t, db, func(c *refreshtokens.Config) {
			c.OnEvent = d.write
			c.MaxSessions = 3
			c.Clock = time.Now // for Purge
			c.Logger = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
			c.Claims = func(context.Context, plugin.Session) (map[string]any, error) { return nil, refusal }
		})
		secrets := []string{testhost.Secret}
		login := func() plugin.Tokens {
			tokens := host.Login("alice")
			secrets = append(secrets, tokens.Access.Token, tokens.Refresh.Token)
			return tokens
		}
		first := login()
		wantEvents(t, &d, "login", "issued")
		second := host.MustRefresh(first.Refresh.Token)
		wantEvents(t, &d, "refresh", "refreshed")
		host.MustRefresh(first.Refresh.Token)
		wantEvents(t, &d, "again", "repeated")
		if _, err := host.Refresh(t.Context(), second.Refresh.Token, plugin.Device{UserAgent: "curl", IP: "198.51.100.9"}); err != nil {
			t.Error(err)
		}
		wantEvents(t, &d, "from another device", "repeated changed")
		claims, err := host.VerifyAccess(second.Access.Token)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := host.Reauthenticate(t.Context(), claims); err != nil {
			t.Error(err)
		}
		wantEvents(t, &d, "step-up", "reauthenticated")
		host.PostToken(testhost.LogoutPath, second.Refresh.Token)
		wantEvents(t, &d, "log-out", "revoked logout")
		host.PostToken(testhost.LogoutPath, second.Refresh.Token)
		host.WantRefresh(second.Refresh.Token, http.StatusUnauthorized)
		wantEvents(t, &d, "what is over")

		mine, other := login(), login()
		d.read()
		host.Bearer(http.MethodDelete, testhost.RefreshPath+"/"+host.SessionID(other), mine.Access.Token)
		wantEvents(t, &d, "device list", "revoked device_list")
		login()
		d.read()
		host.Bearer(http.MethodDelete, testhost.RefreshPath+"?except=current", mine.Access.Token)
		wantEvents(t, &d, "device list, all others", "revoked device_list")
		if err := host.RevokeAll(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
		wantEvents(t, &d, "host", "revoked host")
		if err := host.RevokeAll(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
		wantEvents(t, &d, "nothing left")
		for range 3 {
			login()
		}
		d.read()
		login()
		wantEvents(t, &d, "one too many", "revoked limit", "issued")
		token := login().Refresh.Token
		d.read()
		refusal = plugin.ErrSubjectRefused
		host.WantRefresh(token, http.StatusUnauthorized)
		wantEvents(t, &d, "refusal", "revoked refusal")
		refusal = errors.New("down")
		if _, err := host.Issue(t.Context(), "alice", plugin.Device{}); err == nil {
			t.Error("issued")
		}
		wantEvents(t, &d, "a login that failed")
		refusal = nil
		if err := db.Model(&models.RefreshToken{}).Where("1 = 1").UpdateColumn("created_at", 1).Error; err != nil {
			t.Fatal(err)
		}
		if _, err := host.Purge(t.Context()); err != nil {
			t.Error(err)
		}
		wantEvents(t, &d, "purge", "purged")

		for _, line := range []string{"event=issued", "event=refreshed", "event=repeated", "event=reauthenticated", "event=revoked", "reason=logout", "event=purged", "subject=alice"} {
			if !strings.Contains(logs.String(), line) {
				t.Errorf("%s is not in the log", line)
			}
		}
		for _, secret := range secrets {
			if strings.Contains(logs.String(), secret) {
				t.Errorf("%s is in the log", secret)
			}
		}
	})
}

// TestEventsAreWhole: each has the session, the device, the time and, of a repeat, both devices; and no token.
func TestEventsAreWhole(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var d diary
		host := testhost.New(t, db, func(c *refreshtokens.Config) { c.OnEvent = d.write })
		phone, laptop := plugin.Device{Name: "phone", UserAgent: "p", IP: "192.0.2.1"}, plugin.Device{UserAgent: "l", IP: "192.0.2.2"}
		first := issue(t, host, phone, plugin.WithData(map[string]any{"tenant": "acme"}))
		if _, err := host.Refresh(t.Context(), first.Refresh.Token, phone); err != nil {
			t.Fatal(err)
		}
		if _, err := host.Refresh(t.Context(), first.Refresh.Token, laptop); err != nil {
			t.Fatal(err)
		}
		host.Clock.Advance(testhost.Grace + time.Second)
		if _, err := host.Refresh(t.Context(), first.Refresh.Token, laptop); !errors.Is(err, plugin.ErrReused) {
			t.Fatal(err)
		}
		for i, want := range []struct {
			kind             plugin.EventKind
			device, previous string
		}{
			{plugin.EventIssued, "p", ""}, {plugin.EventRefreshed, "p", ""}, {plugin.EventRepeated, "l", "p"}, {plugin.EventReuseDetected, "l", ""},
		} {
			event := d.events[i]
			if event.Kind != want.kind || event.Device.UserAgent != want.device || event.Previous.UserAgent != want.previous {
				t.Errorf("event %d is %+v", i, event)
			}
			if event.Session.ID != first.SessionID || event.Session.Name != "phone" || event.Session.Data["tenant"] != "acme" || event.Time.IsZero() {
				t.Errorf("event %d is of %+v at %v", i, event.Session, event.Time)
			}
			if want.kind != plugin.EventReuseDetected && event.Duration <= 0 {
				t.Errorf("event %d took %v", i, event.Duration)
			}
			text, err := json.Marshal(event)
			if err != nil || strings.Contains(fmt.Sprintf("%s%+v", text, event), "eyJ") {
				t.Errorf("event %d holds a token: %+v", i, event)
			}
		}
	})
}

// TestEventHandlerThatPanics breaks nothing, and neither does one that is slow to commit: events come after the commit.
func TestEventHandlerThatPanics(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var logs syncBuffer
		var host *testhost.Host
		generations := []int64{}
		host = testhost.New(t, db, func(c *refreshtokens.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&logs, nil))
			c.OnEvent = func(context.Context, plugin.Event) {
				if rows := host.Rows(); len(rows) > 0 {
					generations = append(generations, rows[0].Generation)
				}
				panic("the host's own")
			}
		})
		token := host.Login("alice").Refresh.Token
		token = host.MustRefresh(token).Refresh.Token
		testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, token), http.StatusNoContent, "")
		host.WantRefresh(token, http.StatusUnauthorized)
		if !slices.Equal(generations, []int64{1, 2, 2}) {
			t.Errorf("the handler saw the generations %v", generations)
		}
		if got := strings.Count(logs.String(), "OnEvent panicked"); got != 3 {
			t.Errorf("%d panics are in the log", got)
		}
	})
}

// TestNothingHappenedNoEvent: where the database fails, the host is told of nothing.
func TestNothingHappenedNoEvent(t *testing.T) {
	var d diary
	db := openSQLite(t)
	host := testhost.New(t, db, func(c *refreshtokens.Config) { c.OnEvent = d.write })
	tokens := host.Login("alice")
	d.read()
	fail := func(db *gorm.DB) { _ = db.AddError(errors.New("disk full")) }
	if err := errors.Join(db.Callback().Update().Before("*").Register("test:fail", fail), db.Callback().Create().Before("*").Register("test:fail", fail)); err != nil {
		t.Fatal(err)
	}
	host.WantRefresh(tokens.Refresh.Token, http.StatusInternalServerError)
	host.PostToken(testhost.LogoutPath, tokens.Refresh.Token)
	_, _ = host.Issue(t.Context(), "alice", plugin.Device{})
	_ = host.RevokeAll(t.Context(), "alice")
	wantEvents(t, &d, "a full disk")
	if stats := host.Service().Stats(); stats.Failed != 1 || stats.Rejected != 0 {
		t.Errorf("stats are %+v", stats)
	}
}

// TestEventsOutlastTheirRequest: the handler's context goes on when the client hangs up, and each event of a request has its
// device.
func TestEventsOutlastTheirRequest(t *testing.T) {
	hangUp := func() {}
	var refusal error
	host := testhost.New(t, openSQLite(t), func(c *refreshtokens.Config) {
		c.MaxSessions = 1
		c.Claims = func(context.Context, plugin.Session) (map[string]any, error) { return nil, refusal }
		c.OnEvent = func(ctx context.Context, event plugin.Event) {
			hangUp()
			if ctx.Err() != nil {
				t.Errorf("%s %s: %v", event.Kind, event.Reason, ctx.Err())
			}
			if event.Device.IP == "" {
				t.Errorf("%s %s has no device", event.Kind, event.Reason)
			}
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	hangUp = cancel
	if _, err := host.Issue(ctx, "alice", plugin.Device{IP: "192.0.2.1"}); err != nil {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	hangUp = func() {}
	tokens, err := host.Issue(ctx, "alice", plugin.Device{IP: "192.0.2.1"}) // ends the first
	if err != nil {
		t.Error(err)
	}
	hangUp = cancel
	refusal = plugin.ErrSubjectRefused
	host.WantRefresh(tokens.Refresh.Token, http.StatusUnauthorized)
}
