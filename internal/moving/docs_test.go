package moving_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListings: each listing of docs/moving is in a file that the tests here compile or run.
func TestListings(t *testing.T) {
	var code strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "docs_test.go" {
			return err
		}
		switch filepath.Ext(path) {
		case ".go", ".mjs", ".sql":
			text, err := os.ReadFile(path)
			code.WriteString(plain(string(text)))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/moving/*.md")
	if err != nil || len(pages) < 5 {
		t.Fatal(pages, err)
	}
	for _, page := range append(pages, "../../docs/moving.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(text), "```") {
			language, listing, _ := strings.Cut(block, "\n")
			if i%2 == 0 || language == "sh" {
				continue
			}
			if language != "go" && language != "js" && language != "sql" {
				t.Errorf("%s has a listing in %q, which nothing tests", page, language)
			}
			if !strings.Contains(code.String(), plain(listing)) {
				t.Errorf("%s has a listing that is in no file here:\n%s", page, listing)
			}
		}
	}
}

// plain takes the white space around each line away.
func plain(text string) string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(strings.TrimSpace(line) + "\n")
	}
	return lines.String()
}
