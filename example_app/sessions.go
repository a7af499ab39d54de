package main

import (
	"context"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// sessions are the commands for a user's sessions. They need the database, and not the secret.
type sessions struct {
	List listSessions `cmd:"" help:"List a user's live sessions, newest use first."`
	End  endSessions  `cmd:"" help:"End one of a user's sessions, or all of them."`
}

type listSessions struct {
	User string `required:"" help:"Email or id of the user."`
}

// Run prints a table.
func (l listSessions) Run(ctx context.Context, settings config, logger *slog.Logger, terminal *kong.Kong) error {
	return asOperator(settings, logger, nil, func(db *gorm.DB, admin *plugin.Admin) error {
		subject, err := subjectNamed(db.WithContext(ctx), l.User)
		if err != nil {
			return err
		}
		list, err := admin.Sessions(ctx, subject)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(terminal.Stdout, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, "ID\tNAME\tLAST USED\tEXPIRES\tIP\tUSER AGENT")
		for _, session := range list {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", session.ID, session.Name,
				session.LastUsedAt.Format(time.RFC3339), session.ExpiresAt.Format(time.RFC3339), session.IP, session.UserAgent)
		}
		return table.Flush()
	})
}

type endSessions struct {
	User string `required:"" help:"Email or id of the user."`
	ID   string `required:"" xor:"which" help:"Id of the session."`
	All  bool   `required:"" xor:"which" help:"All of them."`
}

// Run prints how many sessions it ended.
func (e endSessions) Run(ctx context.Context, settings config, logger *slog.Logger, terminal *kong.Kong) error {
	var ended int64
	count := func(_ context.Context, event plugin.Event) {
		if event.Kind == plugin.EventRevoked {
			ended += event.Count
		}
	}
	return asOperator(settings, logger, count, func(db *gorm.DB, admin *plugin.Admin) error {
		subject, err := subjectNamed(db.WithContext(ctx), e.User)
		if err != nil {
			return err
		}
		if e.All {
			err = admin.RevokeAll(ctx, subject)
		} else {
			err = admin.RevokeSession(ctx, subject, e.ID)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(terminal.Stdout, "sessions ended: %d\n", ended)
		return err
	})
}
