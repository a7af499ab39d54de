package plugin

import (
	"context"
	"log/slog"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/origin"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// EventKind says what happened.
type EventKind string

// What happens to sessions.
const (
	EventIssued          EventKind = "issued"          // a login started a session
	EventTakenOver       EventKind = "taken_over"      // a legacy token started a session; see Config.Legacy
	EventRefreshed       EventKind = "refreshed"       // a session rotated to its next refresh token
	EventRepeated        EventKind = "repeated"        // the live token was answered again; see Event.DeviceChanged
	EventReuseDetected   EventKind = "reuse_detected"  // a spent token came back, and ended the session (RFC 9700 §4.14.2)
	EventUnproven        EventKind = "unproven"        // a bound session's token came without proof of its key; the session lives
	EventRevoked         EventKind = "revoked"         // a session was ended; see Event.Reason
	EventReauthenticated EventKind = "reauthenticated" // a session got an access token with a new auth_time
	EventPurged          EventKind = "purged"          // rows of sessions that were long over are deleted; see Event.Count
)

// Reason says why a session was revoked.
type Reason string

// Who or what revoked a session.
const (
	ByLogout     Reason = "logout"      // its own refresh token
	ByDeviceList Reason = "device_list" // its subject, from the list of sessions
	ByHost       Reason = "host"        // a call of the host's
	ByLimit      Reason = "limit"       // a newer login, with Config.MaxSessions
	ByRefusal    Reason = "refusal"     // the Claims callback
)

// Event is something that happened to a session. It holds no token.
type Event struct {
	Kind EventKind
	Time time.Time

	// Session is the session after the event; for EventReuseDetected, before it. For EventRevoked after RevokeAll or Forget only
	// the Subject is set, after RevokeEveryone nothing.
	Session Session

	// Device sent the request; for EventReuseDetected, it presented the spent token. It is empty where the module doesn't know
	// it: in a call of the host's.
	Device Device

	// Previous is the device that last rotated the session, for EventRepeated. DeviceChanged tells whether its user agent or
	// address differs from Device's: a phone that changed its network, or a thief within the grace period.
	Previous      Device
	DeviceChanged bool

	Reason   Reason        // for EventRevoked
	Count    int64         // for EventRevoked and EventPurged: how many sessions
	Duration time.Duration // for EventIssued, EventTakenOver, EventRefreshed and EventRepeated: how long the call took
}

// emit logs an event and tells the host. A panic of the host's is logged: what happened has happened.
func (s *Service) emit(ctx context.Context, event Event) {
	ctx = context.WithoutCancel(ctx)
	event.Time = s.config.Clock()
	s.log(ctx, &event)
	if s.config.OnEvent == nil {
		return
	}
	defer func() {
		if cause := recover(); cause != nil {
			s.config.Logger.ErrorContext(ctx, "refreshtokens: OnEvent panicked", "event", string(event.Kind), "panic", cause)
		}
	}()
	s.config.OnEvent(ctx, event)
}

// wantsEvents tells whether anybody wants events that are logged at debug level, so that a refresh need not describe its session
// to nobody.
func (s *Service) wantsEvents(ctx context.Context) bool {
	return s.config.OnEvent != nil || s.config.Logger.Enabled(ctx, slog.LevelDebug)
}

// messages and levels of the events' log lines.
var logLines = map[EventKind]struct {
	level   slog.Level
	message string
}{
	EventIssued:          {slog.LevelDebug, "refreshtokens: a session was issued"},
	EventTakenOver:       {slog.LevelDebug, "refreshtokens: a legacy token was taken over"},
	EventRefreshed:       {slog.LevelDebug, "refreshtokens: a session was refreshed"},
	EventRepeated:        {slog.LevelDebug, "refreshtokens: a refresh token was answered again"},
	EventReuseDetected:   {slog.LevelWarn, "refreshtokens: a spent refresh token came back; its session is revoked"},
	EventUnproven:        {slog.LevelWarn, "refreshtokens: a bound session's refresh token came without proof of its key"},
	EventRevoked:         {slog.LevelInfo, "refreshtokens: revoked"},
	EventReauthenticated: {slog.LevelInfo, "refreshtokens: a session was reauthenticated"},
	EventPurged:          {slog.LevelDebug, "refreshtokens: old sessions were purged"},
}

func (s *Service) log(ctx context.Context, event *Event) {
	line := logLines[event.Kind]
	if event.DeviceChanged {
		line.level, line.message = slog.LevelInfo, "refreshtokens: a refresh token was answered again to another user agent or address"
	}
	if !s.config.Logger.Enabled(ctx, line.level) {
		return
	}
	attrs := []slog.Attr{slog.String("event", string(event.Kind))}
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	add("session", event.Session.ID)
	add("subject", event.Session.Subject)
	add("reason", string(event.Reason))
	add("user_agent", event.Device.UserAgent)
	add("ip", event.Device.IP)
	add("previous_user_agent", event.Previous.UserAgent)
	add("previous_ip", event.Previous.IP)
	if event.Count > 0 {
		attrs = append(attrs, slog.Int64("count", event.Count))
	}
	s.config.Logger.LogAttrs(ctx, line.level, line.message, attrs...)
}

// emitRevoked tells of sessions that a call ended.
func (s *Service) emitRevoked(ctx context.Context, session Session, count int64, why models.Reason) {
	event := Event{Kind: EventRevoked, Session: session, Count: count}
	request, known := origin.Of(ctx)
	event.Device = Device{UserAgent: request.UserAgent, IP: request.IP}
	switch why {
	case models.ReasonLogout:
		event.Reason = ByLogout
	case models.ReasonLimit:
		event.Reason = ByLimit
	case models.ReasonRefused:
		event.Reason = ByRefusal
	default:
		event.Reason = ByHost
		if known {
			event.Reason = ByDeviceList
		}
	}
	s.emit(ctx, event)
}
