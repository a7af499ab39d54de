// Package token verifies access tokens. It needs neither a database nor Gin: a service that only checks tokens can use it
// alone.
package token

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
)

// The errors that a caller can tell apart with errors.Is. Each comes wrapped with its cause. No text holds a token or a part
// of one.
var (
	// ErrInvalid: malformed, forged, or of the wrong kind.
	ErrInvalid = jose.ErrInvalid
	// ErrExpired: the token's time is over.
	ErrExpired = jose.ErrExpired
)

// Claims is what a verified access token says.
type Claims struct {
	Subject   string    // sub: the host's user id
	SessionID string    // sid: the session that the token is of
	IssuedAt  time.Time // iat
	ExpiresAt time.Time // exp
	AuthTime  time.Time // auth_time: when the user authenticated (OpenID Connect Core §2)
	Binding   Binding   // cnf: the key that the session is bound to; empty where it is to none

	payload []byte
}

// Decode unmarshals the whole claims set into dst, a pointer to a struct of the host's, for the claims that its Claims
// callback added.
func (c Claims) Decode(dst any) error {
	if err := json.Unmarshal(c.payload, dst); err != nil {
		return fmt.Errorf("decode claims: %w", err)
	}
	return nil
}
