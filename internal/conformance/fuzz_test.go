package conformance_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// FuzzBody checks that every body gets a documented answer, and that a body is answered 200 only if encoding/json reads the good
// token from it.
func FuzzBody(f *testing.F) {
	host := testhost.New(f, testdb.Open(f, testdb.SQLite(f), &gorm.Config{}))
	const marker = "TOKEN"
	for _, seed := range []string{
		`{"refreshToken":"TOKEN"}`, `{"refreshToken":"TOKEN","refreshToken":"x"}`, `{"refre\u0073hToken":"TOKEN"}`, `{}`, `null`,
		`{"REFRESHTOKEN":"TOKEN"}`, `{"refreshToken":{"a":["TOKEN"]}}`, `{"refreshToken":"TOKEN"} `, "\ufeff{}", `{"a":"` + "\xff" + `"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		host := host.For(t)
		token := host.Login("alice").Refresh.Token
		sent := strings.ReplaceAll(string(body), marker, token)
		recorder := host.Post(testhost.RefreshPath, sent)
		switch recorder.Code {
		case http.StatusOK:
			var read map[string]any
			if err := json.Unmarshal([]byte(sent), &read); err != nil || read["refreshToken"] != token {
				t.Errorf("answered 200 to %q", body)
			}
		case http.StatusUnauthorized:
			testhost.WantUnauthorized(t, recorder, testhost.InvalidToken)
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			var answer struct {
				Code    int
				Message string
			}
			if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Code != recorder.Code || answer.Message == "" {
				t.Errorf("body is %s", recorder.Body)
			}
		default:
			t.Errorf("answered %d to %q", recorder.Code, body)
		}
	})
}
