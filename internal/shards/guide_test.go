package shards_test

import (
	"fmt"
	"os"
	"strings"
)

// guide returns the blocks of docs/engines.md below a heading that starts with the words "### " and name, each as its statements,
// or as its lines where it has none. So the tests run what the page says.
func guide(name string) [][]string {
	text, err := os.ReadFile("../../docs/engines.md")
	if err != nil {
		panic(err)
	}
	_, section, found := strings.Cut(string(text), "\n### "+name)
	if !found {
		panic("docs/engines.md has no section on " + name)
	}
	section, _, _ = strings.Cut(section, "\n#")
	var blocks [][]string
	for i, part := range strings.Split(section, "\n```") {
		if i%2 == 0 {
			continue
		}
		kind, block, _ := strings.Cut(part, "\n")
		separator := map[string]string{"sql": ";", "ini": "\n"}[kind]
		var statements []string
		for statement := range strings.SplitSeq(withoutComments(block), separator) {
			if statement = strings.TrimSpace(statement); statement != "" {
				statements = append(statements, statement)
			}
		}
		blocks = append(blocks, statements)
	}
	return blocks
}

func withoutComments(block string) string {
	var text strings.Builder
	for line := range strings.Lines(block) {
		line, _, _ = strings.Cut(strings.TrimRight(line, "\n"), "--")
		text.WriteString(line + "\n")
	}
	return text.String()
}

// toShard turns statements on shard 0 into ones on shard i.
func toShard(statements []string, i int) []string {
	var turned []string
	for _, statement := range statements {
		turned = append(turned, strings.ReplaceAll(statement, "shard0", fmt.Sprint("shard", i)))
	}
	return turned
}
