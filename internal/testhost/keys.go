package testhost

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens"
)

// NewSecret is another secret, for tests that change it.
const NewSecret = "another example of a secret, no less than 32 bytes"

// Algorithms are those of access keys.
var Algorithms = []string{"EdDSA", "ES256", "RS256"}

// accessKeys has the key of each algorithm. It is made once, because an RSA key takes long.
var accessKeys = sync.OnceValue(func() map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	for _, algorithm := range Algorithms {
		key, err := newAccessKey(algorithm)
		if err != nil {
			panic(err)
		}
		keys[algorithm] = key
	}
	return keys
})

func newAccessKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
}

// AccessKey returns the private key of an algorithm: the same one for every test of a run.
func AccessKey(algorithm string) crypto.Signer { return accessKeys()[algorithm] }

// NewAccessKey returns a new private key of an algorithm.
func NewAccessKey(t testing.TB, algorithm string) crypto.Signer {
	t.Helper()
	key, err := newAccessKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// WithAccessKey is an option of [New]. "HS256" stands for none.
func WithAccessKey(algorithm string) func(*refreshtokens.Config) {
	return func(config *refreshtokens.Config) {
		if algorithm != "HS256" {
			config.AccessKey = AccessKey(algorithm)
		}
	}
}
