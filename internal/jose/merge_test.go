package jose_test

import (
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
)

func TestMerge(t *testing.T) {
	type object = map[string]any
	for _, row := range []struct {
		data   string
		custom []object
		want   string // empty: refused
	}{
		{want: `{"ours":1}`},
		{data: `{}`, custom: []object{nil, {}}, want: `{"ours":1}`},
		{data: `{"n":12345678901234567890}`, want: `{"ours":1,"n":12345678901234567890}`},
		{data: `{"a":[{"b":1}]}`, custom: []object{{"b": 2}, {"c": 3}}, want: `{"ours":1,"a":[{"b":1}],"b":2,"c":3}`},
		{data: `{"a":1}`, custom: []object{{"A": 2}}},
		{data: `{"\u0061":1}`, custom: []object{{"a": 2}}},
		{data: `{"a":1,"sub":"root"}`},
		{data: `{"\u0053ub":"root"}`},
		{custom: []object{{"exp": 1}}},
		{custom: []object{{"a": 1}, {"A": 1}}},
		{custom: []object{{"\xff": 1}}},
	} {
		got, err := jose.Merge(struct {
			Ours int `json:"ours"`
		}{1}, []byte(row.data), row.custom...)
		if string(got) != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s and %v: got %s, %v, want %q", row.data, row.custom, got, err, row.want)
		}
	}
}
