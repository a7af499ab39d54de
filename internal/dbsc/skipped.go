package dbsc

import (
	"net/http"

	"github.com/dunglas/httpsfv"
)

// Skipped is a session that the browser didn't refresh before it sent a request, so the request lacks the session's cookie.
type Skipped struct {
	Reason    string // "quota_exceeded", "server_error" or "unreachable"; the draft may get others
	SessionID string // "" where the browser doesn't say
}

// SkippedSessions returns the sessions of [SkippedHeader]. It returns none if the header is malformed: it explains a missing
// cookie, and nothing is decided by it.
func SkippedSessions(header http.Header) []Skipped {
	list, err := httpsfv.UnmarshalList(header.Values(SkippedHeader))
	if err != nil {
		return nil
	}
	var skipped []Skipped
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			continue
		}
		reason, ok := item.Value.(httpsfv.Token)
		if !ok {
			continue
		}
		id, _ := item.Params.Get("session_identifier")
		text, _ := id.(string)
		skipped = append(skipped, Skipped{string(reason), text})
	}
	return skipped
}
