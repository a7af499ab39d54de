package browsertest_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// secret is the app's JWT_SECRET.
const secret = "a secret for tests with more than 32 bytes"

// refreshToken returns the refresh token that the tab's profile has: from the cookie, which scripts can't read, or from the
// page's storage.
func (tab *tab) refreshToken(s *site, m mode) string {
	tab.t.Helper()
	if m == body {
		return evaluate[string](tab, storedToken)
	}
	return tab.refreshCookie(s).Value
}

// storedToken finds the token in the page's storage, whatever the shape that it is stored in.
const storedToken = `Object.values(localStorage).join(" ").match(/[\w-]+\.[\w-]+\.[\w-]+/)?.[0] ?? ""`

func (tab *tab) refreshCookie(s *site) *network.Cookie {
	tab.t.Helper()
	for _, c := range tab.cookies(s.origin + cookie.prefix + "/auth/refresh-tokens") {
		if strings.HasSuffix(c.Name, "refresh-token") {
			return c
		}
	}
	tab.t.Fatal("there is no refresh cookie")
	return nil
}

// setRefreshToken puts a refresh token in the place of the one that the tab's profile has.
func (tab *tab) setRefreshToken(s *site, m mode, token string) {
	tab.t.Helper()
	if m == body {
		evaluate[chromedp.Void](tab, fmt.Sprintf(
			`for (const [key, value] of Object.entries(localStorage)) localStorage.setItem(key, value.replace(%s, %q))`,
			storedToken, token))
		return
	}
	c := tab.refreshCookie(s)
	call(tab, network.SetCookie, network.SetCookieParams{
		Name: c.Name, Value: token, URL: s.origin, Path: c.Path, Secure: &c.Secure, HTTPOnly: &c.HTTPOnly,
		SameSite: c.SameSite, Expires: cdp.TimeSinceEpoch(c.Expires),
	})
}

// age makes the profile's session look older, by signing its refresh token anew. The token is then old enough to rotate, and the
// login too long ago for what needs a fresh one. No test can wait so long.
func (tab *tab) age(s *site, m mode, by time.Duration) {
	tab.t.Helper()
	old := tab.refreshToken(s, m)
	claims := tab.claims(old)
	for _, name := range []string{"iat", "auth_time"} {
		claims[name] = claims[name].(float64) - by.Seconds()
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		tab.t.Fatal(err)
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "refreshtokens/refresh-token/HS256/v1", 32)
	if err != nil {
		tab.t.Fatal(err)
	}
	header, _, _ := strings.Cut(old, ".")
	signed := header + "." + base64.RawURLEncoding.EncodeToString(payload)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	tab.setRefreshToken(s, m, signed+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
}

// claims returns what a token says.
func (tab *tab) claims(token string) map[string]any {
	tab.t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		tab.t.Fatalf("%q is no JWT", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		tab.t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		tab.t.Fatal(err)
	}
	return claims
}

// life returns how long the profile's refresh token has from now.
func (tab *tab) life(s *site, m mode) time.Duration {
	tab.t.Helper()
	return time.Until(time.Unix(int64(tab.claims(tab.refreshToken(s, m))["exp"].(float64)), 0))
}
