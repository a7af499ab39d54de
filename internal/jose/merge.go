package jose

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

// Merge encodes our claims, a struct, and adds the host's to them: data, a valid JSON object or nothing, and the maps. It refuses a
// name that is in two of them, and what [Check] refuses.
func Merge(ours any, data json.RawMessage, custom ...map[string]any) ([]byte, error) {
	payload, err := json.Marshal(ours)
	if err != nil {
		return nil, err
	}
	all, err := join(custom)
	if err != nil {
		return nil, err
	}
	if len(data) > 0 {
		for name := range strictjson.Names(data) {
			if err := checkName(name); err != nil {
				return nil, err
			}
			if err := checkTwice(name, all); err != nil {
				return nil, err
			}
		}
		payload = extend(payload, data)
	}
	if len(all) > 0 {
		more, err := json.Marshal(all)
		if err != nil {
			return nil, err
		}
		payload = extend(payload, more)
	}
	return payload, nil
}

// extend adds the members of an object to those of another.
func extend(object, more []byte) []byte {
	if len(more) <= len("{}") {
		return object
	}
	object[len(object)-1] = ','
	return append(object, more[1:]...)
}

// join returns the members of all maps.
func join(custom []map[string]any) (all map[string]any, err error) {
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
			if err := checkTwice(name, all); err != nil {
				return nil, err
			}
			all[name] = value
		}
	}
	return all, nil
}

func checkTwice(name string, others map[string]any) error {
	for other := range others {
		if strings.EqualFold(name, other) {
			return fmt.Errorf("%q is in the session's data and in the Claims callback's answer", name)
		}
	}
	return nil
}

// Check refuses a reserved name, in any case, and one that JSON can't express.
func Check(custom map[string]any) error {
	for name := range custom {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name string) error {
	if slices.ContainsFunc(Reserved[:], func(r string) bool { return strings.EqualFold(r, name) }) {
		return fmt.Errorf("%q is reserved", name)
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("the name %q is not UTF-8", name)
	}
	return nil
}
