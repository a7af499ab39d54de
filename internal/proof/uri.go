package proof

import (
	"net/url"
	"strings"
)

// sameTarget tells whether htu names the URL of the request, apart from query and fragment (RFC 9449 §4.3). The two may be
// spelled differently where RFC 3986 §6.2.2 and §6.2.3 say that they mean the same.
func sameTarget(htu, request string) bool {
	a, ok := normalize(htu)
	if !ok || htu == request {
		return ok
	}
	b, ok := normalize(request)
	return ok && a == b
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// normalize returns an absolute http or https URL without query and fragment: scheme and host in lower case, no default port,
// no dot segments, "/" for an empty path, and percent-encodings in upper case and only where they are needed.
func normalize(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Hostname() == "" || defaultPorts[u.Scheme] == "" { // Parse puts the scheme in lower case
		return "", false
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); port == "" || port == defaultPorts[u.Scheme] {
		host = strings.TrimSuffix(host, ":"+port)
	}
	u, err = url.Parse(u.Scheme + "://" + host + normalizeEscapes(u.EscapedPath()))
	if err != nil {
		return "", false
	}
	u = new(url.URL).ResolveReference(u) // removes dot segments
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), true
}

// normalizeEscapes decodes what needs no percent-encoding, and puts the other encodings in upper case. The path is one that
// net/url has encoded.
func normalizeEscapes(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		escape := path[i : i+len("%41")]
		if decoded, err := url.PathUnescape(escape); err == nil && isUnreserved(decoded[0]) {
			b.WriteString(decoded)
		} else {
			b.WriteString(strings.ToUpper(escape))
		}
		i += len("41")
	}
	return b.String()
}

// isUnreserved tells whether a character needs no percent-encoding anywhere (RFC 3986 §2.3).
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
