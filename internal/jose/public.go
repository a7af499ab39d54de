package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// The bounds of an RSA modulus, in bits: RFC 7518 §3.3's, and one beyond which a signature check takes long.
const (
	minRSA = 2048
	maxRSA = 8192
)

// PublicKey verifies the signatures of one key. The key's kind fixes the algorithm: Ed25519 is EdDSA, P-256 is ES256, RSA is
// RS256. It is safe for concurrent use.
type PublicKey struct {
	key    crypto.PublicKey
	method jwt.SigningMethod
	kid    string
}

// NewPublicKey accepts an ed25519.PublicKey, an *ecdsa.PublicKey on P-256, or an *rsa.PublicKey of 2048 to 8192 bits. The error
// has the form of a predicate, to follow the name of a setting.
func NewPublicKey(key crypto.PublicKey) (*PublicKey, error) {
	method, err := methodOf(key)
	if err != nil {
		return nil, err
	}
	thumbprint, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("has no thumbprint (RFC 7638): %w", err)
	}
	return &PublicKey{key, method, base64.RawURLEncoding.EncodeToString(thumbprint)}, nil
}

func methodOf(key crypto.PublicKey) (jwt.SigningMethod, error) {
	switch key := key.(type) {
	case nil:
		return nil, errors.New("is nil")
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("is an Ed25519 key of %d bytes and must have %d", len(key), ed25519.PublicKeySize)
		}
		return jwt.SigningMethodEdDSA, nil
	case *ecdsa.PublicKey:
		if key == nil || key.Curve == nil || key.X == nil || key.Y == nil { //nolint:staticcheck // a key that was put together by hand may lack them
			return nil, errors.New("is an empty ECDSA key")
		}
		if key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("is on the curve %s and must be on P-256, for ES256", key.Params().Name)
		}
		if _, err := key.ECDH(); err != nil {
			return nil, errors.New("is no point on P-256")
		}
		return jwt.SigningMethodES256, nil
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			return nil, errors.New("is an empty RSA key")
		}
		if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA {
			return nil, fmt.Errorf("is an RSA key of %d bits and must have %d to %d (RFC 7518 §3.3)", bits, minRSA, maxRSA)
		}
		if key.N.Sign() < 0 || key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 {
			return nil, errors.New("is no RSA key: its modulus and its exponent must be odd, and the exponent 3 or more")
		}
		return jwt.SigningMethodRS256, nil
	case crypto.Signer:
		return nil, errors.New("is a private key: pass what its Public method returns, and keep the private key to the issuer")
	default:
		return nil, fmt.Errorf("is a %T and must be an ed25519.PublicKey, an *ecdsa.PublicKey on P-256 or an *rsa.PublicKey", key)
	}
}

// Key returns the key.
func (k *PublicKey) Key() crypto.PublicKey { return k.key }

// ID returns the kid: the key's thumbprint (RFC 7638 §3), with SHA-256 and in base64url.
func (k *PublicKey) ID() string { return k.kid }

// Algorithm returns the alg of the header.
func (k *PublicKey) Algorithm() string { return k.method.Alg() }

// verify returns the payload of a token that the key signed, or [ErrInvalid].
func (k *PublicKey) verify(token compact) ([]byte, error) {
	signature, err := decode(token.signature)
	if err != nil {
		return nil, err
	}
	if err := k.Verify(token.input, signature); err != nil {
		return nil, err
	}
	return decode(token.payload)
}

// Verify checks a signature in the form of RFC 7518 §3: for ES256 that is r and s, 32 bytes each. The error is [ErrInvalid].
func (k *PublicKey) Verify(input string, signature []byte) error {
	if err := k.method.Verify(input, signature, k.key); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, jwt.ErrTokenSignatureInvalid)
	}
	if k.method == jwt.SigningMethodES256 && isHigh(signature) {
		return fmt.Errorf("%w: not the lower of the two ES256 signatures", ErrInvalid)
	}
	return nil
}
