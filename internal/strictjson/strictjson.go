// Package strictjson reads members of a JSON object without the ambiguities that encoding/json lets pass: duplicate
// names, names in another case, bytes after the object, invalid UTF-8 (RFC 8259 §4 and §8.1, RFC 8725 §3.1).
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// The reasons to refuse a text. They hold nothing of the text, which may be secret.
var (
	ErrNotAnObject = errors.New("not one JSON object")
	ErrAmbiguous   = errors.New("ambiguous member name")
)

// Pick returns those members of the object in data that names lists, by name and unparsed. An absent member is absent
// from the result. Other members are ignored, unless their name differs from a listed one by case folding alone; that,
// and a listed name given twice, is [ErrAmbiguous].
func Pick(data []byte, names ...string) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, ErrNotAnObject
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, ErrNotAnObject
	}
	members := make(map[string]json.RawMessage, len(names))
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, ErrNotAnObject
		}
		name, ok := token.(string)
		if !ok {
			return nil, ErrNotAnObject
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, ErrNotAnObject
		}
		listed := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
		if listed < 0 {
			continue
		}
		if _, twice := members[name]; twice || names[listed] != name {
			return nil, ErrAmbiguous
		}
		members[name] = value
	}
	return members, nil
}

// String returns the JSON string in raw, and whether raw is one.
func String(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}
