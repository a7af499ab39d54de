package strictjson_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

func TestPick(t *testing.T) {
	for _, row := range []struct {
		text string
		a, b string
		err  error
	}{
		{text: `{"a":1,"b":"x"}`, a: `1`, b: `"x"`},
		{text: " { \"b\" :\t[1,{\"a\":2,\"]\":\"}\"}] , \"a\"\r\n: null } ", a: `null`, b: `[1,{"a":2,"]":"}"}]`},
		{text: `{"a":"\"},{\"b\":1\\"}`, a: `"\"},{\"b\":1\\"`},
		{text: `{"\u0061":-1.5e3,"c":{"a":[]},"b":true}`, a: `-1.5e3`, b: `true`},
		{text: `{}`},
		{text: `{"":1}`},
		{text: `{"a":1,"a":1}`, err: strictjson.ErrAmbiguous},
		{text: `{"a":1,"\u0061":1}`, err: strictjson.ErrAmbiguous},
		{text: `{"A":1}`, err: strictjson.ErrAmbiguous},
		{text: `{"c":1,"c":2}`},
		{text: ``, err: strictjson.ErrNotAnObject},
		{text: `null`, err: strictjson.ErrNotAnObject},
		{text: `["a"]`, err: strictjson.ErrNotAnObject},
		{text: `"a"`, err: strictjson.ErrNotAnObject},
		{text: `{"a":1}{}`, err: strictjson.ErrNotAnObject},
		{text: `{"a":1,}`, err: strictjson.ErrNotAnObject},
		{text: "{\"a\":\"\xff\"}", err: strictjson.ErrNotAnObject},
	} {
		var values [2][]byte
		err := strictjson.Pick([]byte(row.text), []string{"a", "b"}, values[:])
		if !errors.Is(err, row.err) || (err == nil) != (row.err == nil) {
			t.Errorf("%s: error is %v, want %v", row.text, err, row.err)
		} else if err == nil && (string(values[0]) != row.a || string(values[1]) != row.b) {
			t.Errorf("%s: a is %s and b is %s, want %s and %s", row.text, values[0], values[1], row.a, row.b)
		}
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string][]string{
		`{}`:                         nil,
		" { } ":                      nil,
		`{"a":1,"b":{"c":2},"a":[]}`: {"a", "b", "a"},
		" {\t\"\\u0061\" : \"},{\" ,\n\"\" :null , \"é\":-1e3 } ": {"a", "", "é"},
	} {
		if got := slices.Collect(strictjson.Names([]byte(text))); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	text := []byte(`{"sub":"5ebac534954b54139806c112","sid":"019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f","iat":1767323045,"type":"refresh"}`)
	names := []string{"sub", "sid", "iat", "type"}
	b.ReportAllocs()
	for b.Loop() {
		var values [4][]byte
		if err := strictjson.Pick(text, names, values[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzPick checks Pick against encoding/json: Pick reads the same values, and calls no valid object ErrNotAnObject.
func FuzzPick(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":{"a":"}"}}`, `{"a":"\\\"","A":1}`, ` { "b" : [ ] } `, `{"a":1}x`, `null`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var values [2][]byte
		err := strictjson.Pick(text, []string{"a", "b"}, values[:])
		var read map[string]json.RawMessage
		readErr := json.Unmarshal(text, &read)
		if err != nil {
			if errors.Is(err, strictjson.ErrNotAnObject) && readErr == nil && read != nil && strings.ToValidUTF8(string(text), "") == string(text) {
				t.Errorf("%q is an object, but was refused as none", text)
			}
			return
		}
		if readErr != nil {
			t.Fatalf("%q was accepted, but encoding/json says: %v", text, readErr)
		}
		for i, name := range []string{"a", "b"} {
			if string(values[i]) != string(read[name]) {
				t.Errorf("%q: %s is %s, want %s", text, name, values[i], read[name])
			}
		}
	})
}
