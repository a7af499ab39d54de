// Command example_app is a small host of refreshtokens: users with passwords in a database of your choice, login, a
// protected route, devices, log-out, admins, and commands for who runs it. Copy from it.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// program is the command line. The settings are the same for every command.
type program struct {
	config

	Serve    serve    `cmd:"" default:"1" help:"Serve the app. This is the default."`
	Sessions sessions `cmd:"" help:"List and end a user's sessions."`
	Purge    purge    `cmd:"" help:"Delete the rows of sessions that are long over."`
}

var programOptions = []kong.Option{
	kong.Name("example_app"),
	kong.Description("A small host of refreshtokens. Every setting is an environment variable or a flag."),
}

func main() {
	var arguments program
	command := kong.Parse(&arguments, programOptions...)
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	slog.SetDefault(logger)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	command.BindTo(ctx, (*context.Context)(nil))
	err := command.Run(arguments.config, logger)
	stop()
	if err != nil {
		logger.Error("stopped", "error", err)
		os.Exit(1)
	}
}
