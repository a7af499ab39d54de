// Command example_app is a small host of refreshtokens. It has users with passwords in a database of your choice, login, a
// protected route, devices, and log-out. Copy from it.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

func main() {
	var settings config
	kong.Parse(&settings,
		kong.Name("example_app"),
		kong.Description("A small host of refreshtokens. Every setting is an environment variable or a flag."))
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends the process at once
	err := run(ctx, settings, logger)
	stop()
	if err != nil {
		logger.Error("stopped", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx is done. Then it waits for the requests that are under way.
func run(ctx context.Context, settings config, logger *slog.Logger) error {
	if settings.JWTSecret == "" {
		settings.JWTSecret = rand.Text() + rand.Text()
		logger.Warn("JWT_SECRET is not set: using a random one, so every session ends with this process")
	}
	db, err := openDatabase(settings.DatabaseURL, logger)
	if err != nil {
		return err
	}
	defer closeDatabase(db, logger)
	if err := db.AutoMigrate(append(models.All(), &user{})...); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	app, err := newApp(db, settings, logger)
	if err != nil {
		return err
	}

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", settings.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler:           app.router,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	go func() { _ = app.auth.Janitor(ctx, time.Hour) }()
	fmt.Printf("Listening. Try:\n\n%s\n\n", curl(listener.Addr()))

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	logger.Info("shutting down")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("shut down: %w", errors.Join(err, server.Close()))
	}
	return nil
}

// curl returns a command line that registers a user.
func curl(addr net.Addr) string {
	_, port, _ := net.SplitHostPort(addr.String())
	return fmt.Sprintf(`curl -s localhost:%s/v1/auth/register -H 'Content-Type: application/json' `+
		`-d '{"name":"Ada","email":"ada@example.com","password":"correct horse 1"}'`, port)
}
