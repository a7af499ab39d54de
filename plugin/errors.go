package plugin

import (
	"errors"
	"slices"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// The errors a caller can tell apart with errors.Is. Each comes wrapped with its cause; no text of any holds a token, a
// part of one, or a key. Any other error is a failure of the database or of the host's Claims callback: the token is still
// valid, and the same call may be tried again.
var (
	// ErrInvalidToken: malformed, forged, of the wrong kind, or of no session in the database.
	ErrInvalidToken = token.ErrInvalid
	// ErrExpired: the token's time, or its session's, is over.
	ErrExpired = token.ErrExpired
	// ErrReused: a spent refresh token came back outside the grace period. Its session is revoked (RFC 9700 §4.14.2).
	ErrReused = errors.New("refresh token reused")
	// ErrRevoked: the token's session was ended.
	ErrRevoked = errors.New("session revoked")
	// ErrUnproven: the session is bound to a key, or has to be, and the request did not prove that it holds the key. Nothing has
	// changed.
	ErrUnproven = errors.New("key not proven")
	// ErrBusy: so many refreshes were under way that this one waited too long for its turn. Nothing has changed; try again in some seconds.
	ErrBusy = errors.New("too many refreshes at once")
	// ErrSubjectRefused is for the host's Claims callback to return, alone or wrapped: the subject may not have tokens,
	// for instance because its user was deleted. The session that asked is revoked.
	ErrSubjectRefused = errors.New("subject refused")
	// ErrNotFound: the subject has no such live session.
	ErrNotFound = errors.New("session not found")
	// ErrInvalidSubject: a subject that is not 1 to 255 bytes of UTF-8 without NUL.
	ErrInvalidSubject = errors.New("invalid subject: it must be 1 to 255 bytes of UTF-8 without NUL")
	// ErrInvalidClaims: WithData or the Claims callback gave a reserved claim, one that JSON can't express, one that the other
	// gave too, or so many that the data would be over 1 KiB, the token over 8 KiB, or a token too large for its cookie.
	ErrInvalidClaims = errors.New("invalid claims")
	// ErrInvalidTTL: a lifetime of a login that is no whole seconds, or too short.
	ErrInvalidTTL = errors.New("invalid lifetime")
	// ErrClock: this host's clock is more than an hour off the database's, so nothing was purged. Set the clock right.
	ErrClock = errors.New("this host's clock is wrong")
)

// isOurs tells whether err is one of the errors above.
func isOurs(err error) bool {
	return slices.ContainsFunc([]error{
		ErrInvalidToken, ErrExpired, ErrReused, ErrRevoked, ErrUnproven, ErrSubjectRefused, ErrNotFound, ErrInvalidSubject, ErrInvalidClaims, ErrInvalidTTL,
	}, func(ours error) bool { return errors.Is(err, ours) })
}
