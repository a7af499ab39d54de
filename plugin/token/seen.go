package token

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"
	"github.com/maypok86/otter/v2"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
)

// seen remembers tokens whose signature was found good, by a digest of the whole token: no token is kept, and one that differs in a
// bit is another. Nothing that a stranger sends is remembered. What can change, the time and the keys, is checked at each use.
//
// A token that is new goes into a small table, which costs next to nothing and where a later one may take its slot. When it is seen
// again, it goes into the cache.
type seen struct {
	size   int
	recent []atomic.Pointer[verified]
	cache  atomic.Pointer[otter.Cache[digest, *verified]]
}

type digest [sha256.Size]byte

// verified is what is known of a token. It is shared, and never changes.
type verified struct {
	id     digest
	claims Claims
	check  jwt.RegisteredClaims
	key    *jose.PublicKey // nil for a secret
}

// maxRecent bounds the table.
const maxRecent = 1024

// newSeen returns a seen of at most size tokens in the cache, and as many in the table if they are few. It remembers nothing where
// size is negative.
func newSeen(size int) *seen {
	return &seen{size: size, recent: make([]atomic.Pointer[verified], max(0, min(size, maxRecent)))}
}

// digest returns nothing where nothing is remembered.
func (s *seen) digest(token string) (id digest) {
	if s.size > 0 {
		id = sha256.Sum256([]byte(token))
	}
	return id
}

func (s *seen) slot(id digest) *atomic.Pointer[verified] {
	return &s.recent[binary.LittleEndian.Uint64(id[:])%uint64(len(s.recent))]
}

func (s *seen) find(id digest) *verified {
	if s.size <= 0 {
		return nil
	}
	if cache := s.cache.Load(); cache != nil {
		if known, ok := cache.GetIfPresent(id); ok {
			return known
		}
	}
	known := s.slot(id).Load()
	if known == nil || known.id != id {
		return nil
	}
	s.keep(known)
	return known
}

// add remembers a token that was found good for the first time.
func (s *seen) add(v *verified) {
	if s.size > 0 {
		s.slot(v.id).Store(v)
	}
}

// keep moves a token to the cache, which is made when it is first used.
func (s *seen) keep(v *verified) {
	cache := s.cache.Load()
	if cache == nil {
		s.cache.CompareAndSwap(nil, otter.Must(&otter.Options[digest, *verified]{MaximumSize: s.size}))
		cache = s.cache.Load()
	}
	cache.Set(v.id, v)
	s.slot(v.id).CompareAndSwap(v, nil)
}

func (s *seen) forget(v *verified) {
	if cache := s.cache.Load(); cache != nil {
		cache.Invalidate(v.id)
	}
}
