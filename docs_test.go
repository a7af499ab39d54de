package refreshtokens_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents returns the text of each document that people read, by its path from the root of the repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths := []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	err := filepath.WalkDir("docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) < 15 {
		t.Fatal(paths, err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	return texts
}

var (
	testDefinition = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z0-9]\w*)\(`)
	testName       = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z0-9]\w*\b`)
	linkedTestName = regexp.MustCompile("\\[`?((?:Test|Fuzz)[A-Z0-9]\\w*)`?\\]\\(([^)]*)\\)")
)

// TestNamedTestsExist: each test that a document names is there. Where tests of several packages have that name, the document links to the
// file of the one that it means.
func TestNamedTestsExist(t *testing.T) {
	filesOf := definedTests(t)
	named := 0
	for path, text := range documents(t) {
		for _, link := range linkedTestName.FindAllStringSubmatch(text, -1) {
			file := filepath.Join(filepath.Dir(path), filepath.FromSlash(link[2]))
			if !slices.Contains(filesOf[link[1]], file) {
				t.Errorf("%s links %s to %s, which has no such test", path, link[1], link[2])
			}
			named++
		}
		for _, name := range testName.FindAllString(linkedTestName.ReplaceAllString(text, ""), -1) {
			switch files := filesOf[name]; {
			case len(files) == 0:
				t.Errorf("%s names %s, and there is no such test", path, name)
			case len(files) > 1:
				t.Errorf("%s names %s, and several files have it: link to one of %s", path, name, strings.Join(files, ", "))
			}
			named++
		}
	}
	if named < 100 {
		t.Errorf("only %d names of tests are found", named)
	}
}

var (
	promises    = regexp.MustCompile(`\| promise \| test \|\n\|[- |]+\|\n((?:\|.*\n)+)`)
	metStandard = regexp.MustCompile(`(?m)^\| [^*].* \| (?:met|in part)\b[^|]* \| .*$`)
)

// TestPromisesAreTested: each promise of the threat model names a test or says that there is none, and so does each row of the standards
// that is met.
func TestPromisesAreTested(t *testing.T) {
	texts := documents(t)
	rows := metStandard.FindAllString(texts["docs/standards.md"], -1)
	for _, table := range promises.FindAllStringSubmatch(texts["docs/threat-model.md"], -1) {
		rows = append(rows, strings.Split(strings.TrimSpace(table[1]), "\n")...)
	}
	for _, row := range rows {
		if !testName.MatchString(row) && !strings.Contains(row, ".test.js)") && !strings.Contains(row, "| none") {
			t.Errorf("names no test: %s", row)
		}
	}
	if len(rows) < 150 {
		t.Errorf("only %d rows are found", len(rows))
	}
}

// definedTests returns the files that define each test, of this module and of those within it.
func definedTests(t *testing.T) map[string][]string {
	t.Helper()
	filesOf := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, test := range testDefinition.FindAllStringSubmatch(string(text), -1) {
			filesOf[test[1]] = append(filesOf[test[1]], path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return filesOf
}
