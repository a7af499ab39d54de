package token

import "encoding/json"

// Binding is the key that a session is bound to: a cnf claim as JSON (RFC 7800 §3.1), or empty. Whoever has a token of such a session
// has to prove that they hold the key, or the token is worth nothing.
type Binding string

// Thumbprint returns the key's thumbprint (jkt, RFC 9449 §6.1) where the client proves the key in each request (DPoP). It returns ""
// where the session is bound to no key, or to one that the browser proves by itself (device-bound sessions).
func (b Binding) Thumbprint() string {
	var confirmation struct {
		JKT string `json:"jkt"`
	}
	if b != "" {
		_ = json.Unmarshal([]byte(b), &confirmation)
	}
	return confirmation.JKT
}
