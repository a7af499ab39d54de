package plugin

import (
	"context"
	"crypto/rand"
	"time"

	"gorm.io/gorm"
)

// AdminConfig is what an [Admin] needs. Only DB is required. The rest must be what the app's Config says.
type AdminConfig struct {
	DB         *gorm.DB
	Table      string
	SessionTTL time.Duration
	OnEvent    func(ctx context.Context, event Event)
}

// Admin lists and ends sessions of any subject, from a program that has the database and not the secret. It mints and
// verifies nothing.
type Admin struct{ service *Service }

// NewAdmin checks config, and that the table is there.
func NewAdmin(config AdminConfig) (*Admin, error) {
	service, err := New(Config{
		DB: config.DB, Table: config.Table, SessionTTL: config.SessionTTL, OnEvent: config.OnEvent,
		GracePeriod: -1, // of no meaning here, and right with any SessionTTL
		Secret:      []byte(rand.Text() + rand.Text()),
	})
	if err != nil {
		return nil, err
	}
	return &Admin{service}, nil
}

// Sessions is [Service.Sessions].
func (a *Admin) Sessions(ctx context.Context, subject string) ([]Session, error) {
	return a.service.Sessions(ctx, subject)
}

// RevokeSession is [Service.RevokeSession].
func (a *Admin) RevokeSession(ctx context.Context, subject, id string) error {
	return a.service.RevokeSession(ctx, subject, id)
}

// RevokeAll is [Service.RevokeAll].
func (a *Admin) RevokeAll(ctx context.Context, subject string, except ...string) error {
	return a.service.RevokeAll(ctx, subject, except...)
}

// RevokeEveryone is [Service.RevokeEveryone].
func (a *Admin) RevokeEveryone(ctx context.Context) (int64, error) {
	return a.service.RevokeEveryone(ctx)
}

// Forget is [Service.Forget].
func (a *Admin) Forget(ctx context.Context, subject string) (int64, error) {
	return a.service.Forget(ctx, subject)
}

// Purge is [Service.Purge].
func (a *Admin) Purge(ctx context.Context) (int64, error) {
	return a.service.Purge(ctx)
}
