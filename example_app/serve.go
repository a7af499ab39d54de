package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// serve is the command that serves the app.
type serve struct{}

// Run serves until ctx is done, and then finishes the requests that are under way.
func (serve) Run(ctx context.Context, settings config, logger *slog.Logger, terminal *kong.Kong) error {
	if (settings.TLSCertFile == "") != (settings.TLSKeyFile == "") {
		return errors.New("TLS_CERT_FILE and TLS_KEY_FILE need each other")
	}
	if settings.TLSCertFile != "" && !strings.HasPrefix(settings.BaseURL, "https://") {
		return errors.New("BASE_URL must be the https:// URL that browsers use, because TLS_CERT_FILE is set")
	}
	if settings.JWTSecret == "" {
		settings.JWTSecret = rand.Text() + rand.Text()
		logger.Warn("JWT_SECRET is not set: using a random one, so every login ends with this process")
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
	_, _ = fmt.Fprintf(terminal.Stdout, "Listening on %s. Try:\n\n%s\n\n", listener.Addr(), curl(settings, listener.Addr()))

	failed := make(chan error, 1)
	go func() {
		if settings.TLSCertFile != "" {
			failed <- server.ServeTLS(listener, settings.TLSCertFile, settings.TLSKeyFile)
			return
		}
		failed <- server.Serve(listener)
	}()
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

// curl is a command that works as soon as the server listens.
func curl(settings config, addr net.Addr) string {
	base := settings.BaseURL
	if settings.TLSCertFile == "" {
		_, port, _ := net.SplitHostPort(addr.String())
		base = "http://localhost:" + port
	}
	return fmt.Sprintf(`curl -s %s/v1/auth/register -H 'Content-Type: application/json' `+
		`-d '{"name":"Ada","email":"ada@example.com","password":"correct horse 1"}'`, base)
}
