package jose

import (
	"crypto"
	"fmt"
	"sync"
)

// Ring holds all the keys that an access token may be signed with. It is safe for concurrent use.
type Ring struct {
	secrets Keys
	public  map[string]*PublicKey // by header, two for each key
	pinned  map[*PublicKey]bool   // the same, which no source can drop
	source  *source
}

// NewRing returns a ring of secrets, of public keys, and of the keys that find returns for a kid. find may be nil. It returns
// [ErrInvalid] for a kid that is unknown.
func NewRing(secrets Keys, public []*PublicKey, find func(kid string) (crypto.PublicKey, error)) *Ring {
	r := &Ring{secrets: secrets, public: make(map[string]*PublicKey, 2*len(public)), pinned: make(map[*PublicKey]bool, len(public))}
	for _, key := range public {
		r.pinned[key] = true
		r.public[key.header(TypJWT)] = key
		r.public[key.header(TypAtPlusJWT)] = key
	}
	if find != nil {
		r.source = &source{find: find}
	}
	return r
}

// Verify returns the payload of a token that a key of the ring signed, and that key; nil stands for a secret. It checks the
// signature before it decodes the payload, so nothing of a stranger's is ever parsed. Errors: [ErrInvalid], or the source's.
func (r *Ring) Verify(token string) ([]byte, *PublicKey, error) {
	parts, err := cut(token)
	if err != nil {
		return nil, nil, err
	}
	if parts.header == header && len(r.secrets) > 0 {
		payload, err := r.secrets.verify(parts)
		return payload, nil, err
	}
	key := r.public[parts.header]
	if key == nil && r.source != nil {
		if key, err = r.source.byHeader(parts.header); err != nil {
			return nil, nil, err
		}
	}
	if key == nil {
		return nil, nil, errHeader
	}
	payload, err := key.verify(parts)
	return payload, key, err
}

// Holds tells whether a key that Verify returned is still in the ring: a source may have dropped it.
func (r *Ring) Holds(key *PublicKey) bool {
	if key == nil || r.pinned[key] {
		return true
	}
	current, err := r.source.byID(key.kid)
	return err == nil && current == key
}

// source asks for keys by their kid, and remembers what it has computed of them.
type source struct {
	find  func(kid string) (crypto.PublicKey, error)
	mu    sync.Mutex
	known map[string]*PublicKey
}

// maxKnown bounds what is remembered. A source has a few keys at a time.
const maxKnown = 64

// byHeader asks for a key only where the header is one that this module writes for some key. So what else a stranger puts into a
// header, a path or a megabyte for instance, reaches no source.
func (s *source) byHeader(encoded string) (*PublicKey, error) {
	if len(encoded) > maxHeader {
		return nil, errHeader
	}
	plain, err := decode(encoded)
	if err != nil {
		return nil, errHeader
	}
	for _, method := range methods {
		for _, typ := range []string{TypJWT, TypAtPlusJWT} {
			kid, ok := cutHeader(string(plain), method.Alg(), typ)
			if !ok {
				continue
			}
			if thumbprint, err := decode(kid); err != nil || len(thumbprint) != crypto.SHA256.Size() {
				return nil, errHeader
			}
			key, err := s.byID(kid)
			if err == nil && key.method != method {
				return nil, errHeader
			}
			return key, err
		}
	}
	return nil, errHeader
}

func (s *source) byID(kid string) (*PublicKey, error) {
	found, err := s.find(kid)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[kid]; known != nil {
		if same, ok := known.key.(interface{ Equal(crypto.PublicKey) bool }); ok && same.Equal(found) {
			return known, nil
		}
	}
	key, err := NewPublicKey(found)
	if err != nil {
		return nil, fmt.Errorf("%w: the key that its kid names %w", ErrInvalid, err)
	}
	if key.kid != kid {
		return nil, fmt.Errorf("%w: its kid is not the thumbprint of the key that it names", ErrInvalid)
	}
	if s.known == nil || len(s.known) >= maxKnown {
		s.known = map[string]*PublicKey{}
	}
	s.known[kid] = key
	return key, nil
}
