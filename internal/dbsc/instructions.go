package dbsc

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Instructions tell the browser what the session protects, in the JSON of the answer to a registration. An answer to a refresh
// may have them too. If it has another body, Chromium 156 ends the browser's session; an empty body is fine.
type Instructions struct {
	SessionID   string       `json:"session_identifier"`
	RefreshURL  string       `json:"refresh_url"` // or its path
	Scope       Scope        `json:"scope"`
	Credentials []Credential `json:"credentials"`
}

// End ends the browser's session, in the JSON of the answer to a refresh.
type End struct {
	SessionID string `json:"session_identifier"`
	Continue  bool   `json:"continue"` // false
}

// Scope says which of the page's requests the browser holds until the cookie is fresh. Those to the refresh URL are never held.
type Scope struct {
	IncludeSite bool   `json:"include_site"` // the whole site, and not just the origin
	Rules       []Rule `json:"scope_specification,omitempty"`
}

// Rule includes or excludes requests. The first one that matches decides.
type Rule struct {
	Type   string `json:"type"`             // "include" or "exclude"
	Domain string `json:"domain,omitempty"` // "*.example.com"; every one if empty
	Path   string `json:"path,omitempty"`   // and all below it; every one if empty
}

// Credential names a cookie that the session protects.
type Credential struct {
	Type       string `json:"type"` // "cookie"
	Name       string `json:"name"`
	Attributes string `json:"attributes"`
}

// CookieCredential returns the Credential for a cookie. The browser compares its name and attributes with those of the cookies
// that it has, so they have to be those that Set-Cookie sets. The value and the time when the cookie ends don't matter.
func CookieCredential(cookie *http.Cookie) (Credential, error) {
	plain := *cookie //nolint:gosec // it is never set
	plain.Value, plain.MaxAge, plain.Expires = "", 0, time.Time{}
	if err := plain.Valid(); err != nil {
		return Credential{}, fmt.Errorf("dbsc: %w", err)
	}
	_, attributes, _ := strings.Cut(plain.String(), "; ")
	return Credential{Type: "cookie", Name: cookie.Name, Attributes: attributes}, nil
}
