package conformance_test

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

func TestHostileBodies(t *testing.T) {
	const applicationJSON = "application/json"
	host := testhost.New(t, openSQLite(t))
	token := host.Login("alice").Refresh.Token
	before := host.Rows()
	for _, row := range []struct {
		name, contentType, body string
		status                  int
	}{
		{name: "empty", contentType: applicationJSON, body: ``, status: 400},
		{name: "white space", contentType: applicationJSON, body: " \r\n", status: 400},
		{name: "no member", contentType: applicationJSON, body: `{}`, status: 400},
		{name: "null", contentType: applicationJSON, body: `null`, status: 400},
		{name: "array", contentType: applicationJSON, body: `[]`, status: 400},
		{name: "array of the object", contentType: applicationJSON, body: `[{"refreshToken":"` + token + `"}]`, status: 400},
		{name: "string", contentType: applicationJSON, body: `"x"`, status: 400},
		{name: "token null", contentType: applicationJSON, body: `{"refreshToken":null}`, status: 400},
		{name: "token empty", contentType: applicationJSON, body: `{"refreshToken":""}`, status: 400},
		{name: "token number", contentType: applicationJSON, body: `{"refreshToken":1}`, status: 400},
		{name: "token bool", contentType: applicationJSON, body: `{"refreshToken":true}`, status: 400},
		{name: "token array", contentType: applicationJSON, body: `{"refreshToken":["` + token + `"]}`, status: 400},
		{name: "token object", contentType: applicationJSON, body: `{"refreshToken":{"$gt":""}}`, status: 400},
		{name: "truncated", contentType: applicationJSON, body: `{"refreshToken":"` + token, status: 400},
		{name: "unclosed", contentType: applicationJSON, body: `{"refreshToken":"` + token + `"`, status: 400},
		{name: "trailing comma", contentType: applicationJSON, body: `{"refreshToken":"` + token + `",}`, status: 400},
		{name: "single quotes", contentType: applicationJSON, body: `{'refreshToken':'` + token + `'}`, status: 400},
		{name: "byte order mark", contentType: applicationJSON, body: "\ufeff" + `{"refreshToken":"` + token + `"}`, status: 400},
		{name: "invalid UTF-8", contentType: applicationJSON, body: `{"refreshToken":"` + token + `","a":"` + "\xff" + `"}`, status: 400},
		{name: "nested 2,000 deep under another name", contentType: applicationJSON, body: `{"a":` + nested(2000) + `}`, status: 400},
		{name: "nested 20,000 deep", contentType: applicationJSON, body: `{"a":` + nested(20000) + `}`, status: 413},
		{name: "name twice", contentType: applicationJSON, body: `{"refreshToken":"` + token + `","refreshToken":"` + token + `"}`, status: 400},
		{name: "name twice, the second escaped", contentType: applicationJSON, body: `{"refreshToken":"` + token + `","refresh\u0054oken":"x"}`, status: 400},
		{name: "name in another case", contentType: applicationJSON, body: `{"REFRESHTOKEN":"` + token + `"}`, status: 400},
		{name: "also a name in another case", contentType: applicationJSON, body: `{"refreshToken":"` + token + `","RefreshToken":"x"}`, status: 400},
		{name: "name with a look-alike letter", contentType: applicationJSON, body: `{"refreſhToken":"` + token + `"}`, status: 400},
		{name: "also a name with a look-alike letter", contentType: applicationJSON, body: `{"refreshToken":"` + token + `","refreshToKen":"x"}`, status: 400},
		{name: "second object after it", contentType: applicationJSON, body: `{"refreshToken":"` + token + `"}{}`, status: 400},
		{name: "bytes after it", contentType: applicationJSON, body: `{"refreshToken":"` + token + `"} x`, status: 400},
		{name: "over 8 KiB", contentType: applicationJSON, body: `{"refreshToken":"` + token + `","a":"` + strings.Repeat("x", 8<<10) + `"}`, status: 413},
		{name: "8 KiB and a byte", contentType: applicationJSON, body: pad(`{"refreshToken":"x"}`, 8<<10+1), status: 413},
		{name: "8 KiB", contentType: applicationJSON, body: pad(`{"refreshToken":"x"}`, 8<<10), status: 401},
		{name: "text", contentType: "text/plain", body: `{"refreshToken":"` + token + `"}`, status: 415},
		{name: "form", contentType: "application/x-www-form-urlencoded", body: "refreshToken=" + token, status: 415},
		{name: "no content type", contentType: "", body: `{"refreshToken":"` + token + `"}`, status: 415},
		{name: "broken content type", contentType: "application/json; =", body: `{"refreshToken":"` + token + `"}`, status: 415},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, path := range []string{testhost.RefreshPath, testhost.LogoutPath} {
				recorder := host.Do(http.MethodPost, path, strings.NewReader(row.body), "Content-Type", row.contentType)
				want := row.status
				if path == testhost.LogoutPath && want == http.StatusUnauthorized {
					want = http.StatusNotFound
				}
				if recorder.Code != want {
					t.Fatalf("%s answered %d, want %d", path, recorder.Code, want)
				}
				testhost.WantGroupHeaders(t, recorder)
				var answer struct {
					Code    int
					Message string
				}
				if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Code != want {
					t.Errorf("body is %s", recorder.Body)
				}
				if want == http.StatusBadRequest && !strings.Contains(answer.Message, "refreshToken") {
					t.Errorf("the message %q does not name the member", answer.Message)
				}
				if strings.Contains(recorder.Body.String(), token) {
					t.Error("the token is in the answer")
				}
			}
		})
	}
	wantRows(t, host, before)

	for _, body := range []string{
		`{"refreshToken":"%s","sub":"root","expires":1,"scope":["admin"],"x":` + nested(500) + `}`,
		"\t{ \"refreshToken\" :\n\"%s\" }\r\n",
		`{"refresh\u0054oken":"%s"}`,
	} {
		first := host.Login("alice")
		recorder := host.Do(http.MethodPost, testhost.RefreshPath, strings.NewReader(fmt.Sprintf(body, first.Refresh.Token)),
			"Content-Type", "Application/JSON; charset=utf-8")
		testhost.WantAnswer(t, recorder, http.StatusOK, "")
		if claims := host.Claims(refreshTokenIn(t, recorder.Body)); claims["sub"] != "alice" || claims["scope"] != nil {
			t.Errorf("claims are %v", claims)
		}
	}
}

// TestEndlessBody checks that the server stops reading a body that never ends, and refuses it.
func TestEndlessBody(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	body := &endless{}
	recorder := host.Do(http.MethodPost, testhost.RefreshPath, body, "Content-Type", "application/json")
	testhost.WantAnswer(t, recorder, http.StatusRequestEntityTooLarge, `{"code":413,"message":"The body may have 8 KiB at most"}`)
	if body.read > 64<<10 {
		t.Errorf("%d bytes were read", body.read)
	}
}

// TestStalledBody checks, over a real connection, that the server refuses a body before all of it has arrived.
func TestStalledBody(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	server := httptest.NewServer(host.Router)
	defer server.Close()
	for _, row := range []struct {
		head, body string
		status     int
	}{
		{"Content-Type: application/json\r\nTransfer-Encoding: chunked", "2400\r\n" + strings.Repeat("x", 0x2400) + "\r\n", 413},
		{"Content-Type: application/json\r\nContent-Length: 20000", strings.Repeat("x", 9000), 413},
		{"Content-Type: text/plain\r\nContent-Length: 100", "", 415},
	} {
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
		_, err = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s", testhost.RefreshPath, row.head, row.body)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Errorf("%s: %v", row.head, err)
		} else if _ = response.Body.Close(); response.StatusCode != row.status {
			t.Errorf("%s: answered %d, want %d", row.head, response.StatusCode, row.status)
		}
		_ = connection.Close()
	}
}

type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return copy(p, bytes.Repeat([]byte{' '}, len(p))), nil
}

// TestHostileTokens sends bad tokens to the refresh route, to log-out and to the middleware. Most are signed with the right key,
// so that only the one thing that is wrong with a token can be the reason to refuse it.
func TestHostileTokens(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		host := testhost.New(t, db)
		statements := countStatements(t, db)
		tokens, bobs := host.Login("alice"), host.Login("bob")
		rsaKey, rsaPEM := newRSAKey(t)

		for _, kind := range []struct {
			name  string
			good  string
			key   []byte
			other []byte
			send  func(token string) (status int, body string)
		}{
			{name: "refresh", good: tokens.Refresh.Token, key: testhost.RefreshKey(t), other: []byte(testhost.Secret), send: func(token string) (int, string) {
				recorder := host.PostToken(testhost.RefreshPath, token)
				return recorder.Code, recorder.Body.String()
			}},
			{name: "access", good: tokens.Access.Token, key: []byte(testhost.Secret), other: testhost.RefreshKey(t), send: func(token string) (int, string) {
				recorder := host.Bearer(http.MethodGet, testhost.MePath, token)
				return recorder.Code, recorder.Body.String()
			}},
		} {
			claims := host.Claims(kind.good)
			now := host.Clock.Now().Unix()
			hostile := maps.Collect(func(yield func(string, string) bool) {
				for name, token := range hostileForms(kind.good) {
					yield("form: "+name, token)
				}
				for name, header := range hostileHeaders() {
					encoded := base64.RawURLEncoding.EncodeToString([]byte(header))
					payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(kind.good, ".")[1])
					yield("header: "+name, testhost.Sign(encoded, string(payload), kind.key))
				}
				payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(kind.good, ".")[1])
				yield("signature: with the other kind's key", testhost.Sign(testhost.Header, string(payload), kind.other))
				yield("signature: with an empty key", testhost.Sign(testhost.Header, string(payload), nil))
				yield("signature: with a former key", testhost.Sign(testhost.Header, string(payload), []byte("a secret that was the host's before")))
				yield("signature: with the PEM of a public key", testhost.Sign(testhost.Header, string(payload), rsaPEM))
				yield("signature: RS256", signRS256(t, rsaKey, string(payload)))
				for name, payload := range hostileClaims(claims, now, host.SessionID(bobs)) {
					if kind.name == "access" && strings.HasPrefix(name, "gen ") {
						continue // access tokens have no gen
					}
					yield("claims: "+name, testhost.Sign(testhost.Header, payload, kind.key))
				}
			})
			// A token with unchanged claims, signed by this test, must be accepted. Otherwise the refusals below prove nothing. It
			// is a token of another session: a refresh of this session would make the hostile tokens spent, and log-out accepts a
			// spent token even after it has expired.
			another := host.Claims(map[string]plugin.Token{"refresh": host.Login("alice").Refresh, "access": tokens.Access}[kind.name].Token)
			if untwisted := testhost.Sign(testhost.Header, marshal(another), kind.key); !accepted(kind.send, untwisted) {
				t.Fatalf("%s: a token with unchanged claims was refused", kind.name)
			}
			before := host.Rows()
			statements.reset()
			for _, name := range slices.Sorted(maps.Keys(hostile)) {
				status, body := kind.send(hostile[name])
				if status != http.StatusUnauthorized || body != testhost.UnauthorizedBody {
					t.Errorf("%s: %s: answered %d %s", kind.name, name, status, body)
				}
				cost := 0
				if name == "claims: sid another's" || name == "claims: sid of no session" {
					cost = 2
				}
				if got := statements.reset(); kind.name == "refresh" && got != cost {
					t.Errorf("%s: %s: took %d statements, want %d", kind.name, name, got, cost)
				}
				if kind.name == "refresh" {
					testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, hostile[name]), http.StatusNotFound, testhost.NotFoundBody)
					statements.reset()
				}
			}
			wantRows(t, host, before)
		}
	})
}

func accepted(send func(string) (int, string), token string) bool {
	status, _ := send(token)
	return status == http.StatusOK
}

func hostileForms(good string) map[string]string {
	parts := strings.Split(good, ".")
	flipped := []byte(good)
	flipped[len(flipped)-2] ^= 1 // the result may leave base64url's alphabet, and is refused in both cases
	last := strings.IndexByte(base64URL, good[len(good)-1])
	return map[string]string{
		"one dot":                       parts[0] + "." + parts[1],
		"no dot":                        "x",
		"two dots alone":                "..",
		"five segments":                 good + ".x.y",
		"four segments":                 good + ".",
		"7 KiB of dots":                 strings.Repeat(".", 7<<10),
		"leading Bearer":                "Bearer " + good,
		"leading space":                 " " + good + " x",
		"trailing space":                good + " ",
		"NUL":                           good + "\u0000",
		"line feed in the signature":    good[:len(good)-4] + "\n" + good[len(good)-4:],
		"carriage return in the claims": parts[0] + "." + parts[1][:4] + "\r" + parts[1][4:] + "." + parts[2],
		"spare trailing bits":           good[:len(good)-1] + string(base64URL[last|1]),
		"padding":                       good + "=",
		"other alphabet":                parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "+/",
		"JSON serialisation":            `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"signature empty":               parts[0] + "." + parts[1] + ".",
		"signature cut":                 good[:len(good)-4],
		"one bit flipped":               string(flipped),
		"header of another token":       "eyJhbGciOiJIUzI1NiJ9." + parts[1] + "." + parts[2],
		"payload of nothing":            parts[0] + ".." + parts[2],
		"unsigned and 7 KiB":            parts[0] + "." + strings.Repeat("A", 7<<10) + ".",
	}
}

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func hostileHeaders() map[string]string {
	return map[string]string{
		"alg none":       `{"alg":"none","typ":"JWT"}`,
		"alg None":       `{"alg":"None","typ":"JWT"}`,
		"alg nOnE":       `{"alg":"nOnE","typ":"JWT"}`,
		"alg missing":    `{"typ":"JWT"}`,
		"alg null":       `{"alg":null,"typ":"JWT"}`,
		"alg array":      `{"alg":["HS256"],"typ":"JWT"}`,
		"alg hs256":      `{"alg":"hs256","typ":"JWT"}`,
		"alg HS384":      `{"alg":"HS384","typ":"JWT"}`,
		"alg RS256":      `{"alg":"RS256","typ":"JWT"}`,
		"alg twice":      `{"alg":"none","alg":"HS256","typ":"JWT"}`,
		"crit":           `{"alg":"HS256","typ":"JWT","crit":["exp"]}`,
		"crit unknown":   `{"alg":"HS256","typ":"JWT","crit":["x"],"x":1}`,
		"b64":            `{"alg":"HS256","typ":"JWT","b64":false,"crit":["b64"]}`,
		"kid with SQL":   `{"alg":"HS256","typ":"JWT","kid":"' UNION SELECT 'x"}`,
		"kid with path":  `{"alg":"HS256","typ":"JWT","kid":"../../dev/null"}`,
		"kid number":     `{"alg":"HS256","typ":"JWT","kid":1}`,
		"kid unknown":    `{"alg":"HS256","typ":"JWT","kid":"unknown"}`,
		"jku":            `{"alg":"HS256","typ":"JWT","jku":"http://127.0.0.1:1/"}`,
		"x5u":            `{"alg":"HS256","typ":"JWT","x5u":"http://127.0.0.1:1/"}`,
		"jwk":            `{"alg":"HS256","typ":"JWT","jwk":{"kty":"oct","k":""}}`,
		"typ wrong":      `{"alg":"HS256","typ":"JWE"}`,
		"typ of RFC9068": `{"alg":"HS256","typ":"at+jwt"}`,
		"no object":      `null`,
		"white space":    `{"alg":"HS256", "typ":"JWT"}`,
	}
}

// hostileClaims returns bad payloads by name. Each is the payload of a good token with one thing changed.
func hostileClaims(good map[string]any, now int64, othersSession string) map[string]string {
	hostile := map[string]string{
		"null":               `null`,
		"array":              `[]`,
		"empty":              ``,
		"no object":          `"x"`,
		"bytes after":        marshal(good) + "x",
		"exp only as EXP":    strings.Replace(marshal(good), `"exp"`, `"EXP"`, 1),
		"exp beside EXP":     strings.Replace(marshal(good), `{`, `{"EXP":253402300799,`, 1),
		"sub overridden":     strings.Replace(marshal(good), `{`, `{"SUB":"root",`, 1),
		"sub folded":         strings.Replace(marshal(good), `{`, `{"\u017fub":"root",`, 1),
		"sub twice":          strings.Replace(marshal(good), `{`, `{"sub":"root",`, 1),
		"invalid UTF-8":      strings.Replace(marshal(good), `{`, "{\"x\":\"\xff\",", 1),
		"sub invalid UTF-8":  strings.Replace(marshal(good), `"alice"`, "\"alice\xff\"", 1),
		"nested 2,500 deep":  nested(2500),
		"nested deep beside": strings.Replace(marshal(good), `{"auth_time"`, `{"x":`+nested(2500)+`,"AUTH_TIME"`, 1),
	}
	twist := func(name, value string) {
		twisted := maps.Clone(good)
		if value == "missing" {
			delete(twisted, name)
		} else {
			twisted[name] = json.RawMessage(value)
		}
		hostile[name+" "+value] = marshal(twisted)
	}
	for _, value := range []string{"missing", "null", "0", `"1893456000"`, "true", "1e400", "1e19", "10000000000000000000", "-1", fmt.Sprint(now), fmt.Sprint(now - 1), "1893456000.5", "{}"} {
		twist("exp", value)
	}
	for _, value := range []string{fmt.Sprint(now + 61), "null", `"x"`, "0"} {
		twist("nbf", value)
	}
	for _, value := range []string{"missing", "null", `""`, "1", `"a\u0000"`, `"` + strings.Repeat("a", 256) + `"`, `["alice"]`} {
		twist("sub", value)
	}
	other := `"access"`
	if good["type"] == "access" {
		other = `"refresh"`
	}
	for _, value := range []string{"missing", "null", `""`, other, `"REFRESH"`, "1"} {
		twist("type", value)
	}
	sid, _ := good["sid"].(string)
	for _, value := range []string{"missing", `""`, "1", `"x"`, `"urn:uuid:` + sid + `"`, `"{` + sid + `}"`, `"` + strings.ToUpper(sid) + `"`, `"' OR 1=1 --"`} {
		twist("sid", value)
	}
	if good["type"] == "refresh" {
		for name, id := range map[string]string{"sid another's": othersSession, "sid of no session": "0190a5a0-0000-7000-8000-000000000000"} {
			twisted := maps.Clone(good)
			twisted["sid"] = id
			hostile[name] = marshal(twisted)
		}
	}
	for _, value := range []string{"missing", "null", "0", "-1", `"1"`, "1.0", "1e0", "9223372036854775807", "9223372036854775808", "18446744073709551616"} {
		twist("gen", value)
	}
	for _, value := range []string{"missing", "null", "0", `"1"`, "-1"} {
		twist("auth_time", value)
		twist("iat", value)
	}
	if good["type"] == "refresh" {
		twist("auth_time", fmt.Sprint(now+3600))
		twist("auth_time", fmt.Sprint(now-31*24*3600))
	}
	return hostile
}

func TestIssuerAndAudience(t *testing.T) {
	host := testhost.New(t, openSQLite(t), func(config *refreshtokens.Config) {
		config.Issuer, config.Audience = "https://issuer.example", "api"
	})
	tokens := host.Login("alice")
	good := host.Claims(tokens.Access.Token)
	send := func(twist map[string]any) int {
		twisted := maps.Clone(good)
		maps.Copy(twisted, twist)
		maps.DeleteFunc(twisted, func(_ string, value any) bool { return value == nil })
		token := testhost.Sign(testhost.Header, marshal(twisted), []byte(testhost.Secret))
		return host.Bearer(http.MethodGet, testhost.MePath, token).Code
	}
	for _, row := range []struct {
		twist  map[string]any
		status int
	}{
		{nil, 200},
		{map[string]any{"aud": []string{"other", "api"}}, 200},
		{map[string]any{"iss": nil}, 401},
		{map[string]any{"iss": "https://issuer.example/"}, 401},
		{map[string]any{"iss": 1}, 401},
		{map[string]any{"iss": []string{"https://issuer.example"}}, 401},
		{map[string]any{"aud": nil}, 401},
		{map[string]any{"aud": "other"}, 401},
		{map[string]any{"aud": 1}, 401},
		{map[string]any{"aud": []any{"api", 1}}, 401},
		{map[string]any{"aud": map[string]any{"api": true}}, 401},
	} {
		if got := send(row.twist); got != row.status {
			t.Errorf("%v: answered %d, want %d", row.twist, got, row.status)
		}
	}
	host.WantRefresh(tokens.Refresh.Token, http.StatusOK)
}

func TestHostileAuthorization(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	token := host.Login("alice").Access.Token
	for _, row := range []struct {
		name      string
		values    []string
		challenge string // empty if the request is let through
	}{
		{"none", nil, "Bearer"},
		{"empty", []string{""}, "Bearer"},
		{"Bearer", []string{"Bearer"}, "Bearer"},
		{"Bearer and a space", []string{"Bearer "}, "Bearer"},
		{"Basic", []string{"Basic YWxpY2U6eA=="}, "Bearer"},
		{"Basic with a token", []string{"Basic " + token}, "Bearer"},
		{"no scheme", []string{token}, "Bearer"},
		{"scheme run together", []string{"Bearer" + token}, "Bearer"},
		{"tab", []string{"Bearer\t" + token}, "Bearer"},
		{"two headers", []string{"Bearer " + token, "Bearer " + token}, testhost.InvalidToken},
		{"two headers, one Basic", []string{"Basic x", "Bearer " + token}, testhost.InvalidToken},
		{"joined", []string{"Bearer " + token + ", Bearer " + token}, testhost.InvalidToken},
		{"trailing space", []string{"Bearer " + token + " "}, testhost.InvalidToken},
		{"quoted", []string{`Bearer "` + token + `"`}, testhost.InvalidToken},
		{"1 MiB", []string{"Bearer " + strings.Repeat("x", 1<<20)}, testhost.InvalidToken},
		{"nested 9,000 deep", []string{"Bearer " + testhost.Sign(testhost.Header, nested(9000), []byte(testhost.Secret))}, testhost.InvalidToken},
		{"well signed and over 8 KiB", []string{"Bearer " + testhost.Sign(testhost.Header, pad(marshal(host.Claims(token)), 8<<10), []byte(testhost.Secret))}, testhost.InvalidToken},
		{"well signed and under 8 KiB", []string{"Bearer " + testhost.Sign(testhost.Header, pad(marshal(host.Claims(token)), 5<<10), []byte(testhost.Secret))}, ""},
		{"1 MiB of a good beginning", []string{"Bearer " + testhost.Header + "." + strings.Repeat("x", 1<<20)}, testhost.InvalidToken},
		{"good", []string{"Bearer " + token}, ""},
		{"any case", []string{"bEARER " + token}, ""},
		{"more spaces", []string{"Bearer   " + token}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var headers []string
			for _, value := range row.values {
				headers = append(headers, "Authorization", value)
			}
			recorder := host.Do(http.MethodGet, testhost.MePath, nil, headers...)
			if row.challenge == "" {
				testhost.WantAnswer(t, recorder, http.StatusOK, "alice")
			} else {
				testhost.WantUnauthorized(t, recorder, row.challenge)
			}
		})
	}

	testhost.WantUnauthorized(t, host.Do(http.MethodGet, testhost.MePath+"?access_token="+token, nil), "Bearer")
	testhost.WantUnauthorized(t, host.Do(http.MethodGet, testhost.MePath, strings.NewReader("access_token="+token),
		"Content-Type", "application/x-www-form-urlencoded"), "Bearer")
}

func TestAccessTokenExpires(t *testing.T) {
	for leeway, lasts := range map[time.Duration]time.Duration{0: 15 * time.Minute, time.Minute: 16 * time.Minute} {
		host := testhost.New(t, openSQLite(t), func(config *refreshtokens.Config) { config.Leeway = leeway })
		token := host.Login("alice").Access.Token
		host.Clock.Advance(lasts - time.Second)
		testhost.WantAnswer(t, host.Bearer(http.MethodGet, testhost.MePath, token), http.StatusOK, "alice")
		host.Clock.Advance(time.Second)
		testhost.WantUnauthorized(t, host.Bearer(http.MethodGet, testhost.MePath, token), testhost.InvalidToken)
	}
}

// --- helpers ---

func nested(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}

func pad(body string, size int) string {
	return body + strings.Repeat(" ", size-len(body))
}

func marshal(claims map[string]any) string {
	text, err := json.Marshal(claims)
	if err != nil {
		// Some tests put RawMessages into the claims that are not valid JSON, so write the object by hand.
		var members []string
		for name, value := range claims {
			if raw, ok := value.(json.RawMessage); ok {
				members = append(members, fmt.Sprintf("%q:%s", name, raw))
			} else if one, err := json.Marshal(value); err == nil {
				members = append(members, fmt.Sprintf("%q:%s", name, one))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	return string(text)
}

func refreshTokenIn(t *testing.T, body io.Reader) string {
	t.Helper()
	var tokens struct{ Refresh struct{ Token string } }
	if err := json.NewDecoder(body).Decode(&tokens); err != nil {
		t.Fatal(err)
	}
	return tokens.Refresh.Token
}

func wantRows(t *testing.T, host *testhost.Host, want any) {
	t.Helper()
	if got := host.Rows(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the rows changed to\n%v\nfrom\n%v", got, want)
	}
}

func newRSAKey(t *testing.T) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func signRS256(t *testing.T, key *rsa.PrivateKey, payload string) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}
