package plugin

import "github.com/seed-2f82c0fd/refreshtokens/models"

// outcome is what becomes of a presented refresh token.
type outcome int

const (
	rotate  outcome = iota // the session moves on to the next generation
	repeat                 // the live token is answered again
	reuse                  // the token was spent: the session is revoked
	expired                // the live token has idled out
	revoked                // the session was ended
	unknown                // the subject has no such session
)

// decide is the decision table. presented is a verified refresh token that arrived at an instant; row is its session's
// row, or nil. grace is in seconds; a negative one turns the grace period off.
func decide(presented refreshClaims, row *models.RefreshToken, arrived, grace int64) outcome {
	switch {
	case row == nil || string(row.Subject) != presented.Subject:
		return unknown
	case row.RevokedAt != 0:
		return revoked
	case presented.Generation > row.Generation:
		// Our signature proves that the row was once here: the database lost a write, and the client is right.
		return rotate
	case presented.Generation == row.Generation && !repeats(presented, arrived, grace):
		return rotate
	case presented.Generation == row.Generation-1 && !within(grace, row.IssuedAt, arrived, grace):
		return reuse
	case presented.Generation < row.Generation-1:
		return reuse
	case row.ExpiresAt <= arrived:
		return expired
	default:
		return repeat
	}
}

// repeats tells whether a token, if it is the live one, is too young to rotate. Tabs that race settle on it: none of their
// requests can fall two generations behind. The first token after a login is never too young.
func repeats(presented refreshClaims, arrived, grace int64) bool {
	return presented.Generation > 1 && within(2*grace-1, presented.IssuedAt, arrived, grace)
}

// within tells whether at most limit seconds have passed since a token was issued. The host that issued it may have a
// clock that is ahead of ours, by up to half the grace period; further ahead, it proves nothing.
func within(limit, issued, arrived, grace int64) bool {
	return grace > 0 && arrived-issued <= limit && issued-arrived <= (grace+1)/2
}
