package main

import (
	"maps"
	"strings"
)

// resolve returns a copy of a node of a description in which what each $ref points at takes its place, with the members that stand
// beside the $ref.
func resolve(node any, whole map[string]any) any {
	switch node := node.(type) {
	case []any:
		items := make([]any, len(node))
		for i, item := range node {
			items[i] = resolve(item, whole)
		}
		return items
	case map[string]any:
		resolved := map[string]any{}
		if pointer, ok := node["$ref"].(string); ok {
			target, _ := resolve(find(whole, pointer), whole).(map[string]any)
			maps.Copy(resolved, target)
		}
		for name, value := range node {
			if name != "$ref" {
				resolved[name] = resolve(value, whole)
			}
		}
		return resolved
	default:
		return node
	}
}

// find follows a pointer like #/components/schemas/Token.
func find(whole map[string]any, pointer string) any {
	var node any = whole
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		object, _ := node.(map[string]any)
		node = object[name]
	}
	return node
}
