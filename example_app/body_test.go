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
	registerBody = "The body must be a JSON object with the strings name, email and password"
	loginBody    = "The body must be a JSON object with the strings email and password"
)

// send is do with a content type of the caller's.
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

// TestTwoPasswordsAreNotOne: no bytes in a password may be replaced by others.
func TestTwoPasswordsAreNotOne(t *testing.T) {
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
			{"the same", "ééééééÿa1", 200},
			{"the same, escaped", `\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00ffa1`, 200},
			{"another", "éééééééa1", 401},
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
		{"right", isJSON, adaLogin, 200},
		{"with a charset", "application/json; charset=utf-8", adaLogin, 200},
		{"a type in another case", "Application/JSON", adaLogin, 200},
		{"an unknown member, nested deep", isJSON, `{"a":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + `,` + members + `}`, 200},
		{"white space around", isJSON, "\r\n\t " + adaLogin + "\n", 200},
		{"an unknown member", isJSON, `{"role":{"admin":[true,null]},` + members + `}`, 200},
		{"the longest body", isJSON, adaLogin + strings.Repeat(" ", maxBody-len(adaLogin)), 200},

		{"plain text", "text/plain", adaLogin, 415},
		{"a form", "application/x-www-form-urlencoded", "email=ada%40example.com&password=correct+horse+1", 415},
		{"no type", "", adaLogin, 415},
		{"a broken type", "application/json; charset", adaLogin, 415},
		{"one byte too many", isJSON, adaLogin + strings.Repeat(" ", maxBody-len(adaLogin)+1), 413},

		{"empty", isJSON, "", 400},
		{"empty without a type", "", "", 400},
		{"null", isJSON, "null", 400},
		{"an array", isJSON, "[" + adaLogin + "]", 400},
		{"a string", isJSON, `"x"`, 400},
		{"no members", isJSON, "{}", 400},
		{"no password", isJSON, `{"email":"ada@example.com"}`, 400},
		{"a null", isJSON, `{"email":null,"password":"correct horse 1"}`, 400},
		{"a number", isJSON, `{"email":"ada@example.com","password":1}`, 400},
		{"an object", isJSON, `{"email":{"$gt":""},"password":"correct horse 1"}`, 400},
		{"cut off", isJSON, adaLogin[:len(adaLogin)-1], 400},
		{"a comma too many", isJSON, "{" + members + ",}", 400},
		{"a byte order mark", isJSON, "\ufeff" + adaLogin, 400},
		{"garbage after it", isJSON, adaLogin + "garbage", 400},
		{"another object after it", isJSON, adaLogin + adaLogin, 400},
		{"a closing brace after it", isJSON, adaLogin + "}", 400},
		{"a name twice", isJSON, `{"email":"eve@example.com",` + members + `}`, 400},
		{"a name twice, escaped", isJSON, `{"\u0065mail":"eve@example.com",` + members + `}`, 400},
		{"a name twice, the first null", isJSON, `{"email":null,` + members + `}`, 400},
		{"an unknown name twice", isJSON, `{"a":1,"a":2,` + members + `}`, 400},
		{"a name in another case", isJSON, `{"EMAIL":"eve@example.com",` + members + `}`, 400},
		{"a name in another case, after it", isJSON, `{` + members + `,"eMail":"eve@example.com"}`, 400},
		{"a name in another case alone", isJSON, strings.Replace(adaLogin, "email", "Email", 1), 400},
		{"a look-alike of a name", isJSON, `{"paſsword":"x",` + members + `}`, 400},
		{"not UTF-8 in an unknown member", isJSON, "{\"a\":\"\xe9\"," + members + "}", 400},
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
		// A body that doesn't tell its length.
		c.want(c.sendFrom("/v1/auth/login", isJSON, io.MultiReader(strings.NewReader(adaLogin))), 200, "")
		c.want(c.sendFrom("/v1/auth/login", isJSON, io.MultiReader(strings.NewReader(strings.Repeat(" ", maxBody+1)))), 413, failure(413, bodyTooLarge))
		c.want(c.sendFrom("/v1/auth/login", "", io.MultiReader(strings.NewReader(""))), 415, failure(415, wrongBodyType))
		c.want(c.sendFrom("/v1/auth/login", isJSON, io.MultiReader(strings.NewReader(adaLogin), iotest.ErrReader(io.ErrUnexpectedEOF))), 400, failure(400, loginBody))

		// Every handler that reads a body refuses alike.
		access := c.account(c.do("POST", "/v1/auth/login", "", adaLogin), 200).Tokens.Access.Token
		c.want(c.do("POST", "/v1/auth/register", "", `{"EMAIL":"a@example.com",`+ada[1:]), 400, failure(400, registerBody))
		c.want(c.do("PATCH", "/v1/users/me", access, `{"password":"battery staple 2"}x`), 400, failure(400, weakPassword))
		c.want(c.do("POST", "/v1/auth/login", "", adaLogin), 200, "")
	})
}

func failure(status int, message string) string {
	return fmt.Sprintf(`{"code":%d,"message":%q}`, status, message)
}
