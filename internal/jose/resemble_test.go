package jose_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
)

func TestResembles(t *testing.T) {
	const header = `{"alg":"HS256","typ":"JWT"}`
	encode := func(plain string) string { return base64.RawURLEncoding.EncodeToString([]byte(plain)) }
	jwt := func(header, payload string) string { return encode(header) + "." + encode(payload) + ".c2lnbmF0dXJl" }
	ours := jose.NewKey([]byte("an example of a secret with more than 32 bytes")).Sign(benchPayload)
	ourHeader, _, _ := strings.Cut(ours, ".")
	for _, row := range []struct {
		name  string
		token string
		want  bool
	}{
		{"ours", ours, true},
		{"ours, another signature", ours[:len(ours)-3] + "AAA", true},
		{"ours, without the signature", ours[:strings.LastIndex(ours, ".")], true},
		{"ours, the first half", ours[:len(ours)/2], true},
		{"ours, the header", ourHeader, true},
		{"ours, in quotes", `"` + ours + `"`, true},
		{"ours, with a blank before it", " " + ours, true},
		{"ours, with a scheme", "Bearer " + ours, true},
		{"ours, padded", strings.Replace(ours, ".", "=.", 2), true},
		{"ours, with a fourth part", ours + ".x", true},
		{"ours, signed with another algorithm", jwt(`{"alg":"EdDSA","typ":"JWT","kid":"x"}`, string(benchPayload)), true},
		{"ours, a claim twice", jwt(header, strings.Replace(string(benchPayload), "{", `{"sid":"x",`, 1)), true},
		{"ours, in JSON", `{"protected":"` + ourHeader + `","payload":"x"}`, true},
		{"our header, no JSON", jwt(header, "x"), true},
		{"our header, no object", jwt(header, "[1]"), true},

		{"a JWT with our header", jwt(header, `{"sub":"5ebac534954b54139806c112","iat":1589298484,"exp":1589300284,"type":"refresh"}`), false},
		{"a JWT with our header, and claims in another case", jwt(header, `{"Sub":"1","Type":"refresh","type":"refresh","sid":"1"}`), false},
		{"a JWT with another header", jwt(`{"typ":"JWT","alg":"HS256"}`, `{"sub":"1","sid":"1","typ":"Refresh"}`), false},
		{"a JWT that can't be read", jwt(`{"typ":"JWT","alg":"HS256"}`, "x"), false},
		{"random", "pQ3YtXzZlQ1rJ8sW0mN6bA==", false},
		{"random, two parts", "ory_rt_kZ8Y.x7F_Q", false},
		{"a UUID", "2f1c3f0e-6a58-4c54-9a0e-0f3b7f4f7f1d", false},
		{"empty", "", false},
	} {
		if got := jose.Resembles(row.token); got != row.want {
			t.Errorf("%s: %t", row.name, got)
		}
	}
}
