// Package plugin decides: it mints, rotates, verifies and revokes, and knows nothing of HTTP.
package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Service issues, refreshes, verifies and revokes. It is safe for concurrent use, by any number of processes on one
// database.
type Service struct {
	config     Config
	store      *models.Store
	ended      *endedSessions
	accessKey  key
	refreshKey key
	validator  *jwt.Validator

	// In seconds; gracePeriod is negative where it is off.
	accessTTL, refreshTTL, sessionTTL, gracePeriod int64
}

// New fills in the defaults of config, checks it, and checks that the table is there. Every mistake in config is in the
// error, each with what to do about it.
func New(config Config) (*Service, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("refreshtokens: bad Config: %w", err)
	}
	store := models.NewStore(config.DB, config.Table)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := store.Check(ctx); err != nil {
		return nil, fmt.Errorf("refreshtokens: %w", err)
	}
	config.Secret = bytes.Clone(config.Secret)
	refreshKey, err := deriveRefreshKey(config.Secret)
	if err != nil {
		return nil, fmt.Errorf("refreshtokens: %w", err)
	}
	options := []jwt.ParserOption{
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(config.Clock), jwt.WithLeeway(config.Leeway),
	}
	if config.Issuer != "" {
		options = append(options, jwt.WithIssuer(config.Issuer))
	}
	if config.Audience != "" {
		options = append(options, jwt.WithAudience(config.Audience))
	}
	s := &Service{
		config:      config,
		store:       store,
		ended:       newEndedSessions(),
		accessKey:   newKey(config.Secret),
		refreshKey:  refreshKey,
		validator:   jwt.NewValidator(options...),
		accessTTL:   int64(config.AccessTTL / time.Second),
		refreshTTL:  int64(config.RefreshTTL / time.Second),
		sessionTTL:  int64(config.SessionTTL / time.Second),
		gracePeriod: int64(config.GracePeriod / time.Second),
	}
	if config.GracePeriod < 0 {
		s.gracePeriod = -1
	}
	if err := s.checkClock(ctx); err != nil && !errors.Is(err, ErrClock) { // which was logged
		return nil, fmt.Errorf("refreshtokens: %w", err)
	}
	return s, nil
}

// startTimeout bounds what New asks of the database.
const startTimeout = 10 * time.Second

// WithDB returns the Service on db, which may be a transaction or a connection of the host's. What it writes then stands or
// falls with that transaction, and a deadlock is for the host to repeat.
//
// The Claims callback runs outside the transaction: on its own it doesn't see what is not committed yet, and on a pool of
// one connection it would wait for ever. Its ctx is the one that Issue got, so it can carry the transaction. Don't call
// Refresh in a transaction that its error rolls back: [ErrReused] and [ErrSubjectRefused] come with a revocation that has
// to stay.
func (s *Service) WithDB(db *gorm.DB) *Service {
	with := *s
	with.store, with.ended = s.store.WithDB(db), nil // what a transaction finds may be rolled back
	return &with
}

// Logger returns the configured logger, never nil.
func (s *Service) Logger() *slog.Logger {
	return s.config.Logger
}

// Issue starts a session for subject, which the host has just authenticated, and returns its first tokens. subject is
// the host's user id, 1 to 255 bytes of UTF-8. Errors: [ErrInvalidSubject], [ErrSubjectRefused], [ErrInvalidClaims],
// what the Claims callback returned, or the database's; in each case no session was started.
func (s *Service) Issue(ctx context.Context, subject string, client Client) (Tokens, error) {
	if !validSubject(subject) {
		return Tokens{}, ErrInvalidSubject
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Tokens{}, fmt.Errorf("make session id: %w", err)
	}
	now := s.now()
	row := s.successor(refreshClaims{registered: registered{Subject: subject, SessionID: id.String(), AuthTime: now}}, now, client)
	custom, err := s.customClaims(ctx, row)
	if err != nil {
		return Tokens{}, err
	}
	tokens, err := s.mint(row, now, custom)
	if err != nil {
		return Tokens{}, err
	}
	if err := s.store.Create(ctx, row); err != nil {
		return Tokens{}, err
	}
	s.purgeSometimes(ctx)
	return tokens, nil
}

// VerifyAccess returns the claims of an access token. It asks no database: a token outlives its session's end by up to
// AccessTTL; [Service.Session] tells. Errors: [ErrInvalidToken], [ErrExpired].
func (s *Service) VerifyAccess(token string) (AccessClaims, error) {
	payload, err := s.accessKey.verify(token)
	if err != nil {
		return AccessClaims{}, err
	}
	return parseAccessClaims(payload, s.validator)
}

// verifyRefresh returns the claims of a refresh token that is valid now, as far as the token itself can tell.
func (s *Service) verifyRefresh(token string, now int64) (refreshClaims, error) {
	claims, err := s.readRefresh(token, now)
	if err == nil && claims.ExpiresAt <= now {
		return refreshClaims{}, ErrExpired
	}
	return claims, err
}

// readRefresh is verifyRefresh for a token that may have expired, of a session that has not reached its absolute end.
func (s *Service) readRefresh(token string, now int64) (refreshClaims, error) {
	payload, err := s.refreshKey.verify(token)
	if err != nil {
		return refreshClaims{}, err
	}
	claims, err := parseRefreshClaims(payload)
	if err != nil {
		return refreshClaims{}, err
	}
	if claims.Issuer != s.config.Issuer || claims.Audience != s.config.Audience {
		return refreshClaims{}, fmt.Errorf("%w: of another issuer or audience", ErrInvalidToken)
	}
	if claims.AuthTime > now+maxClockSkew {
		return refreshClaims{}, fmt.Errorf("%w: authenticated in the future", ErrInvalidToken)
	}
	if claims.AuthTime <= s.cutoff(now) {
		return refreshClaims{}, ErrExpired
	}
	return claims, nil
}

// maxClockSkew is how far, in seconds, the clocks of two hosts of one app may run apart before a session that one has
// just started is refused by the other.
const maxClockSkew = 60

// now returns the time in Unix seconds. Every operation takes it once, except Refresh, which may wait for the Claims
// callback in between.
func (s *Service) now() int64 {
	return s.config.Clock().Unix()
}

// cutoff returns the auth_time at which, and before which, sessions are past their absolute end.
func (s *Service) cutoff(now int64) int64 {
	return now - s.sessionTTL
}

// successor returns the row that the session of the presented claims moves on to.
func (s *Service) successor(presented refreshClaims, now int64, client Client) *models.RefreshToken {
	userAgent, ip := client.columns()
	return &models.RefreshToken{
		ID:         models.Text(presented.SessionID),
		Subject:    models.Text(presented.Subject),
		Generation: presented.Generation + 1,
		IssuedAt:   now,
		ExpiresAt:  s.expiry(presented.AuthTime, now),
		CreatedAt:  presented.AuthTime,
		UserAgent:  userAgent,
		IP:         ip,
	}
}

// expiry returns when a refresh token minted now ends.
func (s *Service) expiry(authTime, now int64) int64 {
	return min(now+s.refreshTTL, authTime+s.sessionTTL)
}

// customClaims asks the host about the session of row.
func (s *Service) customClaims(ctx context.Context, row *models.RefreshToken) (map[string]any, error) {
	if s.config.Claims == nil {
		return nil, nil
	}
	custom, err := s.config.Claims(ctx, s.session(row))
	if err == nil || errors.Is(err, ErrSubjectRefused) {
		return custom, err
	}
	if isOurs(err) { // of something else that the callback did: here it is a failure like any other
		return nil, fmt.Errorf("claims callback: %s", err.Error())
	}
	return nil, fmt.Errorf("claims callback: %w", err)
}

// mint returns the tokens of a row. The refresh token is a function of row and key alone.
func (s *Service) mint(row *models.RefreshToken, now int64, custom map[string]any) (Tokens, error) {
	common := registered{
		Subject:   string(row.Subject),
		SessionID: string(row.ID),
		IssuedAt:  row.IssuedAt,
		ExpiresAt: row.ExpiresAt,
		AuthTime:  row.CreatedAt,
		Type:      typeRefresh,
	}
	scope := scope{s.config.Issuer, s.config.Audience}
	refreshPayload, err := json.Marshal(refreshClaims{common, row.Generation, scope})
	if err != nil {
		return Tokens{}, fmt.Errorf("encode refresh token: %w", err)
	}
	refresh := s.refreshKey.sign(refreshPayload)

	common.Type = typeAccess
	common.IssuedAt = now
	common.ExpiresAt = min(now+s.accessTTL, row.CreatedAt+s.sessionTTL)
	accessPayload, err := mergeClaims(accessClaims{common, scope}, custom)
	if err != nil {
		return Tokens{}, err
	}
	access := s.accessKey.sign(accessPayload)
	if len(access) > maxTokenLength {
		return Tokens{}, fmt.Errorf("%w: the access token would be over %d bytes", ErrInvalidClaims, maxTokenLength)
	}
	return Tokens{
		Access:  Token{access, timestamp(common.ExpiresAt)},
		Refresh: Token{refresh, timestamp(row.ExpiresAt)},
	}, nil
}
