// Package strictjson reads members of a JSON object and refuses the ambiguities that encoding/json accepts: duplicate
// names, names in another case, bytes after the object, and invalid UTF-8 (RFC 8259 §4 and §8.1, RFC 8725 §3.1).
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"unicode/utf8"
)

// Pick returns one of these errors. They quote nothing from the text, because it may be secret.
var (
	ErrNotAnObject = errors.New("not one JSON object")
	ErrAmbiguous   = errors.New("ambiguous member name")
)

// Pick reads the JSON object in data. It puts the raw value of the member names[i] into values[i], and leaves values[i] nil
// if there is no such member. The values share data's memory.
//
// Pick returns [ErrAmbiguous] if a listed name occurs twice, or if a member's name equals a listed one only under Unicode
// case folding. It ignores all other members.
func Pick(data []byte, names []string, values [][]byte) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return ErrNotAnObject
	}
	// The text is valid from here on, so the code below checks no bounds and no syntax.
	rest := skipSpace(data)
	if rest[0] != '{' {
		return ErrNotAnObject
	}
	rest = skipSpace(rest[1:])
	for rest[0] != '}' {
		var name, value []byte
		name, value, rest = cutMember(rest)
		if err := keep(name, value, names, values); err != nil {
			return err
		}
	}
	return nil
}

// Names ranges over the names in a JSON object, which must be valid.
func Names(object []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := skipSpace(skipSpace(object)[1:]); rest[0] != '}'; {
			var quoted []byte
			quoted, _, rest = cutMember(rest)
			if name, _ := unquote(quoted); !yield(string(name)) {
				return
			}
		}
	}
}

// keep puts the value of a listed member into values, or returns ErrAmbiguous.
func keep(quoted, value []byte, names []string, values [][]byte) error {
	name, _ := unquote(quoted)
	for i, listed := range names { // most names are listed, and this loop copies none of them
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

// unquote is like String, but the result may share raw's memory.
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

// cutMember splits a valid text after its first member, and after the comma where there is one.
func cutMember(text []byte) (name, value, rest []byte) {
	name, rest = cutValue(text)
	rest = skipSpace(skipSpace(rest)[1:]) // the colon
	value, rest = cutValue(rest)
	rest = skipSpace(rest)
	if rest[0] == ',' {
		rest = skipSpace(rest[1:])
	}
	return name, value, rest
}

// cutValue splits a valid text after its first value.
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
