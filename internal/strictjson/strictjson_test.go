package strictjson_test

import (
	"encoding/json"
	"errors"
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
		{`{"a":1,"b":"x"}`, `1`, `"x"`, nil},
		{" { \"b\" :\t[1,{\"a\":2,\"]\":\"}\"}] , \"a\"\r\n: null } ", `null`, `[1,{"a":2,"]":"}"}]`, nil},
		{`{"a":"\"},{\"b\":1\\"}`, `"\"},{\"b\":1\\"`, ``, nil},
		{`{"\u0061":-1.5e3,"c":{"a":[]},"b":true}`, `-1.5e3`, `true`, nil},
		{`{}`, ``, ``, nil},
		{`{"":1}`, ``, ``, nil},
		{`{"a":1,"a":1}`, ``, ``, strictjson.ErrAmbiguous},
		{`{"a":1,"\u0061":1}`, ``, ``, strictjson.ErrAmbiguous},
		{`{"A":1}`, ``, ``, strictjson.ErrAmbiguous},
		{`{"c":1,"c":2}`, ``, ``, nil},
		{``, ``, ``, strictjson.ErrNotAnObject},
		{`null`, ``, ``, strictjson.ErrNotAnObject},
		{`["a"]`, ``, ``, strictjson.ErrNotAnObject},
		{`"a"`, ``, ``, strictjson.ErrNotAnObject},
		{`{"a":1}{}`, ``, ``, strictjson.ErrNotAnObject},
		{`{"a":1,}`, ``, ``, strictjson.ErrNotAnObject},
		{"{\"a\":\"\xff\"}", ``, ``, strictjson.ErrNotAnObject},
	} {
		var values [2][]byte
		err := strictjson.Pick([]byte(row.text), []string{"a", "b"}, values[:])
		if !errors.Is(err, row.err) || (err == nil) != (row.err == nil) {
			t.Errorf("%s: %v, want %v", row.text, err, row.err)
		} else if err == nil && (string(values[0]) != row.a || string(values[1]) != row.b) {
			t.Errorf("%s: %s and %s, want %s and %s", row.text, values[0], values[1], row.a, row.b)
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

// FuzzPick: what is picked is what encoding/json reads, and what is refused has a reason.
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
				t.Errorf("%q is an object", text)
			}
			return
		}
		if readErr != nil {
			t.Fatalf("%q: %v", text, readErr)
		}
		for i, name := range []string{"a", "b"} {
			if string(values[i]) != string(read[name]) {
				t.Errorf("%q: %s is %s, want %s", text, name, values[i], read[name])
			}
		}
	})
}
