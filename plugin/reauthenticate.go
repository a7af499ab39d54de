package plugin

import (
	"context"
	"errors"
	"maps"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// Reauthenticate returns an access token of the same session with a new auth_time, after the host has checked the user's
// password, or another factor, again (RFC 9470). claims are those of the request. Nothing in the row or in the refresh token
// changes: the elevation ends with the token, and the next refresh has the old auth_time again.
//
// Of the options, [WithData] adds claims to this one token, in place of those of the session's data: amr and acr say how the
// user authenticated. Errors: [ErrRevoked] where the session has ended, [ErrSubjectRefused], [ErrInvalidClaims], what the
// Claims callback returned, or the database's.
func (s *Service) Reauthenticate(ctx context.Context, claims token.Claims, options ...SessionOption) (Token, error) {
	var o sessionOptions
	for _, option := range options {
		option(&o)
	}
	now := s.now()
	row, err := s.liveRow(ctx, claims.Subject, claims.SessionID, now, store.Whole)
	if errors.Is(err, ErrNotFound) {
		return Token{}, ErrRevoked
	}
	if err != nil {
		return Token{}, err
	}
	custom, err := s.customClaims(ctx, row)
	if errors.Is(err, ErrSubjectRefused) {
		return Token{}, s.refuse(ctx, row, err)
	}
	if err != nil {
		return Token{}, err
	}
	data := decodeData(row.Data).raw()
	if len(o.data) > 0 {
		if data == nil {
			data = map[string]any{}
		}
		maps.Copy(data, o.data)
		custom = maps.Clone(custom)
		maps.DeleteFunc(custom, func(name string, _ any) bool { _, given := o.data[name]; return given })
	}
	minted, err := s.mintAccess(ctx, row, now, now, nil, data, custom)
	if err != nil {
		return Token{}, err
	}
	s.emit(ctx, Event{Kind: EventReauthenticated, Session: s.session(row), Device: requester(ctx)})
	return minted, nil
}
