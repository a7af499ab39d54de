package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	registerBody = "The body must be a JSON object with the strings name, email and password, and may have the string device and the boolean remember"
	loginBody    = "The body must be a JSON object with the strings email and password, and may have the string device and the boolean remember"
)

// send posts a body with a content type.
func (c client) send(path, contentType, body string) answer {
	return c.sendFrom(path, contentType, strings.NewReader(body))
}

func (c client) sendFrom(path, contentType string, body io.Reader) answer {
	request := httptest.NewRequest(http.MethodPost, path, body)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	recorder := httptest.NewRecorder()
	c.app.router.ServeHTTP(recorder, request)
	return answer{recorder.Code, recorder.Body.String(), recorder.Header()}
}

// TestDifferentPasswordsStayDifferent checks that the app replaces no byte in a password by another. Otherwise a wrong
// password could become the right one.
func TestDifferentPasswordsStayDifferent(t *testing.T) {
	register := func(password string) string {
		return `{"name":"Ada","email":"ada@example.com","password":"` + password + `"}`
	}
	eachApp(t, func(c client) {
		for _, password := range []string{strings.Repeat("\xe9", 7) + "a1", `\ud800\ud800\ud800\ud800\ud800\ud800a1`} {
			c.want(c.do("POST", "/v1/auth/register", "", register(password)), 400, failure(400, registerBody))
		}
		c.want(c.do("POST", "/v1/auth/register", "", register("ééééééÿa1")), 201, "")
		for _, row := range []struct {
			name, password string
			status         int
		}{
			{"the same password", "ééééééÿa1", 200},
			{"the same password, escaped", `\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00ffa1`, 200},
			{"another password", "éééééééa1", 401},
			{"Latin-1", "\xe9\xe9\xe9\xe9\xe9\xe9\xffa1", 400},
			{"other bytes that are not UTF-8", "\xe8\xe0\xff\xfe\xe7\xe1\xe2a1", 400},
			{"half surrogate pairs", `\udc00\udc00\udc00\udc00\udc00\udc00\udc00a1`, 400},
		} {
			got := c.do("POST", "/v1/auth/login", "", `{"email":"ada@example.com","password":"`+row.password+`"}`)
			if got.status != row.status {
				t.Errorf("%s: answered %d %s, want %d", row.name, got.status, got.body, row.status)
			}
		}
	})
}

func TestBodies(t *testing.T) {
	const isJSON = "application/json"
	members := strings.Trim(adaLogin, "{}")
	rows := []struct {
		name, contentType, body string
		status                  int
	}{
		{name: "a good body", contentType: isJSON, body: adaLogin, status: 200},
		{name: "a type with a charset", contentType: "application/json; charset=utf-8", body: adaLogin, status: 200},
		{name: "a type in another case", contentType: "Application/JSON", body: adaLogin, status: 200},
		{name: "an unknown member, nested deep", contentType: isJSON, body: `{"a":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + `,` + members + `}`, status: 200},
		{name: "white space before and after", contentType: isJSON, body: "\r\n\t " + adaLogin + "\n", status: 200},
		{name: "an unknown member", contentType: isJSON, body: `{"role":{"admin":[true,null]},` + members + `}`, status: 200},
		{name: "the longest body", contentType: isJSON, body: adaLogin + strings.Repeat(" ", maxBody-len(adaLogin)), status: 200},

		{name: "plain text", contentType: "text/plain", body: adaLogin, status: 415},
		{name: "a form", contentType: "application/x-www-form-urlencoded", body: "email=ada%40example.com&password=correct+horse+1", status: 415},
		{name: "no content type", contentType: "", body: adaLogin, status: 415},
		{name: "a broken content type", contentType: "application/json; charset", body: adaLogin, status: 415},
		{name: "one byte too long", contentType: isJSON, body: adaLogin + strings.Repeat(" ", maxBody-len(adaLogin)+1), status: 413},

		{name: "an empty body", contentType: isJSON, body: "", status: 400},
		{name: "an empty body without a type", contentType: "", body: "", status: 400},
		{name: "null", contentType: isJSON, body: "null", status: 400},
		{name: "an array", contentType: isJSON, body: "[" + adaLogin + "]", status: 400},
		{name: "a string", contentType: isJSON, body: `"x"`, status: 400},
		{name: "no members", contentType: isJSON, body: "{}", status: 400},
		{name: "no password", contentType: isJSON, body: `{"email":"ada@example.com"}`, status: 400},
		{name: "a null email", contentType: isJSON, body: `{"email":null,"password":"correct horse 1"}`, status: 400},
		{name: "a number as password", contentType: isJSON, body: `{"email":"ada@example.com","password":1}`, status: 400},
		{name: "an object as email", contentType: isJSON, body: `{"email":{"$gt":""},"password":"correct horse 1"}`, status: 400},
		{name: "cut off", contentType: isJSON, body: adaLogin[:len(adaLogin)-1], status: 400},
		{name: "a trailing comma", contentType: isJSON, body: "{" + members + ",}", status: 400},
		{name: "a byte order mark", contentType: isJSON, body: "\ufeff" + adaLogin, status: 400},
		{name: "garbage after the object", contentType: isJSON, body: adaLogin + "garbage", status: 400},
		{name: "another object after the object", contentType: isJSON, body: adaLogin + adaLogin, status: 400},
		{name: "a closing brace after the object", contentType: isJSON, body: adaLogin + "}", status: 400},
		{name: "a name twice", contentType: isJSON, body: `{"email":"eve@example.com",` + members + `}`, status: 400},
		{name: "a name twice, escaped", contentType: isJSON, body: `{"\u0065mail":"eve@example.com",` + members + `}`, status: 400},
		{name: "a name twice, the first null", contentType: isJSON, body: `{"email":null,` + members + `}`, status: 400},
		{name: "an unknown name twice", contentType: isJSON, body: `{"a":1,"a":2,` + members + `}`, status: 400},
		{name: "a name in another case, before the right one", contentType: isJSON, body: `{"EMAIL":"eve@example.com",` + members + `}`, status: 400},
		{name: "a name in another case, after the right one", contentType: isJSON, body: `{` + members + `,"eMail":"eve@example.com"}`, status: 400},
		{name: "a name only in another case", contentType: isJSON, body: strings.Replace(adaLogin, "email", "Email", 1), status: 400},
		{name: "a name with a look-alike letter", contentType: isJSON, body: `{"paſsword":"x",` + members + `}`, status: 400},
		{name: "bytes that are not UTF-8 in an unknown member", contentType: isJSON, body: "{\"a\":\"\xe9\"," + members + "}", status: 400},
	}
	messages := map[int]string{400: loginBody, 413: bodyTooLarge, 415: wrongBodyType}
	eachApp(t, func(c client) {
		c.want(c.do("POST", "/v1/auth/register", "", ada), 201, "")
		c.app.logins = unlimited()
		for _, row := range rows {
			c.t.Run(row.name, func(t *testing.T) {
				want := ""
				if row.status != 200 {
					want = failure(row.status, messages[row.status])
				}
				client{t, c.app}.want(c.send("/v1/auth/login", row.contentType, row.body), row.status, want)
			})
		}
		// These bodies come without a Content-Length.
		c.want(c.sendFrom("/v1/auth/login", isJSON, io.MultiReader(strings.NewReader(adaLogin))), 200, "")
		c.want(c.sendFrom("/v1/auth/login", isJSON, io.MultiReader(strings.NewReader(strings.Repeat(" ", maxBody+1)))), 413, failure(413, bodyTooLarge))
		c.want(c.sendFrom("/v1/auth/login", "", io.MultiReader(strings.NewReader(""))), 415, failure(415, wrongBodyType))
		c.want(c.sendFrom("/v1/auth/login", isJSON, io.MultiReader(strings.NewReader(adaLogin), iotest.ErrReader(io.ErrUnexpectedEOF))), 400, failure(400, loginBody))

		// The other handlers that read a body refuse it in the same way.
		access := c.account(c.do("POST", "/v1/auth/login", "", adaLogin), 200).Tokens.Access.Token
		c.want(c.do("POST", "/v1/auth/register", "", `{"EMAIL":"a@example.com",`+ada[1:]), 400, failure(400, registerBody))
		c.want(c.do("PATCH", "/v1/users/me", access, `{"password":"battery staple 2"}x`), 400, failure(400, weakPassword))
		c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 200, "")
	})
}

func failure(status int, message string) string {
	return fmt.Sprintf(`{"code":%d,"message":%q}`, status, message)
}
