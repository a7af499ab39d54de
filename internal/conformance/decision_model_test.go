package conformance_test

import (
	"fmt"
	"math"

	"github.com/anishathalye/porcupine"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// operation is what a client asks of one session.
type operation struct {
	kind       string // issue, refresh, logout, revoke all, lose writes
	session    string
	generation int64  // of the presented token
	minted     int64  // when the presented token was minted
	boundTo    string // the key that the presented token names, or empty
	proven     string // the key that the client has proven, or empty
	at         int64  // the time on the clock of the client's server
}

// answered says whether an operation succeeded, which generation the refresh token in the answer has, and which key it names.
type answered struct {
	ok         bool
	generation int64
	boundTo    string
	warned     plugin.EventKind // what the host was told of a refused refresh: unproven, reuse detected, or nothing
}

// sessionState is a session as the decision table knows it.
type sessionState struct {
	generation int64 // 0 before the session is issued
	issued     int64
	boundTo    string // the session's key, or empty
	revoked    bool
}

// live returns an answer with the session's live token.
func (s sessionState) live() answered {
	return answered{ok: true, generation: s.generation, boundTo: s.boundTo}
}

// ended returns the state after something that ends a session which has begun.
func (s sessionState) ended() sessionState {
	s.revoked = s.revoked || s.generation > 0
	return s
}

// decisionModel is the decision table as a sequential model: it takes one operation after the other. Sessions are independent
// of each other.
func decisionModel(grace int64) porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			bySession := map[string][]porcupine.Operation{}
			for _, op := range history {
				session := op.Input.(operation).session
				bySession[session] = append(bySession[session], op)
			}
			var partitions [][]porcupine.Operation
			for _, ops := range bySession {
				partitions = append(partitions, ops)
			}
			return partitions
		},
		Init: func() any { return sessionState{} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(sessionState), input.(operation), output.(answered)
			lives := s.generation > 0 && !s.revoked
			switch in.kind {
			case "issue":
				return out.ok && s.generation == 0, sessionState{generation: 1, issued: in.at, boundTo: in.boundTo}
			case "lose writes":
				if !lives {
					return true, s
				}
				return true, sessionState{generation: 1, issued: in.minted, boundTo: in.boundTo}
			case "logout":
				return out.ok == lives, s.ended()
			case "revoke all":
				return out.ok, s.ended()
			}
			if s.revoked && out == (answered{}) {
				return true, s // a process that remembers the end looks at no proof
			}
			want, next := refreshed(s, in, grace)
			return out == want, next
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
	}
}

// refreshed returns what a refresh has to be answered, and the session after it. These are the tables of docs/how-it-works.md and
// docs/binding.md.
func refreshed(s sessionState, in operation, grace int64) (answered, sessionState) {
	age := func(issued int64) int64 {
		if issued-in.at > grace/2 {
			return math.MaxInt64 // the token was minted by a clock too far ahead, so it counts as old
		}
		return in.at - issued
	}
	stolen := in.boundTo != "" && in.proven != in.boundTo
	barred := s.boundTo != "" && in.proven != s.boundTo // the session is bound to a key, and the client has not proven it
	repeats := grace > 0 && in.generation > 1 && age(in.minted) < 2*grace
	moved := sessionState{generation: in.generation + 1, issued: in.at, boundTo: in.boundTo}
	if moved.boundTo == "" {
		moved.boundTo = in.proven
	}
	switch {
	case stolen: // whoever took the token can't end the session with it either
		return answered{warned: plugin.EventUnproven}, s
	case s.generation == 0 || s.revoked:
		return answered{}, s
	case in.generation >= s.generation && barred: // from before the binding, and the database lost what came after
		return answered{}, s
	case in.generation == s.generation && repeats:
		return s.live(), s
	case in.generation > s.generation && repeats: // the database lost a write, and catches up
		moved.generation, moved.issued = in.generation, in.minted
		return moved.live(), moved
	case in.generation >= s.generation:
		return moved.live(), moved
	case s.boundTo != "" && !barred: // spent, but in the hands of the key's holder
		return s.live(), s
	case grace > 0 && in.generation == s.generation-1 && age(s.issued) <= grace:
		return s.live(), s
	default:
		return answered{warned: plugin.EventReuseDetected}, s.ended()
	}
}
