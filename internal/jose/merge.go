package jose

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Merge encodes our claims, a struct, and adds the host's to them. It refuses a reserved name in any case, and what JSON
// can't express.
func Merge(ours any, custom map[string]any) ([]byte, error) {
	payload, err := json.Marshal(ours)
	if err != nil || len(custom) == 0 {
		return payload, err
	}
	for name := range custom {
		if slices.ContainsFunc(Reserved[:], func(r string) bool { return strings.EqualFold(r, name) }) {
			return nil, fmt.Errorf("%q is reserved", name)
		}
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("the name %q is not UTF-8", name)
		}
	}
	more, err := json.Marshal(custom)
	if err != nil {
		return nil, err
	}
	payload[len(payload)-1] = ','
	return append(payload, more[1:]...), nil
}
