package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/origin"
	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

const (
	// maxAttempts bounds how often a refresh starts over because its UPDATE met another row than its SELECT. That happens
	// only while a backup is restored, or where reads go to a lagging replica.
	maxAttempts = 3

	// rounding is how much time two timestamps in whole seconds can hide between them.
	rounding = 2 * time.Second

	// strictRefreshTimeout bounds a refresh where there is no grace period.
	strictRefreshTimeout = 15 * time.Second
)

// refreshTimeout returns how long a whole refresh may take: half the grace period less rounding, and at least a quarter of
// it. Take the worst case: a spent token arrives at the end of the grace period, at a host whose clock is half a grace period
// behind. The limit makes sure that this request ends before the live token may rotate again,
// with a grace period of 4 seconds or more. Half the grace period less one second would be enough for that.
func (c Config) refreshTimeout() time.Duration {
	if c.GracePeriod < 0 {
		return strictRefreshTimeout
	}
	return max(c.GracePeriod/2-rounding, c.GracePeriod/4)
}

// Refresh spends a refresh token, and returns its successor with a fresh access token. The same token again, within the
// grace period, returns the same successor. A token that is younger than twice the grace period returns itself, with a
// fresh access token, unless it is the first one after a login.
//
// At most [Config.MaxRefreshes] run at once. The others wait for their turn, for half of the time below at most.
//
// The end of ctx does not stop a refresh that has its turn: a client that hangs up in the middle must find its token spent and repeatable,
// or unspent. A refresh gives up after 13 seconds by default: half the grace period less two seconds, and at least a quarter of
// it; after 15 seconds where there is no grace period.
//
// Errors: [ErrInvalidToken], [ErrExpired], [ErrRevoked]; [ErrUnproven] and [ErrBusy], which change nothing; [ErrReused] and [ErrSubjectRefused], with which the session is
// revoked; [ErrInvalidClaims], what the Claims callback returned, or the database's, after which the token is still valid.
func (s *Service) Refresh(ctx context.Context, token string, device Device) (Tokens, error) {
	tokens, err := s.tryRefresh(ctx, token, device)
	s.stats.count(err)
	return tokens, err
}

func (s *Service) tryRefresh(ctx context.Context, token string, device Device) (Tokens, error) {
	r := refresh{Service: s, began: time.Now(), arrived: s.now(), device: device}
	var err error
	r.presented, err = s.verifyRefresh(token, r.arrived)
	if s.isLegacy(token, err) {
		return r.takeOver(ctx, token)
	}
	if err != nil {
		return Tokens{}, err
	}
	if s.ended.has(r.presented.SessionID) {
		return Tokens{}, fmt.Errorf("%w: it was refused before", ErrRevoked)
	}
	if err := r.prove(ctx); err != nil {
		return Tokens{}, err
	}
	ctx, end, err := r.begin(ctx)
	if err != nil {
		return Tokens{}, err
	}
	defer end()
	return r.resolve(ctx)
}

// refresh is one refresh under way.
type refresh struct {
	*Service
	presented refreshClaims
	began     time.Time
	arrived   int64 // whoever presents a token is judged by when they came
	device    Device
	proven    models.Text     // the key that the request has proven, or empty
	bindTo    json.RawMessage // the key that a rotation binds the session to, where it is not bound yet

	custom map[string]any // the Claims callback's answer, once it was asked
	asked  bool
}

// begin waits for the refresh's turn, for half of the time that it has. It returns a ctx that ends with that time, and what to call
// at the end.
func (r *refresh) begin(client context.Context) (ctx context.Context, end func(), err error) {
	limit := r.config.refreshTimeout()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(client), limit)
	if err := r.places.enter(client, limit/2); err != nil {
		cancel()
		return nil, nil, err
	}
	return ctx, func() { r.places.leave(); cancel() }, nil
}

func (r *refresh) resolve(ctx context.Context) (Tokens, error) {
	if repeats(r.presented, r.arrived, r.gracePeriod) {
		// Most likely the live token, which is then answered again and costs no write.
		if tokens, settled, err := r.decideByRow(ctx); settled || err != nil {
			return tokens, err
		}
	}
	for range maxAttempts {
		if tokens, rotated, err := r.rotate(ctx); rotated || err != nil {
			return tokens, err
		}
		if tokens, settled, err := r.decideByRow(ctx); settled || err != nil {
			return tokens, err
		}
	}
	return Tokens{}, errUnsteady
}

var errUnsteady = errors.New("refresh gave up: the row that was read differs from the row that was updated; " +
	"is the database being restored, is a replica lagging, or does a transaction around the call use an old snapshot?")

// rotate tries to move the session on to the next generation. If the presented token is too young to rotate, the row is behind it:
// the row then catches up with this token, and does not pass it. Other tabs may still hold the token before it.
func (r *refresh) rotate(ctx context.Context) (tokens Tokens, rotated bool, err error) {
	next := r.successor(r.presented, r.arrived, r.device)
	if r.bindTo != nil {
		next.Binding = models.Text(r.bindTo)
	}
	if err := r.ask(ctx, next); err != nil {
		return Tokens{}, false, err
	}
	// The grace period runs from here: the callback may have taken its time.
	now := r.now()
	next.IssuedAt, next.ExpiresAt = now, r.expiry(r.presented, now)
	if repeats(r.presented, r.arrived, r.gracePeriod) {
		next.Generation, next.IssuedAt, next.ExpiresAt = r.presented.Generation, r.presented.IssuedAt, r.presented.ExpiresAt
	}
	// Minted before the UPDATE: whatever fails, fails before the token is spent.
	if tokens, err = r.mint(ctx, next, now, r.custom); err != nil {
		return Tokens{}, false, err
	}
	// Without a grace period, a second try after one that was carried out would look like theft.
	rotated, err = r.store.Rotate(ctx, next, r.gracePeriod > 0)
	if rotated && r.wantsEvents(ctx) {
		r.emit(ctx, Event{Kind: EventRefreshed, Session: r.session(next), Device: r.device, Duration: time.Since(r.began)})
	}
	return tokens, rotated, err
}

// decideByRow reads the row and carries out the decision. It reports whether that settled the refresh; if not, the token is to
// be rotated.
func (r *refresh) decideByRow(ctx context.Context) (tokens Tokens, settled bool, err error) {
	row, err := r.store.Find(ctx, models.Text(r.presented.SessionID), store.Use)
	if err != nil {
		return Tokens{}, false, err
	}
	return r.carryOut(ctx, row)
}

// carryOut is decideByRow for a row that was read, or nil.
func (r *refresh) carryOut(ctx context.Context, row *models.RefreshToken) (tokens Tokens, settled bool, err error) {
	if row != nil {
		// What the session has of its own comes from the signed token. Whoever can write to the table can't add a claim.
		row.CreatedAt, row.Data = r.presented.AuthTime, models.Text(r.presented.Data)
		row.IdleLimit, row.AbsoluteLimit = r.presented.IdleLimit, r.presented.AbsoluteLimit
	}
	switch decide(r.presented, row, r.proven, r.arrived, r.now(), r.gracePeriod) {
	case rotate:
		return Tokens{}, false, nil
	case repeat:
		if err := r.ask(ctx, row); err != nil {
			return Tokens{}, false, err
		}
		if tokens, err = r.mint(ctx, row, r.now(), r.custom); err != nil {
			return Tokens{}, false, err
		}
		r.emitRepeated(ctx, row)
		return tokens, true, nil
	case reuse:
		ended, err := r.endReused(ctx, row)
		if err != nil || !ended {
			return Tokens{}, false, err
		}
		return Tokens{}, true, ErrReused
	case expired:
		return Tokens{}, true, ErrExpired
	case revoked:
		r.ended.add(r.presented.SessionID)
		return Tokens{}, true, fmt.Errorf("%w: for %s", ErrRevoked, row.RevokedFor)
	default:
		return Tokens{}, true, fmt.Errorf("%w: no such session", ErrInvalidToken)
	}
}

// ask asks the Claims callback about the session of row, once in a refresh. A refusal ends the session.
func (r *refresh) ask(ctx context.Context, row *models.RefreshToken) error {
	if r.asked || r.config.Claims == nil {
		return nil
	}
	var err error
	asked := *row
	asked.UserAgent, asked.IP = r.device.columns() // the device that asks, also where it gets the live token of another
	r.custom, err = r.customClaims(ctx, &asked)
	r.asked = err == nil
	if errors.Is(err, ErrSubjectRefused) {
		ctx = origin.With(ctx, origin.Request{UserAgent: r.device.UserAgent, IP: r.device.IP})
		return r.refuse(ctx, row, err)
	}
	return err
}

// refuse ends a session that the Claims callback refused, and returns the refusal, or the database's error.
func (s *Service) refuse(ctx context.Context, row *models.RefreshToken, refusal error) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	ended, err := s.store.Revoke(ctx, row.ID, row.Subject, s.now(), models.ReasonRefused)
	if err != nil {
		return err
	}
	if ended {
		s.forgetLive(string(row.ID))
		s.emitRevoked(ctx, s.session(row), 1, models.ReasonRefused)
	}
	return refusal
}

// endReused revokes the session and tells the host. It reports false if someone else has just revoked it, or bound it to the key that
// this request has proven.
func (r *refresh) endReused(ctx context.Context, row *models.RefreshToken) (bool, error) {
	ctx, cancel := detach(ctx)
	defer cancel()
	ended, err := r.store.RevokeReused(ctx, row.ID, row.Subject, r.presented.Generation, r.proven, r.now())
	if err != nil || !ended {
		return false, err
	}
	r.forgetLive(string(row.ID))
	r.emit(ctx, Event{Kind: EventReuseDetected, Session: r.session(row), Device: r.device})
	return true, nil
}

// emitRepeated tells that a token was answered again, and whether to another device than the one that rotated to it.
func (r *refresh) emitRepeated(ctx context.Context, row *models.RefreshToken) {
	userAgent, ip := r.device.columns()
	changed := userAgent != row.UserAgent || ip != row.IP
	if !changed && !r.wantsEvents(ctx) {
		return
	}
	r.emit(ctx, Event{
		Kind: EventRepeated, Session: r.session(row), Device: Device{UserAgent: string(userAgent), IP: string(ip)},
		Previous: Device{UserAgent: string(row.UserAgent), IP: string(row.IP)}, DeviceChanged: changed,
		Duration: time.Since(r.began),
	})
}
