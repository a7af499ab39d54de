package model_test

import (
	"os"
	"strings"
	"testing"
)

// The properties, as refresh.pml numbers and names them.
const (
	noFork        = "noFork"
	noFalseAlarm  = "noFalseAlarm"
	noMissedThief = "noMissedThief"
	noGivingUp    = "noGivingUp"
)

func needEnv(t *testing.T) {
	t.Helper()
	if os.Getenv("REFRESHTOKENS_MODEL") == "" {
		t.Skip("REFRESHTOKENS_MODEL is not set")
	}
}

// TestModelHolds: all properties hold in every state. The searches are exhaustive. The grace period is 4 seconds, so clocks differ by
// 2 seconds and a refresh takes one second. A tick is a second.
func TestModelHolds(t *testing.T) {
	needEnv(t)
	for name, flags := range map[string]string{
		"three tabs":               "-DTABS=3",
		"quarters of a second":     "-DSECOND=4",
		"grace of 8 seconds":       "-DGRACE_SECONDS=8",
		"a fail-over loses one":    "-DLOST=1",
		"a fail-over loses two":    "-DLOST=2",
		"two fail-overs":           "-DLOST=1 -DFAILOVERS=2",
		"a thief":                  "-DTABS=1 -DTHIEVES=1",
		"a thief and two tabs":     "-DTHIEVES=1",
		"a thief and a fail-over":  "-DTABS=1 -DTHIEVES=1 -DLOST=1",
		"no grace, three tabs":     "-DSTRICT -DTABS=3",
		"no grace, thief and tabs": "-DSTRICT -DTHIEVES=1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := search(t, false, strings.Fields(flags)...)
			t.Logf("%d states in %.1f s of processor time and %s MB", found.states, found.took.Seconds(), found.memory)
			if found.broken == "" {
				return
			}
			shortest := search(t, true, strings.Fields(flags)...)
			t.Errorf("%s does not hold:\n%s", shortest.broken, strings.Join(shortest.history, "\n"))
		})
	}
}

// TestBrokenRulesAreFound breaks each rule, or leaves a bound. Spin must find what that does. So every rule and bound is needed, and
// the model gets to where it matters.
func TestBrokenRulesAreFound(t *testing.T) {
	needEnv(t)
	for _, rule := range []struct{ name, flags, breaks string }{
		// The decision table.
		{"NO_REPEAT", "", noFalseAlarm},        // the live token rotates at any time
		{"REPEAT_FOR_GRACE", "", noFalseAlarm}, // the live token repeats for the grace period, and not for twice that
		{"NO_GRACE", "", noFalseAlarm},         // a spent token is reuse at once
		{"ENDLESS_GRACE", "-DTABS=1 -DTHIEVES=1", noMissedThief},
		{"GRACE_FOR_ALL", "-DTABS=1 -DTHIEVES=1", noMissedThief}, // all older tokens have a grace period, not only the one before the live one
		{"NO_CLOCK_AHEAD", "", noFalseAlarm},                     // a token that was issued in the future is old
		{"AHEAD_OF_ARRIVAL", "", noFalseAlarm},                   // the future begins when the request arrived, and not when the row is read
		{"JUDGED_WHEN_READ", "", noFalseAlarm},                   // the grace period ends for requests that have arrived, too
		{"NOT_AHEAD", "-DLOST=1", noFork},                        // ≥ is =: a token that is ahead of the row does not rotate
		{"PAST_THE_TOKEN", "-DLOST=1", noFalseAlarm},             // the row does not catch up with a young token, but passes it

		// The statements.
		{"NO_CONDITION", "", noFork},                                              // the UPDATE does not look at the generation
		{"EQUAL_CONDITION", "-DLOST=1", noGivingUp},                               // < is =: the row is not ahead by more than one
		{"WRITES_TO_REVOKED", "-DTABS=1 -DTHIEVES=1", noMissedThief},              // the UPDATE does not look at the revocation
		{"REVOKES_ON_MISS", "", noFalseAlarm},                                     // an UPDATE that hits nothing proves a theft
		{"REVOKES_ANY_GENERATION", "-DTABS=1 -DTHIEVES=1 -DLOST=1", noFalseAlarm}, // the revocation does not look at the generation
		{"NO_REVOCATION", "-DTABS=1 -DTHIEVES=1", noMissedThief},                  // a spent token is refused, and nothing more
		{"STRICT_WITH_RETRIES", "-DSTRICT -DTABS=1", noFalseAlarm},                // without grace, a broken UPDATE is tried again

		// The time limit.
		{"NO_LIMIT", "", noFalseAlarm},
		{"LIMIT_WITHOUT_SKEW", "", noFalseAlarm},     // the grace period less rounding
		{"LIMIT_WITHOUT_ROUNDING", "", noFalseAlarm}, // half the grace period

		// The bounds that docs/how-it-works.md states.
		{"LIMIT_OF_A_QUARTER", "-DSECOND=4 -DGRACE_SECONDS=3", noFalseAlarm}, // as the code does with less than 4 seconds of grace
		{"CLOCKS_TOO_FAR_APART", "", noFalseAlarm},                           // by more than half the grace period
		{"STATEMENT_OUTLASTS_LIMIT", "", noFalseAlarm},                       // as in MariaDB and MySQL, behind a lock of the host's
		{"LATE_CLIENT", "-DTABS=1", noFalseAlarm},                            // a retry after the grace period
	} {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			found := search(t, true, append(strings.Fields(rule.flags), "-D"+rule.name)...)
			t.Logf("%s, after %d states in %.1f s\n%s", found.broken, found.states, found.took.Seconds(), strings.Join(found.history, "\n"))
			if found.broken != rule.breaks {
				t.Errorf("Spin found %q broken, want %q", found.broken, rule.breaks)
			}
		})
	}
}

// TestDecisions: decisions.txt is what the model says.
func TestDecisions(t *testing.T) {
	needEnv(t)
	want, err := os.ReadFile("decisions.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := run(t, ".", "spin", "-T", "-B", "-DTABLE", "refresh.pml"); got != string(want) {
		t.Errorf("decisions.txt is out of date: run spin -T -B -DTABLE refresh.pml > decisions.txt. The model says\n%s", got)
	}
}
