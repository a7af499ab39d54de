package refreshtokens_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	fencedCode = regexp.MustCompile("(?ms)^ *```.*?^ *```[ \t]*$")
	inlineCode = regexp.MustCompile("`[^`\n]*`")
	linkTarget = regexp.MustCompile(`\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+"[^"]*")?\)|(?m:^\[[^\]]+\]:\s+(\S+))|(?:src|href)="([^"]*)"`)
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.+?)(?: +#+)? *$`)
	anchorLink = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	ownAnchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
)

// TestLinks: each link of the documents leads somewhere. Nobody is asked about those to other sites, only their form is checked.
func TestLinks(t *testing.T) {
	texts := documents(t)
	links := 0
	for path, text := range texts {
		for _, match := range linkTarget.FindAllStringSubmatch(inlineCode.ReplaceAllString(fencedCode.ReplaceAllString(text, ""), ""), -1) {
			target := match[1] + match[2] + match[3]
			if err := checkLink(texts, path, target); err != nil {
				t.Errorf("%s links to %q: %v", path, target, err)
			}
			links++
		}
	}
	if links < 100 {
		t.Errorf("only %d links are found", links)
	}
}

// TestIndexIsWhole: docs/README.md links to every page.
func TestIndexIsWhole(t *testing.T) {
	texts := documents(t)
	for path := range texts {
		if page, ok := strings.CutPrefix(filepath.ToSlash(path), "docs/"); ok && page != "README.md" && !strings.Contains(texts["docs/README.md"], "]("+page+")") {
			t.Errorf("docs/README.md doesn't link to %s", page)
		}
	}
}

func checkLink(texts map[string]string, from, target string) error {
	link, err := url.Parse(target)
	if err != nil {
		return err
	}
	if link.Scheme != "" || link.Host != "" {
		if link.Scheme != "https" || !strings.Contains(link.Host, ".") || link.User != nil {
			return fmt.Errorf("it must be https://host/…")
		}
		return nil
	}
	if target == "" || link.RawQuery != "" || strings.HasPrefix(link.Path, "/") {
		return fmt.Errorf("it must be a relative path, an anchor or both")
	}
	file := from
	if link.Path != "" {
		file = filepath.Join(filepath.Dir(from), filepath.FromSlash(link.Path))
		if !filepath.IsLocal(file) {
			return fmt.Errorf("it leaves the repository")
		}
		if _, err := os.Stat(file); err != nil {
			return err
		}
	}
	if link.Fragment == "" {
		return nil
	}
	text, ok := texts[file]
	if !ok {
		return fmt.Errorf("only documents have anchors")
	}
	if !anchors(text)[link.Fragment] {
		return fmt.Errorf("%s has no such heading", file)
	}
	return nil
}

// anchors returns what GitHub calls the headings of a document: their text in lower case, without punctuation, with hyphens for spaces,
// and with a number where an earlier heading has that name.
func anchors(text string) map[string]bool {
	text = fencedCode.ReplaceAllString(text, "")
	found, times := map[string]bool{}, map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, anchorLink.ReplaceAllString(match[1], "$1"))
		numbered := name
		for found[numbered] {
			times[name]++
			numbered = fmt.Sprintf("%s-%d", name, times[name])
		}
		found[numbered] = true
	}
	for _, match := range ownAnchor.FindAllStringSubmatch(text, -1) {
		found[match[1]] = true
	}
	return found
}

// TestAnchors has headings whose anchors were read off GitHub's rules.
func TestAnchors(t *testing.T) {
	text := "# A `Config.Table`, and [more](x.md)\n```sh\n# no heading\n```\n## What's *new*?\n## Twice\n## Twice\n## Twice-1\n## § 4.1 – Über_uns\n#nothing\n"
	found := anchors(text)
	want := []string{"a-configtable-and-more", "whats-new", "twice", "twice-1", "twice-1-1", "-41--über_uns"}
	for _, name := range want {
		if !found[name] {
			t.Errorf("%q is missing in %v", name, found)
		}
	}
	if len(found) != len(want) {
		t.Errorf("found %v", found)
	}
}
