package plugin

import "github.com/seed-2f82c0fd/refreshtokens/models"

// outcome is what becomes of a presented refresh token.
type outcome int

const (
	rotate  outcome = iota // the session moves on to the next generation, or catches up with the presented token
	repeat                 // the live token is answered again
	reuse                  // the token was spent: the session is revoked
	expired                // the live token has idled out
	revoked                // the session was ended
	unknown                // there is no such session, or it is another subject's
)

// decide is the decision table. presented is a verified refresh token that arrived at an instant; row is its session's
// row as it is now, or nil. grace is in seconds; a negative one turns the grace period off. proven is the binding that the request has
// proven, or empty.
func decide(presented refreshClaims, row *models.RefreshToken, proven models.Text, arrived, now, grace int64) outcome {
	// Whoever holds the session's key is no thief, however old the token is.
	isHolder := row != nil && isBound(row.Binding) && row.Binding == proven
	switch {
	case row == nil || string(row.Subject) != presented.Subject:
		return unknown
	case row.RevokedAt != 0:
		return revoked
	case isBound(row.Binding) && !isHolder && presented.Generation >= row.Generation:
		return unknown // a bound row has no live token without its key
	case presented.Generation > row.Generation:
		// Only we can sign this generation. So the row had it once, and the database lost a write.
		return rotate
	case presented.Generation == row.Generation && !repeats(presented, arrived, grace):
		return rotate
	case isHolder && row.ExpiresAt <= arrived:
		return expired
	case isHolder:
		return repeat
	case presented.Generation == row.Generation-1 && !isRecent(grace, row.IssuedAt, arrived, now, grace):
		return reuse
	case presented.Generation < row.Generation-1:
		return reuse
	case row.ExpiresAt <= arrived:
		return expired
	default:
		return repeat
	}
}

// repeats tells whether a token, if it is the live one, is too young to rotate. Tabs that race all get this token, so a slow
// tab is at most one generation behind. The first token after a login is never too young.
//
// A token whose lifetime is short rotates at half of it at the latest: a host may have set a longer grace period since it was
// minted. But not at the end of its session, where a rotation gains no time.
func repeats(presented refreshClaims, arrived, grace int64) bool {
	window := 2*grace - 1
	if lifetime := presented.ExpiresAt - presented.IssuedAt; lifetime > 0 && !presented.last {
		window = min(window, lifetime/2)
	}
	return presented.Generation > 1 && isRecent(window, presented.IssuedAt, arrived, arrived, grace)
}

// isRecent tells whether a token was issued at most limit seconds before a request arrived. It may have been issued since then,
// while the request was under way. And the clock of the host that issued it may be ahead of ours by up to half the grace period.
// A token from further ahead is not recent.
func isRecent(limit, issued, arrived, now, grace int64) bool {
	return grace > 0 && arrived-issued <= limit && issued-now <= (grace+1)/2
}
