package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// keyFiles are the settings that docs/operating.md changes a secret and a key with.
type keyFiles struct {
	JWTPreviousSecrets     []string `env:"JWT_PREVIOUS_SECRETS" name:"jwt-previous-secrets" help:"Secrets that verify and never sign, comma-separated: the one before JWT_SECRET, or the next one before the change."`
	AccessKeyFile          string   `env:"ACCESS_KEY_FILE" name:"access-key-file" help:"Private key (PEM, PKCS#8) that signs access tokens in place of JWT_SECRET: Ed25519, P-256, or RSA of 2048 bits or more."`
	PreviousAccessKeyFiles []string `env:"PREVIOUS_ACCESS_KEY_FILES" name:"previous-access-key-files" help:"Public keys (PEM) that verify access tokens too, comma-separated: the one before, or the next one before the change."`
}

// addKeys adds what the files hold to the settings of the library.
func (f keyFiles) addKeys(to *plugin.Config) error {
	for _, secret := range f.JWTPreviousSecrets {
		to.PreviousSecrets = append(to.PreviousSecrets, []byte(secret))
	}
	if f.AccessKeyFile != "" {
		key, err := readPrivateKey(f.AccessKeyFile)
		if err != nil {
			return fmt.Errorf("ACCESS_KEY_FILE: %s %w", f.AccessKeyFile, err)
		}
		to.AccessKey = key
	}
	for _, file := range f.PreviousAccessKeyFiles {
		key, err := readPublicKey(file)
		if err != nil {
			return fmt.Errorf("PREVIOUS_ACCESS_KEY_FILES: %s %w", file, err)
		}
		to.PreviousAccessKeys = append(to.PreviousAccessKeys, key)
	}
	return nil
}

func readPrivateKey(file string) (crypto.Signer, error) {
	block, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	switch block.Type {
	case "PRIVATE KEY":
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("is encrypted: decrypt it with \"openssl pkcs8\"")
	case "PUBLIC KEY":
		return nil, errors.New("is a public key, and a private one signs")
	default:
		return nil, fmt.Errorf("holds a %s and must hold a PRIVATE KEY (PKCS#8): convert it with \"openssl pkcs8 -topk8 -nocrypt\"", block.Type)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("is no private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("holds a %T, which does not sign", key)
	}
	return signer, nil
}

func readPublicKey(file string) (crypto.PublicKey, error) {
	block, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	if strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, errors.New("is a private key: make the public one with \"openssl pkey -pubout\", and give out no other")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("is no public key: %w", err)
	}
	return key, nil
}

// readPEM returns the one block of a file.
func readPEM(file string) (*pem.Block, error) {
	content, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("can't be read: %w", err)
	}
	block, rest := pem.Decode(content)
	if block == nil {
		return nil, errors.New("is not in PEM")
	}
	if len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errors.New("holds more than one PEM block: \"openssl genpkey\" writes one")
	}
	return block, nil
}
