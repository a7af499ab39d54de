package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"
	"github.com/schollz/progressbar/v3"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// purge is the command that deletes old rows. SESSION_TTL must be what the app has: it says which rows are old.
type purge struct{}

// Run shows how far it has come, and then prints how many rows it deleted.
func (purge) Run(ctx context.Context, settings config, logger *slog.Logger, terminal *kong.Kong) error {
	var bar *progressbar.ProgressBar
	advance := func(_ context.Context, event plugin.Event) {
		if event.Kind == plugin.EventPurged {
			_ = bar.Add64(event.Count) // fails where rows have become old since they were counted
		}
	}
	return asOperator(settings, logger, advance, func(db *gorm.DB, admin *plugin.Admin) error {
		var old int64
		end := time.Now().Add(-settings.SessionTTL).Unix()
		err := db.WithContext(ctx).Model(&models.RefreshToken{}).Where("created_at <= ?", end).Count(&old).Error
		if err != nil {
			return fmt.Errorf("count old sessions: %w", err)
		}
		bar = progressbar.NewOptions64(old, progressbar.OptionSetWriter(terminal.Stderr), progressbar.OptionShowCount(),
			progressbar.OptionSetDescription("old sessions"), progressbar.OptionThrottle(100*time.Millisecond))
		deleted, err := admin.Purge(ctx)
		_, _ = fmt.Fprintln(terminal.Stderr) // ends the bar's line
		_, printErr := fmt.Fprintf(terminal.Stdout, "old sessions deleted: %d\n", deleted)
		return errors.Join(err, printErr)
	})
}
