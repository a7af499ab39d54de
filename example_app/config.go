package main

import (
	"time"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// config is read from environment variables or flags.
type config struct {
	Addr        string `env:"ADDR" default:":8080" help:"Address to listen on."`
	DatabaseURL string `env:"DATABASE_URL" name:"database-url" default:"example.db" help:"A path or sqlite:PATH, postgres://USER:PASSWORD@HOST:PORT/DB, or mysql://USER:PASSWORD@HOST:PORT/DB."`
	JWTSecret   string `env:"JWT_SECRET" name:"jwt-secret" help:"Secret of 32 bytes or more that signs the tokens. If unset, a random one is used, and every session ends with the process."`
	keyFiles
	AccessTTL      time.Duration `env:"ACCESS_TTL" default:"15m" help:"How long an access token is valid."`
	RefreshTTL     time.Duration `env:"REFRESH_TTL" default:"168h" help:"How long a refresh token may lie unused."`
	SessionTTL     time.Duration `env:"SESSION_TTL" default:"720h" help:"How long after login a session ends, however much it is used."`
	GracePeriod    time.Duration `env:"GRACE_PERIOD" default:"30s" help:"How long a spent refresh token is answered with its successor again. 0 or less turns that off."`
	BaseURL        string        `env:"BASE_URL" name:"base-url" default:"http://localhost:8080" help:"URL at which browsers reach the app. With https://, cookies are Secure; http://localhost is for development."`
	TLSCertFile    string        `env:"TLS_CERT_FILE" name:"tls-cert-file" help:"Certificate (PEM). With TLS_KEY_FILE, the app serves https."`
	TLSKeyFile     string        `env:"TLS_KEY_FILE" name:"tls-key-file" help:"Private key of the certificate (PEM)."`
	TrustedOrigins []string      `env:"TRUSTED_ORIGINS" help:"Other origins whose pages may use the cookies, comma-separated, for instance https://app.example.com."`
	AccessCookie   bool          `env:"ACCESS_COOKIE" help:"Keep the access token in a cookie too, under /web."`
	Binding        string        `env:"BINDING" enum:"off,if-offered,required" default:"off" help:"Bind sessions to a key of the client's: off, if-offered or required. Under /v1 by DPoP, under /web by the browser itself, which needs https and keeps the access token in a cookie."`
	MaxSessions    int           `env:"MAX_SESSIONS" default:"0" help:"Sessions a user may have at once: a login ends the ones used least recently. 0 is no limit."`
	AdminEmail     string        `env:"ADMIN_EMAIL" help:"The user registered with this email has the role admin. Register it first: nobody checks whose address it is."`
}

// cookies returns the settings of the routes under /web.
func (c config) cookies() refreshtokens.Cookies {
	return refreshtokens.Cookies{
		BaseURL: c.BaseURL, TrustedOrigins: c.TrustedOrigins, AccessToken: c.AccessCookie || c.binding().Policy != plugin.BindingOff,
	}
}

// binding returns the settings of both groups.
func (c config) binding() refreshtokens.Binding {
	policy := map[string]plugin.BindingPolicy{"if-offered": plugin.BindingIfOffered, "required": plugin.BindingRequired}[c.Binding]
	return refreshtokens.Binding{Policy: policy, BaseURL: c.BaseURL}
}

// plugin returns the settings of the library. There, a grace period of zero means the default, and a negative one means off.
func (c config) plugin() plugin.Config {
	grace := c.GracePeriod
	if grace == 0 {
		grace = -1
	}
	return plugin.Config{
		Secret:      []byte(c.JWTSecret),
		AccessTTL:   c.AccessTTL,
		RefreshTTL:  c.RefreshTTL,
		SessionTTL:  c.SessionTTL,
		GracePeriod: grace,
		MaxSessions: c.MaxSessions,
	}
}
