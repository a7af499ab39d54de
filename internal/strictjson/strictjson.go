// Package strictjson reads members of a JSON object without the ambiguities that encoding/json lets pass: duplicate
// names, names in another case, bytes after the object, invalid UTF-8 (RFC 8259 §4 and §8.1, RFC 8725 §3.1).
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// The reasons to refuse a text. They hold nothing of the text, which may be secret.
var (
	ErrNotAnObject = errors.New("not one JSON object")
	ErrAmbiguous   = errors.New("ambiguous member name")
)

// Pick puts those members of the object in data that names lists, unparsed, into values at the same places; an absent
// member leaves nil. The values share data's memory. Other members are ignored, unless their name differs from a listed
// one by case folding alone; that, and a listed name given twice, is [ErrAmbiguous].
func Pick(data []byte, names []string, values [][]byte) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return ErrNotAnObject
	}
	// What is valid needs no care in walking through it.
	rest := skipSpace(data)
	if rest[0] != '{' {
		return ErrNotAnObject
	}
	rest = skipSpace(rest[1:])
	for rest[0] != '}' {
		var name, value []byte
		name, rest = cutValue(rest)
		rest = skipSpace(skipSpace(rest)[1:]) // the colon
		value, rest = cutValue(rest)
		if err := place(name, value, names, values); err != nil {
			return err
		}
		rest = skipSpace(rest)
		if rest[0] == ',' {
			rest = skipSpace(rest[1:])
		}
	}
	return nil
}

// place puts a member where it belongs, if it is listed.
func place(quoted, value []byte, names []string, values [][]byte) error {
	name, _ := unquote(quoted)
	for i, listed := range names { // most names are listed, and then none of them is copied
		if string(name) == listed {
			if values[i] != nil {
				return ErrAmbiguous
			}
			values[i] = value
			return nil
		}
	}
	unlisted := string(name)
	for _, listed := range names {
		if strings.EqualFold(unlisted, listed) {
			return ErrAmbiguous
		}
	}
	return nil
}

// String returns the JSON string in raw, and whether raw is one.
func String(raw []byte) (string, bool) {
	text, ok := unquote(raw)
	return string(text), ok
}

// unquote is String for what need not outlive raw.
func unquote(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return []byte(s), err == nil
}

func skipSpace(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '\n' || text[0] == '\r') {
		text = text[1:]
	}
	return text
}

// cutValue splits a valid text after the value that it begins with.
func cutValue(text []byte) (value, rest []byte) {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			if inString = !inString; !inString && depth == 0 {
				return text[:i+1], text[i+1:]
			}
		case inString:
		case c == '{' || c == '[':
			depth++
		case (c == '}' || c == ']') && depth > 0:
			if depth--; depth == 0 {
				return text[:i+1], text[i+1:]
			}
		case depth == 0 && (c == ',' || c == '}' || c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			return text[:i], text[i:] // the end of a number, true, false or null
		}
	}
	return text, nil
}
