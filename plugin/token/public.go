package token

import (
	"crypto"
	"fmt"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
)

// PublicKey is a key that verifies access tokens, with what a JWK says of it (RFC 7517 §4).
type PublicKey struct {
	Key       crypto.PublicKey
	ID        string // kid: the key's thumbprint (RFC 7638)
	Algorithm string // alg: EdDSA, ES256 or RS256
}

// NewPublicKey describes an ed25519.PublicKey, an *ecdsa.PublicKey on P-256, or an *rsa.PublicKey of 2048 to 8192 bits. Any other key is
// an error.
func NewPublicKey(key crypto.PublicKey) (PublicKey, error) {
	public, err := jose.NewPublicKey(key)
	if err != nil {
		return PublicKey{}, fmt.Errorf("token: the key %w", err)
	}
	return PublicKey{public.Key(), public.ID(), public.Algorithm()}, nil
}
