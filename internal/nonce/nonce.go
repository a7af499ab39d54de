// Package nonce makes nonces that no process has to remember: those of DPoP (RFC 9449 §8) and the challenges of device-bound
// sessions. A nonce is an HMAC over the time and a context, under a key derived from the host's secret. So every process with
// the secret accepts the nonces of every other, also after a restart.
//
// All nonces of one context and one period are the same. They can't be guessed before another process with the secret has
// given them out, which is all that a nonce is for: it limits how long before its use a proof can have been signed.
//
// A nonce may be used more than once while it lives, and no process remembers which proofs it has seen (RFC 9449 §11.1). A
// list in each process would not help where there are several. Whoever repeats a captured proof needs the captured token too,
// and gets only what is bound to the same key.
package nonce

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"sync"
	"time"
)

// Source issues and checks the nonces of one purpose. It is safe for concurrent use.
type Source struct {
	period int64        // in seconds
	macs   []*sync.Pool // of keyed hash.Hash, one for each secret
}

// keyInfo is what the keys are derived with (RFC 5869 §3.2), before the purpose.
const keyInfo = "refreshtokens/nonce/v1/"

// New returns the Source of a purpose. The first secret makes the nonces; the others only check them. Nonces of another
// purpose are never accepted. period is in whole seconds, see [Source.Check].
func New(purpose string, period time.Duration, secrets ...[]byte) (*Source, error) {
	if period < time.Second || period%time.Second != 0 {
		return nil, fmt.Errorf("nonce: the period is %s and must be in whole seconds", period)
	}
	if len(secrets) == 0 {
		return nil, errors.New("nonce: no secret")
	}
	s := &Source{period: int64(period / time.Second)}
	for _, secret := range secrets {
		if len(secret) == 0 {
			return nil, errors.New("nonce: an empty secret")
		}
		key, err := hkdf.Key(sha256.New, secret, nil, keyInfo+purpose, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("nonce: %w", err)
		}
		s.macs = append(s.macs, &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }})
	}
	return s, nil
}

const (
	size   = 18           // bytes of the HMAC in a nonce
	length = size * 4 / 3 // of a nonce, in base64url without padding
)

// Issue returns the nonce of now for a context: a session's id, or "" where anybody may use it. It consists of base64url
// characters.
func (s *Source) Issue(now time.Time, context string) string {
	return string(s.nonce(s.macs[0], now.Unix()/s.period, context))
}

// Check tells whether a nonce was issued for the context in this period or in the one before. So a nonce lives for between one
// and two periods. The clocks of hosts may differ by up to a period: a host that is ahead issues the nonce of the next period,
// which is accepted too.
func (s *Source) Check(nonce string, now time.Time, context string) bool {
	current := now.Unix() / s.period
	for _, macs := range s.macs {
		for _, period := range [...]int64{current, current - 1, current + 1} {
			if hmac.Equal([]byte(nonce), s.nonce(macs, period, context)) {
				return true
			}
		}
	}
	return false
}

func (s *Source) nonce(macs *sync.Pool, period int64, context string) []byte {
	mac := macs.Get().(hash.Hash) //nolint:forcetypeassert // nothing else is in the pool
	defer macs.Put(mac)
	mac.Reset()
	var input [64]byte // enough for a session's id
	mac.Write(append(append(strconv.AppendInt(input[:0], period, 10), ' '), context...))
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.AppendEncode(make([]byte, 0, length), mac.Sum(sum[:0])[:size])
}
