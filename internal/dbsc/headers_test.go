package dbsc_test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/dbsc"
)

const sessionID = "019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f"

func TestRegistration(t *testing.T) {
	for _, row := range []struct {
		name         string
		registration dbsc.Registration
		want         string // "" where it is refused
	}{
		{
			name:         "a path",
			registration: dbsc.Registration{Path: "/web/auth/device-bound-session", Challenge: "bwWN9S2qWwQyGyCjwPyvAfXB"},
			want:         `(ES256 RS256);path="/web/auth/device-bound-session";challenge="bwWN9S2qWwQyGyCjwPyvAfXB"`,
		},
		{
			name:         "a URL and an authorization",
			registration: dbsc.Registration{Path: "https://example.com/reg", Challenge: "c", Authorization: `a "code"`},
			want:         `(ES256 RS256);path="https://example.com/reg";challenge="c";authorization="a \"code\""`,
		},
		{name: "a path that is not ASCII", registration: dbsc.Registration{Path: "/käse", Challenge: "c"}},
		{name: "a line break", registration: dbsc.Registration{Path: "/", Challenge: "c\r\nSet-Cookie: a=b"}},
	} {
		value, err := row.registration.Value()
		if value != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s: %s, %v, want %s", row.name, value, err, row.want)
		}
	}
}

func TestChallenge(t *testing.T) {
	value, err := dbsc.Challenge("bwWN9S2qWwQyGyCjwPyvAfXB", sessionID)
	if want := `"bwWN9S2qWwQyGyCjwPyvAfXB";id="` + sessionID + `"`; value != want || err != nil {
		t.Errorf("%s, %v, want %s", value, err, want)
	}
	if value, err := dbsc.Challenge("c", "a\nb"); err == nil {
		t.Errorf("a line break was accepted: %q", value)
	}
}

// TestText reads what Chromium 156 sends, and what the draft says.
func TestText(t *testing.T) {
	for _, row := range []struct {
		name   string
		values []string
		want   string // "" where there is none
	}{
		{name: "as Chromium sends it", values: []string{sessionID}, want: sessionID},
		{name: "as the draft has it", values: []string{`"` + sessionID + `"`}, want: sessionID},
		{name: "with parameters", values: []string{`"` + sessionID + `";a=1`}, want: sessionID},
		{name: "a JWT", values: []string{"eyJ0.e30.AA-_"}, want: "eyJ0.e30.AA-_"},
		{name: "a quoted JWT", values: []string{`"eyJ0.e30.AA-_"`}, want: "eyJ0.e30.AA-_"},
		{name: "none", values: nil},
		{name: "empty", values: []string{""}},
		{name: "an empty string", values: []string{`""`}},
		{name: "two headers", values: []string{sessionID, sessionID}},
		{name: "a list", values: []string{"a, b"}},
		{name: "a list of strings", values: []string{`"a", "b"`}},
		{name: "an open string", values: []string{`"a`}},
		{name: "bytes after the string", values: []string{`"a"b`}},
		{name: "a quote inside", values: []string{`a"b`}},
		{name: "parameters without quotes", values: []string{"a;b=1"}},
	} {
		for name, read := range map[string]func(http.Header) (string, bool){dbsc.ProofHeader: dbsc.Proof, dbsc.SessionIDHeader: dbsc.SessionID} {
			got, ok := read(http.Header{http.CanonicalHeaderKey(name): row.values})
			if ok != (row.want != "") || ok && got != row.want {
				t.Errorf("%s: %s is %q, %t, want %q", row.name, name, got, ok, row.want)
			}
		}
	}
}

func TestSkippedSessions(t *testing.T) {
	for _, row := range []struct {
		name   string
		values []string
		want   []dbsc.Skipped
	}{
		{
			name:   "as Chromium 156 sends it",
			values: []string{`quota_exceeded;session_identifier="` + sessionID + `"`},
			want:   []dbsc.Skipped{{"quota_exceeded", sessionID}},
		},
		{
			name:   "two sessions",
			values: []string{`unreachable;session_identifier="a", server_error;session_identifier="b"`},
			want:   []dbsc.Skipped{{"unreachable", "a"}, {"server_error", "b"}},
		},
		{name: "two headers", values: []string{"unreachable", "server_error"}, want: []dbsc.Skipped{{"unreachable", ""}, {"server_error", ""}}},
		{name: "an identifier that is not a string", values: []string{"unreachable;session_identifier=1"}, want: []dbsc.Skipped{{"unreachable", ""}}},
		{name: "a string and a list beside it", values: []string{`"a", (b c), unreachable`}, want: []dbsc.Skipped{{"unreachable", ""}}},
		{name: "none", values: nil},
		{name: "malformed", values: []string{"unreachable;"}},
	} {
		if got := dbsc.SkippedSessions(http.Header{dbsc.SkippedHeader: row.values}); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// FuzzHeaders: no header makes the readers panic, and what they return is never empty.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{sessionID, `"a";b=1`, `quota_exceeded;session_identifier="a", (b c);d=?1`, `:AA==:`, `@1;%"a"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		header := http.Header{}
		for _, name := range []string{dbsc.ProofHeader, dbsc.SessionIDHeader, dbsc.SkippedHeader} {
			header.Set(name, value)
		}
		if id, ok := dbsc.SessionID(header); ok && id == "" {
			t.Errorf("%q is an empty id", value)
		}
		for _, skipped := range dbsc.SkippedSessions(header) {
			if skipped.Reason == "" {
				t.Errorf("%q has no reason", value)
			}
		}
	})
}
