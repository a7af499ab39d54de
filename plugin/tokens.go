package plugin

import "time"

// Tokens is what a client gets when it logs in or refreshes. As JSON it is the body of the refresh route:
//
//	{"access":{"token":"…","expires":"2020-05-12T16:18:04.000Z"},"refresh":{"token":"…","expires":"…"}}
type Tokens struct {
	Access  Token `json:"access"`
	Refresh Token `json:"refresh"`

	// SessionID is the id of the session, for the host's own records.
	SessionID string `json:"-"`
}

// Token is a JWT in compact form (RFC 7519) and the instant in its exp claim. As JSON it has no token member where Token is empty,
// because a cookie has it.
type Token struct {
	Token   string    `json:"token,omitempty"`
	Expires Timestamp `json:"expires"`
}

// Timestamp is a time whose JSON form is RFC 3339 in UTC with exactly three fraction digits.
type Timestamp struct{ time.Time }

// MarshalJSON returns the quoted form, for instance "2020-05-12T16:18:04.793Z".
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z07:00"`), nil
}

func timestamp(seconds int64) Timestamp {
	return Timestamp{time.Unix(seconds, 0).UTC()}
}
