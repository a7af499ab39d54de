package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

// Key is the public key of a client: P-256, Ed25519, or RSA with 2048 to 4096 bits. A Key of this package's is always valid.
type Key struct {
	public     crypto.PublicKey
	thumbprint string
}

// RSA keys outside of these bounds are refused: smaller ones can be broken, and larger ones take long to verify with.
const minRSA, maxRSA = 2048, 4096

// refusedMembers are the private members of a JWK (RFC 7518 §6), and those that name a certificate.
var refusedMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "x5u", "x5c", "x5t", "x5t#S256"}

// readMembers are the members that make up the key.
var readMembers = []string{"kty", "crv", "x", "y", "n", "e"}

var memberNames = append(append([]string(nil), refusedMembers...), readMembers...)

// ParseKey reads a public JWK (RFC 7517). It refuses one with a private member, and a symmetric one. It ignores what else the
// JWK says, such as kid, use and alg. The error is [ErrInvalid].
func ParseKey(text []byte) (Key, error) {
	values := make([][]byte, len(memberNames))
	if err := strictjson.Pick(text, memberNames, values); err != nil {
		return Key{}, fmt.Errorf("%w: jwk: %w", ErrInvalid, err)
	}
	for i, name := range refusedMembers {
		if values[i] != nil {
			return Key{}, fmt.Errorf("%w: the jwk has %s", ErrInvalid, name)
		}
	}
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON(text); err != nil {
		return Key{}, fmt.Errorf("%w: the jwk is not a key that is supported", ErrInvalid) // the cause may quote from it
	}
	public := parsed.Key
	if err := acceptable(public); err != nil {
		return Key{}, fmt.Errorf("%w: jwk: %w", ErrInvalid, err)
	}
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{}, fmt.Errorf("%w: jwk: %w", ErrInvalid, err)
	}
	return Key{public, base64.RawURLEncoding.EncodeToString(thumbprint)}, nil
}

func acceptable(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return errors.New("the curve is not P-256")
		}
	case ed25519.PublicKey:
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA {
			return fmt.Errorf("the RSA key has %d bits, not %d to %d", bits, minRSA, maxRSA)
		}
	default:
		return errors.New("not a kind of key that is accepted")
	}
	return nil
}

// Thumbprint is the key's JWK thumbprint with SHA-256, in base64url (RFC 7638): the jkt of RFC 9449 §6.1.
func (k Key) Thumbprint() string { return k.thumbprint }

// Public returns the key as an *ecdsa.PublicKey, an ed25519.PublicKey or an *rsa.PublicKey.
func (k Key) Public() crypto.PublicKey { return k.public }

// MarshalJSON returns the key as a JWK that [ParseKey] reads. It has the required members and no other, and the same bytes
// for the same key every time.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(jose.JSONWebKey{Key: k.public})
}
