package browsertest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// keyPair is a self-signed certificate for localhost, and its private key.
type keyPair struct {
	certificateFile, keyFile string
	pair                     tls.Certificate
	pool                     *x509.CertPool
	keyHash                  string // of the public key, as Chromium's --ignore-certificate-errors-spki-list wants it
}

func newKeyPair(dir string) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	certificate, err1 := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	private, err2 := x509.MarshalPKCS8PrivateKey(key)
	public, err3 := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err := errors.Join(err1, err2, err3); err != nil {
		return keyPair{}, err
	}
	hash := sha256.Sum256(public)
	pair := keyPair{
		certificateFile: filepath.Join(dir, "certificate.pem"),
		keyFile:         filepath.Join(dir, "key.pem"),
		pair:            tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key},
		pool:            x509.NewCertPool(),
		keyHash:         base64.StdEncoding.EncodeToString(hash[:]),
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	pair.pool.AppendCertsFromPEM(encoded)
	return pair, errors.Join(
		os.WriteFile(pair.certificateFile, encoded, 0o600),
		os.WriteFile(pair.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}
