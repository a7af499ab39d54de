package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// bury adds n rows that are long dead.
func bury(t *testing.T, db *gorm.DB, n int) {
	t.Helper()
	rows := make([]models.RefreshToken, n)
	for i := range rows {
		rows[i] = models.RefreshToken{ID: models.Text(uuid.NewString()), Subject: models.Text(fmt.Sprint(i)), Generation: 1, CreatedAt: int64(1 + i/10)}
	}
	if err := db.CreateInBatches(rows, 500).Error; err != nil {
		t.Fatal(err)
	}
}

func TestPurgeCanBeStoppedAndResumed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db, testhost.RealTime)
		host.Login("alice")
		bury(t, db, 1700)
		ctx, cancel := context.WithCancel(t.Context())
		if err := db.Callback().Delete().After("*").Register("test:stop", func(*gorm.DB) { cancel() }); err != nil {
			t.Fatal(err)
		}
		first, err := host.Purge(ctx)
		if first != 500 || !errors.Is(err, context.Canceled) {
			t.Errorf("purged %d, %v, want 500", first, err)
		}
		second, err := host.Purge(t.Context())
		if second != 1200 || err != nil {
			t.Errorf("purged %d, %v, want 1200", second, err)
		}
		if rows := host.Rows(); len(rows) != 1 {
			t.Errorf("%d rows are left, want 1", len(rows))
		}
	})
}

// TestPurgeNeedsNoCount: MariaDB's Spider deletes, and says that it deleted no row.
func TestPurgeNeedsNoCount(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	host := testhost.New(t, db, testhost.RealTime)
	bury(t, db, 1700)
	if err := db.Callback().Delete().After("*").Register("test:uncounted", func(db *gorm.DB) { db.RowsAffected = 0 }); err != nil {
		t.Fatal(err)
	}
	if purged, err := host.Purge(t.Context()); purged != 0 || err != nil {
		t.Errorf("purged %d, %v", purged, err)
	}
	if rows := host.Rows(); len(rows) != 0 {
		t.Errorf("%d rows are left", len(rows))
	}
	bury(t, db, 3)
	if forgotten, err := host.Forget(t.Context(), "1"); forgotten != 1 || err != nil {
		t.Errorf("forgot %d, %v, want 1", forgotten, err)
	}
}

// TestPurgeEndsWhereNothingGoes: a trigger that keeps the rows doesn't make it try for ever.
func TestPurgeEndsWhereNothingGoes(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	host := testhost.New(t, db, testhost.RealTime)
	bury(t, db, 3)
	if err := db.Exec("CREATE TRIGGER keep BEFORE DELETE ON refresh_tokens BEGIN SELECT RAISE(IGNORE); END").Error; err != nil {
		t.Fatal(err)
	}
	if purged, err := host.Purge(t.Context()); purged != 0 || err == nil || !strings.Contains(err.Error(), "does not delete") {
		t.Errorf("purged %d, %v", purged, err)
	}
}

// TestJanitors: several at once do no harm, and leave nothing dead.
func TestJanitors(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		var logs bytes.Buffer
		host := testhost.New(t, db, testhost.RealTime, func(c *refreshtokens.Config) { c.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
		tokens := host.Login("alice")
		bury(t, db, 3000)
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				if err := host.Janitor(ctx, time.Millisecond); err != nil {
					t.Error(err)
				}
			})
		}
		for len(host.Rows()) > 1 {
			tokens = host.MustRefresh(tokens.Refresh.Token)
		}
		cancel()
		wait.Wait()
		if logs.Len() > 0 {
			t.Error(logs.String())
		}
		host.MustRefresh(tokens.Refresh.Token)
	})
}

func TestJanitorLogsAndGoesOn(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	var logs bytes.Buffer
	host := testhost.New(t, db, testhost.RealTime, func(c *refreshtokens.Config) { c.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
	ctx, cancel := context.WithCancel(t.Context())
	failures := 0
	err := db.Callback().Query().Before("*").Register("test:down", func(db *gorm.DB) {
		if failures++; failures == 3 {
			cancel()
		}
		_ = db.AddError(errors.New("the database is down"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Janitor(ctx, time.Millisecond); err != nil {
		t.Error(err)
	}
	if got := strings.Count(logs.String(), "the database is down"); got != 2 { // the third is the end of ctx
		t.Errorf("%d warnings, want 2: %s", got, logs.String())
	}
	if err := host.Janitor(t.Context(), 0); err == nil {
		t.Error("an interval of 0 was accepted")
	}
}
