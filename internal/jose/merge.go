package jose

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Merge encodes our claims, a struct, and adds the host's to them. It refuses a name that is in two of the maps, and what
// [Check] refuses.
func Merge(ours any, custom ...map[string]any) ([]byte, error) {
	payload, err := json.Marshal(ours)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	for _, claims := range custom {
		if len(claims) == 0 {
			continue
		}
		if err := Check(claims); err != nil {
			return nil, err
		}
		if all == nil {
			all = claims
			continue
		}
		all = maps.Clone(all)
		for name, value := range claims {
			for other := range all {
				if strings.EqualFold(name, other) {
					return nil, fmt.Errorf("%q is in the session's data and in the Claims callback's answer", name)
				}
			}
			all[name] = value
		}
	}
	if len(all) == 0 {
		return payload, nil
	}
	more, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	payload[len(payload)-1] = ','
	return append(payload, more[1:]...), nil
}

// Check refuses a reserved name, in any case, and one that JSON can't express.
func Check(custom map[string]any) error {
	for name := range custom {
		if slices.ContainsFunc(Reserved[:], func(r string) bool { return strings.EqualFold(r, name) }) {
			return fmt.Errorf("%q is reserved", name)
		}
		if !utf8.ValidString(name) {
			return fmt.Errorf("the name %q is not UTF-8", name)
		}
	}
	return nil
}
