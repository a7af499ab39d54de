package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestSweepsAreShared by log-ins that run at the same time, and no subject is left out.
func TestSweepsAreShared(t *testing.T) {
	const users = 40
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db, oneDay)
		for i := range users {
			host.Login(fmt.Sprint("user ", i))
		}
		host.Clock.Advance(24 * time.Hour)

		var together, wait sync.WaitGroup
		var lookUps atomic.Int64
		together.Add(users)
		type arrived struct{}
		if err := errors.Join(
			db.Callback().Create().Before("*").Register("test:together", func(db *gorm.DB) {
				db.Statement.Context.Value(arrived{}).(*sync.Once).Do(together.Done) // not again where the INSERT is tried again
				together.Wait()
			}),
			db.Callback().Query().Register("test:count", func(db *gorm.DB) {
				if db.Error == nil {
					lookUps.Add(1)
				}
			}),
		); err != nil {
			t.Fatal(err)
		}
		for i := range users {
			wait.Go(func() {
				ctx := context.WithValue(t.Context(), arrived{}, new(sync.Once))
				if _, err := host.Issue(ctx, fmt.Sprint("user ", i), plugin.Client{}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if got := lookUps.Load(); got != 2 { // at 32 of them, and at the last
			t.Errorf("%d look-ups, want 2", got)
		}
		if got := len(host.Rows()); got != users {
			t.Errorf("%d rows, want the %d new ones", got, users)
		}
	})
}

// TestHogLeavesRoom: one subject with many dead rows doesn't keep the others' from being swept.
func TestHogLeavesRoom(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	host := testhost.New(t, db, oneDay)
	dead := make([]models.RefreshToken, 150)
	for i := range dead {
		dead[i] = models.RefreshToken{ID: models.Text(uuid.NewString()), Subject: "a hog", CreatedAt: 1}
	}
	if err := db.Create(dead).Error; err != nil {
		t.Fatal(err)
	}
	host.Login("bob")
	host.Clock.Advance(24 * time.Hour)
	during(t, host, "a hog", nil, func() { host.Login("bob") })
	for _, row := range host.Rows() {
		if row.Subject == "bob" && row.IssuedAt != host.Clock.Now().Unix() {
			t.Error("bob's dead row is still there")
		}
	}
}

// TestFailedLogInSweepsLater: what a log-in left to one that then failed, the next one sweeps.
func TestFailedLogInSweepsLater(t *testing.T) {
	for name, fail := range map[string]func(*gorm.DB){
		"error": func(db *gorm.DB) { _ = db.AddError(errors.New("no")) },
		"panic": func(*gorm.DB) { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
			host := testhost.New(t, db, oneDay)
			host.Login("alice")
			host.Clock.Advance(24 * time.Hour)
			during(t, host, "mallory", fail, func() { host.Login("alice") })
			if got := len(host.Rows()); got != 2 {
				t.Errorf("%d rows, want both of alice's", got)
			}
			host.Login("bob")
			if got := len(host.Rows()); got != 2 {
				t.Errorf("%d rows, want a live one each", got)
			}
		})
	}
}

// during logs subject in, calls work while that log-in is under way, and ends it by calling end unless that is nil.
func during(t *testing.T, host *testhost.Host, subject string, end func(*gorm.DB), work func()) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	err := host.DB.Callback().Create().Before("*").Register("test:during", func(db *gorm.DB) {
		if row, ok := db.Statement.Dest.(*models.RefreshToken); !ok || string(row.Subject) != subject {
			return
		}
		close(entered)
		<-leave
		if end != nil {
			end(db)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		defer func() { _ = recover() }()
		_, err := host.Issue(t.Context(), subject, plugin.Client{})
		if (err == nil) != (end == nil) {
			t.Errorf("the log-in of %s: %v", subject, err)
		}
	})
	<-entered
	work()
	close(leave)
	wait.Wait()
}
