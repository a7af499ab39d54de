package conformance_test

import (
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// each runs a test on every database, and with keys, which take longer, not with every setting of GORM's.
func (s scenario) each() func(*testing.T, func(*testing.T, *gorm.DB), ...func(*gorm.Config)) {
	if s.keys {
		return testdb.EachDialect
	}
	return testdb.Each
}

// tally counts what histories hold, to tell whether they prove anything.
type tally struct {
	rotations int // refreshes that were answered with a later generation than the presented one
	repeats   int // other refreshes that succeeded

	bindings int // refreshes that bound a session to the key that they proved
	holders  int // spent tokens, not only the last, that a key's holder got the live one for
	copies   int // tokens from before the binding that got the live one without its key
	unproven int // tokens of a bound session that came without its key
	reuses   int // sessions that a spent token ended
}

func (n *tally) add(history []porcupine.Operation) {
	for _, op := range history {
		in, out := op.Input.(operation), op.Output.(answered)
		if in.kind != "refresh" {
			continue
		}
		switch out.warned {
		case plugin.EventUnproven:
			n.unproven++
		case plugin.EventReuseDetected:
			n.reuses++
		}
		switch {
		case !out.ok:
			continue
		case out.generation > in.generation:
			n.rotations++
		default:
			n.repeats++
		}
		switch {
		case in.boundTo != "" && in.generation < out.generation-1:
			n.holders++
		case out.boundTo != "" && in.proven == "":
			n.copies++
		case in.boundTo == "" && out.boundTo == in.proven && in.proven != "" && out.generation == in.generation+1:
			n.bindings++
		}
	}
}

// enough tells whether the histories of a scenario prove anything.
func (n *tally) enough(s scenario) bool {
	return n.rotations >= 8 && (s.grace < 0 || n.repeats >= 1) &&
		(!s.keys || min(n.bindings, n.holders, n.unproven, n.reuses) >= 4 && (s.grace < 0 || n.copies >= 1))
}

// linearizable records histories and checks each: as many as rounds, and up to ten times as many until they are enough. It stops at
// the first history that is not linearizable, and returns what its clients did with one session.
func linearizable(t *testing.T, db *gorm.DB, s scenario, rounds uint64) (wrong []porcupine.Operation, counted tally) {
	model := decisionModel(s.grace)
	for seed := uint64(0); seed < rounds || seed < 10*rounds && !counted.enough(s); seed++ {
		history := recordHistory(t, db, s, seed)
		counted.add(history)
		for _, session := range model.Partition(history) {
			if !porcupine.CheckOperations(model, session) {
				return session, counted
			}
		}
	}
	return nil, counted
}

func TestLinearizable(t *testing.T) {
	for name, test := range map[string]struct {
		scenario

		rounds uint64
	}{
		"grace":             {scenario{grace: 30}, 6},
		"no grace":          {scenario{grace: -1}, 8}, // the first retry ends a session, so a round has few rotations
		"keys":              {scenario{grace: 30, keys: true}, 12},
		"keys and no grace": {scenario{grace: -1, keys: true}, 12},
	} {
		t.Run(name, func(t *testing.T) {
			test.each()(t, func(t *testing.T, db *gorm.DB) {
				wrong, n := linearizable(t, db, test.scenario, test.rounds)
				if wrong != nil {
					t.Error("a history is not linearizable")
				}
				for _, op := range wrong {
					t.Logf("%d to %d, client %d: %+v: %+v", op.Call, op.Return, op.ClientId, op.Input, op.Output)
				}
				if !n.enough(test.scenario) {
					t.Errorf("too little to prove anything: %+v", n)
				}
			})
		})
	}
}

// TestCheckerFindsLostCondition checks the checker. It removes a condition of the UPDATE, and the checker must find a history that
// is not linearizable.
func TestCheckerFindsLostCondition(t *testing.T) {
	for name, test := range map[string]struct {
		scenario

		left string // of the condition
	}{
		"generation": {scenario{grace: 30}, "id = ? AND revoked_at = 0"},
		"binding":    {scenario{grace: 30, keys: true}, "id = ? AND revoked_at = 0 AND generation < ?"},
	} {
		t.Run(name, func(t *testing.T) {
			test.each()(t, func(t *testing.T, db *gorm.DB) {
				err := db.Callback().Update().Before("gorm:update").Register("test:forget", func(db *gorm.DB) {
					if next, ok := db.Statement.Dest.(*models.RefreshToken); ok {
						vars := []any{next.ID, next.Generation}[:1+strings.Count(test.left, "<")]
						forgetful := clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: test.left, Vars: vars}}}
						db.Statement.Clauses["WHERE"] = clause.Clause{Name: "WHERE", Expression: forgetful}
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if wrong, _ := linearizable(t, db, test.scenario, 1000); wrong == nil {
					t.Error("the checker found every history linearizable")
				}
			})
		})
	}
}
