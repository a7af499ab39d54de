// Package dbsc speaks to browsers that bind a session to a key of the device: Device Bound Session Credentials, a draft of the
// W3C (https://w3c.github.io/webappsec-dbsc/). It builds what a server says and reads what a browser says; package proof
// checks what a browser signs. It was written for, and tried with, Chromium 156.
//
// The exchange in short: the answer to a login has [Registration]. The browser makes a key and posts a proof of it
// ([Proof]). The answer has [Instructions], which name a cookie. When that cookie is missing or about to end, the browser
// holds the page's requests, posts to the refresh URL with the session's id ([SessionID]) and a proof, and expects that
// cookie anew. If it has no challenge to sign, or a stale one, the server answers 403 with [Challenge].
package dbsc

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/dunglas/httpsfv"
)

// The names of the headers.
const (
	RegistrationHeader = "Secure-Session-Registration" // of an answer
	ChallengeHeader    = "Secure-Session-Challenge"    // of an answer
	ProofHeader        = "Secure-Session-Response"     // of a request
	SessionIDHeader    = "Sec-Secure-Session-Id"       // of a request; no page can set it
	SkippedHeader      = "Secure-Session-Skipped"      // of a request
)

// Registration asks the browser to make a key, and to post a proof of it.
type Registration struct {
	Path          string // of the registration route, or its whole URL
	Challenge     string // what the browser signs
	Authorization string // what the proof repeats; left out if empty
}

// Value returns the value of [RegistrationHeader]. The error says which field is not printable ASCII.
func (r Registration) Value() (string, error) {
	params := httpsfv.NewParams()
	for _, param := range []struct{ name, value string }{{"path", r.Path}, {"challenge", r.Challenge}, {"authorization", r.Authorization}} {
		if param.value != "" {
			params.Add(param.name, param.value)
		}
	}
	algorithms := []httpsfv.Item{httpsfv.NewItem(httpsfv.Token("ES256")), httpsfv.NewItem(httpsfv.Token("RS256"))}
	value, err := httpsfv.Marshal(httpsfv.List{httpsfv.InnerList{Items: algorithms, Params: params}})
	if err != nil {
		return "", fmt.Errorf("dbsc: registration: %w", err)
	}
	return value, nil
}

// Challenge returns the value of [ChallengeHeader]: what the browser signs next for a session. It belongs into a 403.
//
// A browser signs only a few times: Chromium 156 six times in nine minutes for a site, with registrations. It doesn't sign the
// same challenge twice, but sends the proof again that it has. So a challenge that comes only when the last one is stale costs
// the fewest signatures, and one in each answer can use them up.
func Challenge(challenge, sessionID string) (string, error) {
	item := httpsfv.NewItem(challenge)
	item.Params.Add("id", sessionID)
	value, err := httpsfv.Marshal(item)
	if err != nil {
		return "", fmt.Errorf("dbsc: challenge: %w", err)
	}
	return value, nil
}

// Proof returns the browser's proof, and whether there is exactly one.
func Proof(header http.Header) (string, bool) { return text(header.Values(ProofHeader)) }

// SessionID returns the id of the session that the browser refreshes, and whether there is exactly one. A request without it
// was made by a page.
func SessionID(header http.Header) (string, bool) { return text(header.Values(SessionIDHeader)) }

// text reads a header that the draft calls a string. Chromium 156 sends the text without quotes, which no structured field
// allows where it starts with a digit as a UUID does.
func text(values []string) (string, bool) {
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	value := values[0]
	if value[0] != '"' {
		return value, !strings.ContainsAny(value, `", ;`)
	}
	item, err := httpsfv.UnmarshalItem(values)
	if err != nil {
		return "", false
	}
	value, ok := item.Value.(string)
	return value, ok && value != ""
}
