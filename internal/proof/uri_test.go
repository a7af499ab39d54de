package proof_test

import (
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

// TestTarget compares htu with the request's URL (RFC 9449 §4.3).
func TestTarget(t *testing.T) {
	const request = "https://api.example.com/v1/a%2Fb/~me?page=2"
	for _, row := range []struct {
		htu     string
		request string // the one above, if empty
		ok      bool
	}{
		{htu: "https://api.example.com/v1/a%2Fb/~me", ok: true},
		{htu: "https://api.example.com/v1/a%2Fb/~me?page=1", ok: true},
		{htu: "https://api.example.com/v1/a%2Fb/~me#top", ok: true},
		{htu: "HTTPS://API.Example.COM/v1/a%2Fb/~me", ok: true},
		{htu: "https://api.example.com:443/v1/a%2Fb/~me", ok: true},
		{htu: "https://api.example.com:/v1/a%2Fb/~me", ok: true},
		{htu: "https://api.example.com/v1/a%2fb/%7Eme", ok: true},
		{htu: "https://api.example.com/%76%31/a%2Fb/~me", ok: true},
		{htu: "https://api.example.com/v1/x/../a%2Fb/./~me", ok: true},
		{htu: "https://api.example.com/v1/x/%2e%2E/a%2Fb/~me", ok: true},
		{htu: "http://api.example.com/v1/a%2Fb/~me"},
		{htu: "https://api.example.com:80/v1/a%2Fb/~me"},
		{htu: "https://api.example.com:8443/v1/a%2Fb/~me"},
		{htu: "https://api.example.com./v1/a%2Fb/~me"},
		{htu: "https://example.com/v1/a%2Fb/~me"},
		{htu: "https://api.example.com/v1/a/b/~me"},
		{htu: "https://api.example.com/V1/a%2Fb/~me"},
		{htu: "https://api.example.com/v1/a%2Fb/~me/"},
		{htu: "https://api.example.com/v1//a%2Fb/~me"},
		{htu: "https://api.example.com/v1/a%252Fb/~me"},
		{htu: "https://user@api.example.com/v1/a%2Fb/~me"},
		{htu: "/v1/a%2Fb/~me"},
		{htu: "//api.example.com/v1/a%2Fb/~me"},
		{htu: "https:/v1/a%2Fb/~me"},
		{htu: "https:api.example.com/v1/a%2Fb/~me"},
		{htu: "ftp://api.example.com/v1/a%2Fb/~me"},
		{htu: "https://api.example.com/v1/a%2Fb/~me\n"},
		{htu: "https://api.example.com/v1/a%2"},
		{htu: "https://"},
		{htu: ""},

		{htu: "http://localhost:8080", request: "http://localhost:8080/", ok: true},
		{htu: "http://LOCALHOST:80/a", request: "http://localhost/a", ok: true},
		{htu: "https://[2001:DB8::1]/a", request: "https://[2001:db8::1]:443/a", ok: true},
		{htu: "https://[2001:db8::2]/a", request: "https://[2001:db8::1]/a"},
		{htu: "https://api.example.com/caf%C3%A9", request: "https://api.example.com/caf\u00e9", ok: true},
		{htu: "https://api.example.com/a/..", request: "https://api.example.com/", ok: true},
		{htu: "https://api.example.com/../../a", request: "https://api.example.com/a", ok: true},
		{htu: "", request: "?page=2"},
		{htu: "/a", request: "/a"},
		{htu: "//api.example.com/a", request: "//api.example.com/a"},
		{htu: "https:///a", request: "https:///a"},
		{htu: "ftp://api.example.com/a", request: "ftp://api.example.com/a"},
	} {
		e := expect
		e.URL = request
		if row.request != "" {
			e.URL = row.request
		}
		_, err := proof.Check(sign("ES256", ecKey, header("ES256", ecKey).text(), claims.with(members{"htu": row.htu}).text()), e)
		if (err == nil) != row.ok {
			t.Errorf("htu %q for %s: %v, want accepted: %t", row.htu, e.URL, err, row.ok)
		}
	}
}
