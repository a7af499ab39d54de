package licences

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

// allowed are the licences that a program of any kind may be built with, as SPDX names them.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// exceptions are modules with another licence, each with what compiles it.
var exceptions = map[string]string{
	"github.com/go-sql-driver/mysql": "MPL-2.0", // the example app and tests
}

// TestLicences reads the licence of every module that the library, the example app or their tests compile.
func TestLicences(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "./...")
	list.Dir = "../.."
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Split(strings.TrimSpace(string(output)), "\n")
	slices.Sort(modules)
	modules = slices.Compact(modules)
	if len(modules) < 20 {
		t.Fatalf("go list names %d modules only", len(modules))
	}
	for _, module := range modules {
		path, dir, _ := strings.Cut(module, "\t")
		found := licencesIn(t, dir)
		if len(found) == 0 {
			t.Errorf("%s has no licence that is known", path)
		}
		for _, licence := range found {
			if !slices.Contains(allowed, licence) && exceptions[path] != licence {
				t.Errorf("%s has the licence %s", path, licence)
			}
		}
		t.Logf("%s: %s", path, strings.Join(found, ", "))
	}
}

// licencesIn returns the licences that the files at the top of a module are texts of.
func licencesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		if entry.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range licensecheck.Scan(text).Match {
			if !match.IsURL {
				found = append(found, match.ID)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
