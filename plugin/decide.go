package plugin

import "github.com/seed-2f82c0fd/refreshtokens/models"

// outcome is what becomes of a presented refresh token.
type outcome int

const (
	rotate  outcome = iota // its session moves on to the next generation
	replay                 // its successor is answered again
	reuse                  // it was spent: the session is revoked
	expired                // its successor has idled out
	revoked                // its session was ended
	unknown                // there is no such session of that subject's
)

// decide is the decision table: presented is a verified refresh token that arrived at an instant, row its session's row or
// nil. grace is in seconds; a negative one turns the grace period off.
func decide(presented refreshClaims, row *models.RefreshToken, arrived, grace int64) outcome {
	switch {
	case row == nil || string(row.Subject) != presented.Subject:
		return unknown
	case row.RevokedAt != 0:
		return revoked
	case presented.Generation >= row.Generation:
		// Later than the row, under our signature: the database lost a write, and the client is right.
		return rotate
	case presented.Generation < row.Generation-1 || grace < 0 || arrived-row.IssuedAt > grace:
		return reuse
	case row.ExpiresAt <= arrived:
		return expired
	default:
		return replay
	}
}
