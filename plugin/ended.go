package plugin

import (
	"hash/maphash"
	"sync/atomic"
)

// endedSessions remembers some of the sessions that were found revoked, so that a client which goes on trying costs no
// statement. A revocation is final, so what it remembers stays true. It forgets when another session takes the place.
type endedSessions struct {
	seed   maphash.Seed
	places [4096]atomic.Pointer[string]
}

func newEndedSessions() *endedSessions {
	return &endedSessions{seed: maphash.MakeSeed()}
}

func (e *endedSessions) place(id string) *atomic.Pointer[string] {
	return &e.places[maphash.String(e.seed, id)%uint64(len(e.places))]
}

func (e *endedSessions) add(id string) {
	if e != nil {
		e.place(id).Store(&id)
	}
}

func (e *endedSessions) has(id string) bool {
	if e == nil {
		return false
	}
	known := e.place(id).Load()
	return known != nil && *known == id
}
