package plugin

import (
	"hash/maphash"
	"sync/atomic"
)

// endedSessions remembers some of the sessions that were found revoked, so that a client which goes on trying costs no
// statement. A revocation is final, so what it remembers stays true. It forgets when another session takes the slot.
type endedSessions struct {
	seed  maphash.Seed
	slots [4096]atomic.Pointer[string]
}

func newEndedSessions() *endedSessions {
	return &endedSessions{seed: maphash.MakeSeed()}
}

func (e *endedSessions) slot(id string) *atomic.Pointer[string] {
	return &e.slots[maphash.String(e.seed, id)%uint64(len(e.slots))]
}

func (e *endedSessions) add(id string) {
	if e != nil {
		e.slot(id).Store(&id)
	}
}

func (e *endedSessions) has(id string) bool {
	if e == nil {
		return false
	}
	known := e.slot(id).Load()
	return known != nil && *known == id
}
