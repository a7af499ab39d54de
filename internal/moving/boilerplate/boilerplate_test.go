package boilerplate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/boilerplate"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/movingtest"
	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/oldtokens"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

const (
	user  = "5ebac534954b54139806c112"
	route = "/v1/auth/refresh-tokens"
)

// made is a token that the app before has made.
type made struct {
	Token, Type string
	Exp         int64
}

// logIn returns the tokens of a user, made by the package that the boilerplate uses; or, where node doesn't have it, by golang-jwt, which
// makes the same bytes.
func logIn(t *testing.T) []made {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "node", "dump.js", movingtest.Secret, user).Output()
	if err != nil {
		t.Logf("golang-jwt makes the tokens, because node with jsonwebtoken does not: %v", err)
		now := time.Now().Unix()
		var all []made
		for i, kind := range []string{"refresh", "refresh", "resetPassword"} {
			exp := now + 30*24*3600 + int64(i)
			token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": user, "iat": now, "exp": exp, "type": kind}).
				SignedString([]byte(movingtest.Secret))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, made{token, kind, exp})
		}
		return all
	}
	var all []made
	for line := range strings.Lines(string(output)) {
		var one made
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if len(all) != 3 {
		t.Fatalf("node made %s", output)
	}
	return all
}

// line is a document as mongoexport writes it.
func line(token made, blacklisted bool) string {
	date := func(seconds int64) string { return time.Unix(seconds, 0).UTC().Format("2006-01-02T15:04:05.000Z") }
	return fmt.Sprintf(`{"_id":{"$oid":"60c72b2f9b1d8a3e4c8f4e1a"},"blacklisted":%t,"token":%q,"user":{"$oid":%q},"expires":{"$date":%q},`+
		`"type":%q,"createdAt":{"$date":%q},"updatedAt":{"$date":%[6]q},"__v":0}`+"\n",
		blacklisted, token.Token, user, date(token.Exp), token.Type, date(token.Exp-30*24*3600))
}

// serve starts the app after. It has the boilerplate's routes and wire format, so its clients don't change.
func serve(t *testing.T, dump string) *movingtest.Client {
	t.Helper()
	db := movingtest.SQLite(t)
	if err := db.AutoMigrate(append(models.All(), &oldtokens.OldToken{})...); err != nil {
		t.Fatal(err)
	}
	want := strings.Count(dump, `"blacklisted":false`) - strings.Count(dump, `"resetPassword"`)
	for range 2 { // again does no harm
		if n, err := boilerplate.Import(db, strings.NewReader(dump)); n != want || err != nil {
			t.Fatalf("imported %d of %d, %v", n, want, err)
		}
	}
	app, err := boilerplate.New(db, []byte(movingtest.Secret), time.Now().Add(30*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return movingtest.New(t, movingtest.Serve(t, app))
}

func TestMove(t *testing.T) {
	tokens := logIn(t)
	phone, laptop, reset := tokens[0], tokens[1], tokens[2]
	if !strings.HasPrefix(phone.Token, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.") {
		t.Errorf("the header is not ours: %s", phone.Token)
	}
	client := serve(t, line(phone, false)+line(laptop, false)+line(reset, false))

	first := client.Refresh(route, phone.Token, http.StatusOK)
	if got := client.Get("/v1/users/me", http.StatusOK); movingtest.Text(got, "id") != user {
		t.Errorf("it is %v", got)
	}
	if again := client.Refresh(route, phone.Token, http.StatusOK); again != first { // another tab
		t.Error("two tabs got two refresh tokens")
	}
	client.Refresh(route, first, http.StatusOK)

	client.Post("/v1/auth/logout", map[string]string{"refreshToken": laptop.Token}, http.StatusNoContent)
	client.Post("/v1/auth/logout", map[string]string{"refreshToken": laptop.Token}, http.StatusNotFound)
	client.Refresh(route, laptop.Token, http.StatusUnauthorized)

	client.Refresh(route, reset.Token, http.StatusUnauthorized) // a mail that resets a password logs nobody in
}

// TestWhatIsNotInTheCollection: a token with a good signature that the app before has deleted, or blacklisted, is refused.
func TestWhatIsNotInTheCollection(t *testing.T) {
	tokens := logIn(t)
	client := serve(t, line(tokens[1], true))
	client.Refresh(route, tokens[0].Token, http.StatusUnauthorized)
	client.Refresh(route, tokens[1].Token, http.StatusUnauthorized)
}

// TestTheAppBeforeAcceptsAccessTokens: where both apps have the same secret, its passport strategy accepts our access tokens. It checks the
// signature, exp, and that type is access, and looks sub up.
func TestTheAppBeforeAcceptsAccessTokens(t *testing.T) {
	tokens := logIn(t)
	client := serve(t, line(tokens[0], false))
	client.Refresh(route, tokens[0].Token, http.StatusOK)
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(client.Access, claims, func(*jwt.Token) (any, error) { return []byte(movingtest.Secret), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	if err != nil || claims["type"] != "access" || claims["sub"] != user {
		t.Errorf("claims are %v, %v", claims, err)
	}
}

func TestBadDumps(t *testing.T) {
	for name, dump := range map[string]string{
		"no JSON":              "token,user,type\n",
		"another collection":   `{"_id":{"$oid":"60c72b2f9b1d8a3e4c8f4e1a"},"type":"refresh","name":"Ada"}`,
		"cut off":              line(made{"x", "refresh", 1}, false)[:90],
		"a date in no form":    strings.Replace(line(made{"x", "refresh", 1}, false), "1970-01-01T00:00:01.000Z", "yesterday", 1),
		"an array (jsonArray)": "[" + strings.TrimSpace(line(made{"x", "refresh", 1}, false)) + "]",
	} {
		if n, err := boilerplate.Import(nil, strings.NewReader(dump)); n != 0 || err == nil {
			t.Errorf("%s: imported %d, %v", name, n, err)
		}
	}
}
