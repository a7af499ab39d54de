package shards_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

// inapplicable are the tests that can't pass on a front, by their names in -skip.
var inapplicable = []string{
	// A front's plan doesn't show by which index the shard finds the row. TestPushDown looks at what the shard is asked.
	"TestIndexesAreUsed",
	// Spider says that it deleted no row. TestPurge counts those that are left.
	"TestPurgeInBatches/mysql", "TestPurge/mysql", "TestPurgeCanBeStoppedAndResumed/mysql", "TestEvents/mysql",
	// KILL on a front leaves the shard's UPDATE waiting for its lock, and then it is carried out. So docs/engines.md warns of locks.
	"TestStalledRotation/mysql",
}

// TestConformance runs the module's own tests on tables over two shards. Their connections go to both fronts by turns. With -short, it runs
// those of the statements and of the decision table only.
func TestConformance(t *testing.T) {
	var all []testdb.Shards
	for name := range clusters {
		_, s := open(t, name, 2)
		all = append(all, s)
	}
	setting, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var skip []string
	for _, name := range inapplicable {
		test, subtest, _ := strings.Cut(name, "/")
		skip = append(skip, strings.TrimSuffix("^"+test+"$/^"+subtest+"$", "/^$"))
	}
	command := exec.Command("go", "test", "-json", "-timeout", "5m", "-count", "1", "-skip", strings.Join(skip, "|"),
		"../store", "../conformance", "../../plugin")
	least := 100
	if testing.Short() {
		command.Args = append(command.Args[:len(command.Args)-1], "-run", "Decision|Rotat|Revoke|Create|Find")
		least = 15
	}
	command.Env = append(os.Environ(), testdb.Sharded+"="+string(setting))
	output, err := command.Output()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	passed, failed := readEvents(t, output)
	if err != nil || len(failed) > 0 {
		t.Errorf("%v: %s", err, strings.Join(failed, ""))
	}
	t.Logf("%d tests passed on PostgreSQL, %d on MariaDB", passed["postgres"], passed["mysql"])
	for dialect, count := range passed {
		if count < least {
			t.Errorf("only %d tests ran on %s", count, dialect)
		}
	}
}

// readEvents reads the output of go test -json. It returns how many tests of each dialect passed, and what those that failed printed.
func readEvents(t *testing.T, output []byte) (passed map[string]int, failed []string) {
	t.Helper()
	passed = map[string]int{"postgres": 0, "mysql": 0}
	printed := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var event struct{ Action, Package, Test, Output string }
		if err := decoder.Decode(&event); errors.Is(err, io.EOF) {
			return passed, failed
		} else if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		test := event.Package + "/" + event.Test
		switch event.Action {
		case "output", "build-output":
			printed[test] += event.Output
		case "fail":
			failed = append(failed, printed[test])
		case "pass":
			for dialect := range passed {
				if strings.Contains(test+"/", "/"+dialect+"/") {
					passed[dialect]++
				}
			}
		}
	}
}
