package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// prover signs proofs with one key.
type prover struct {
	signer     jose.Signer
	thumbprint string
}

// minRSA is the smallest RSA key, in bits (RFC 7518 §3.3).
const minRSA = 2048

func newProver(key crypto.Signer) (*prover, error) {
	if key == nil {
		return nil, errors.New("no key")
	}
	algorithm, err := algorithmOf(key.Public())
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: cryptosigner.Opaque(key)},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		return nil, err
	}
	thumbprint, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return &prover{signer, base64.RawURLEncoding.EncodeToString(thumbprint)}, nil
}

func algorithmOf(public crypto.PublicKey) (jose.SignatureAlgorithm, error) {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "", fmt.Errorf("the key is of %s, not P-256", key.Curve.Params().Name)
		}
		return jose.ES256, nil
	case ed25519.PublicKey:
		return jose.EdDSA, nil
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA {
			return "", fmt.Errorf("the RSA key has %d bits and needs %d", bits, minRSA)
		}
		return jose.RS256, nil
	}
	return "", fmt.Errorf("a key of the type %T can't sign proofs", public)
}

// claims are those of a proof (RFC 9449 §4.2).
type claims struct {
	ID        string `json:"jti"`
	Method    string `json:"htm"`
	URL       string `json:"htu"`
	Time      int64  `json:"iat"`
	TokenHash string `json:"ath,omitempty"`
	Nonce     string `json:"nonce,omitempty"`

	Token string `json:"-"` // that TokenHash is of
}

// prove returns a proof with an id of its own.
func (p *prover) prove(c claims) (string, error) {
	c.ID = rand.Text()
	if c.Token != "" {
		sum := sha256.Sum256([]byte(c.Token))
		c.TokenHash = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed, err := p.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// origin is the server that a request goes to.
func origin(request *http.Request) string {
	host := request.Host
	if host == "" {
		host = request.URL.Host
	}
	return strings.ToLower(request.URL.Scheme + "://" + host)
}

// target is the request's URL without query and fragment, and without the user's name and password.
func target(request *http.Request) string {
	path, _, _ := strings.Cut(request.URL.RequestURI(), "?")
	return origin(request) + path
}
