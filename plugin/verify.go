package plugin

import (
	"fmt"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// VerifyAccess returns the claims of an access token. It asks no database, so a token outlives its session's end by up to
// AccessTTL; [Service.SessionLives] tells. Errors: [ErrInvalidToken], [ErrExpired].
func (s *Service) VerifyAccess(accessToken string) (token.Claims, error) {
	return s.verifier.VerifyAccess(accessToken)
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
	payload, err := s.refreshKeys.Verify(token)
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
	end := s.absoluteEnd(claims.AuthTime, claims.AbsoluteLimit)
	if end <= now {
		return refreshClaims{}, ErrExpired
	}
	claims.last = claims.ExpiresAt >= end
	return claims, nil
}

// maxClockSkew is how far ahead, in seconds, the clock of a host may be before another one refuses a session that it has
// just started.
const maxClockSkew = 60
