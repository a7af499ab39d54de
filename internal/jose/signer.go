package jose

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/golang-jwt/jwt/v5"
)

// Signer signs JWTs with a private key, which may be elsewhere: in a key management service, or in a security module. It is
// safe for concurrent use if the key is.
type Signer struct {
	*PublicKey
	key    crypto.Signer
	header string
	remote chan struct{} // a slot for each signature under way; nil where the key is in memory
}

// maxRemote bounds the signatures that are under way at once with a key elsewhere, and with them the goroutines that wait where
// the key hangs.
const maxRemote = 256

// NewSigner returns the signer of a key whose public part [NewPublicKey] accepts. The error has the form of a predicate, to
// follow the name of a setting.
func NewSigner(key crypto.Signer, typ string) (*Signer, error) {
	public, err := publicOf(key)
	if err != nil {
		return nil, err
	}
	s := &Signer{PublicKey: public, key: key, header: public.header(typ)}
	switch key.(type) {
	case ed25519.PrivateKey, *ecdsa.PrivateKey, *rsa.PrivateKey:
	default:
		s.remote = make(chan struct{}, maxRemote)
	}
	return s, nil
}

// publicOf returns the public part of a key that may be a nil pointer, or half of one.
func publicOf(key crypto.Signer) (public *PublicKey, err error) {
	if key == nil {
		return nil, errors.New("is nil")
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = errors.New("is no key: its Public method panicked; was it ever set?")
		}
	}()
	return NewPublicKey(key.Public())
}

// Sign returns the compact JWS of payload. The error is the key's, or that of ctx. A key elsewhere may not know of ctx: Sign then
// returns without it, and its answer is lost.
func (s *Signer) Sign(ctx context.Context, payload []byte) (string, error) {
	token := appendInput(make([]byte, 0, 1<<10), s.header, payload)
	input := token[:len(token)-len(".")]
	var signature []byte
	var err error
	if s.remote == nil {
		signature, err = s.signHere(input)
	} else {
		signature, err = s.signElsewhere(ctx, input)
	}
	if err != nil {
		return "", err
	}
	return string(base64.RawURLEncoding.AppendEncode(token, signature)), nil
}

func (s *Signer) signHere(input []byte) ([]byte, error) {
	digest, options := s.digest(input)
	signature, err := s.key.Sign(rand.Reader, digest, options)
	if err != nil {
		return nil, err
	}
	return s.encode(signature)
}

// digest returns what the key signs. Ed25519 signs the message itself (RFC 8032 §5.1).
func (s *Signer) digest(input []byte) ([]byte, crypto.Hash) {
	if s.method == jwt.SigningMethodEdDSA {
		return input, crypto.Hash(0)
	}
	digest := sha256.Sum256(input)
	return digest[:], crypto.SHA256
}

// encode returns a signature in the form of RFC 7518 §3.
func (s *Signer) encode(signature []byte) ([]byte, error) {
	if s.method == jwt.SigningMethodES256 {
		return encodeES256(signature)
	}
	return signature, nil
}

// contextSigner is a key elsewhere that can be told to give up.
type contextSigner interface {
	SignContext(ctx context.Context, rand io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error)
}

// signElsewhere waits for the key no longer than ctx, and checks what it got: a wrong answer must not reach a client, whom every
// verifier would refuse.
func (s *Signer) signElsewhere(ctx context.Context, input []byte) ([]byte, error) {
	select {
	case s.remote <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%d signatures are under way: %w", maxRemote, context.Cause(ctx))
	}
	type result struct {
		signature []byte
		err       error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-s.remote }()
		defer func() {
			if cause := recover(); cause != nil {
				done <- result{err: fmt.Errorf("the key panicked: %v", cause)}
			}
		}()
		digest, options := s.digest(input)
		var r result
		if key, ok := s.key.(contextSigner); ok {
			r.signature, r.err = key.SignContext(ctx, rand.Reader, digest, options)
		} else {
			r.signature, r.err = s.key.Sign(rand.Reader, digest, options)
		}
		done <- r
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		signature, err := s.encode(r.signature)
		if err != nil {
			return nil, err
		}
		if s.Verify(string(input), signature) != nil {
			return nil, errors.New("the key returned a signature that its public key does not verify")
		}
		return signature, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the key did not answer in time: %w", context.Cause(ctx))
	}
}
