// Package away_test moves users from refreshtokens to another system, which is one in Node here.
package away_test

import (
	"database/sql"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// node runs command.mjs and returns what it prints.
func node(t *testing.T, args ...string) (map[string]any, error) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	output, err := exec.CommandContext(t.Context(), "node", append([]string{"command.mjs"}, args...)...).Output()
	if err != nil {
		return nil, err
	}
	var result map[string]any
	if err := json.Unmarshal(output, &result); err != nil {
		t.Fatalf("%s: %v", output, err)
	}
	return result, nil
}

func newHost(t *testing.T, db *gorm.DB) *testhost.Host {
	t.Helper()
	return testhost.New(t, db, testhost.RealTime)
}

func open(t *testing.T) *gorm.DB {
	t.Helper()
	return testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
}

func TestVerify(t *testing.T) {
	host := newHost(t, open(t))
	tokens := host.Login("ada")
	claims, err := node(t, "verify", tokens.Refresh.Token, testhost.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if claims["sub"] != "ada" || claims["sid"] != tokens.SessionID || claims["gen"] != 1.0 || claims["exp"] != float64(tokens.Refresh.Expires.Unix()) {
		t.Errorf("claims are %v", claims)
	}
	for name, args := range map[string][]string{
		"an access token":   {tokens.Access.Token, testhost.Secret},
		"another secret":    {tokens.Refresh.Token, "another secret, also of more than 32 bytes"},
		"a longer one":      {tokens.Refresh.Token + ".x", testhost.Secret},
		"another signature": {tokens.Refresh.Token[:len(tokens.Refresh.Token)-4] + "AAAA", testhost.Secret},
		"no token":          {"x", testhost.Secret},
		"an expired one":    {tokens.Refresh.Token, testhost.Secret, time.Now().Add(8 * 24 * time.Hour).Format("20060102150405")},
	} {
		if claims, err := node(t, append([]string{"verify"}, args...)...); err == nil {
			t.Errorf("%s: %v", name, claims)
		}
	}
}

func TestExchange(t *testing.T) {
	host := testhost.New(t, open(t), testhost.RealTime)
	server := httptest.NewServer(host.Router)
	defer server.Close()
	tokens := host.Login("ada")
	for range 2 { // two tabs
		got, err := node(t, "exchange", server.URL+"/v1", tokens.Refresh.Token)
		if err != nil || got["user"] != "ada" || got["session"] != tokens.SessionID {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if got, err := node(t, "exchange", server.URL+"/v1", "x"); got != nil || err != nil {
		t.Errorf("an unknown one: %v, %v", got, err)
	}
}

// statement reads an SQL file, with GORM's form of parameters.
func statement(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, ""), ":", "@")
}

func TestSessions(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := newHost(t, db)
		first, ended := host.Login("ada"), host.Login("ada")
		host.MustRefresh(first.Refresh.Token)
		if err := host.RevokeSession(t.Context(), "ada", ended.SessionID); err != nil {
			t.Fatal(err)
		}
		past := testhost.New(t, db, func(c *refreshtokens.Config) {
			c.Clock = func() time.Time { return time.Now().Add(-8 * 24 * time.Hour) }
		})
		past.Login("ada") // has idled out
		var got []struct {
			ID, Subject, UserAgent, IP       string
			CreatedAt, LastUsedAt, ExpiresAt int64
		}
		if err := db.Raw(statement(t, "sessions.sql"), sql.Named("now", time.Now().Unix())).Scan(&got).Error; err != nil {
			t.Fatal(err)
		}
		want, err := host.Sessions(t.Context(), "ada")
		if err != nil || len(want) != 1 || len(got) != 1 {
			t.Fatalf("got %v, want %v, %v", got, want, err)
		}
		if got[0].ID != want[0].ID || got[0].Subject != "ada" || got[0].CreatedAt != want[0].CreatedAt.Unix() ||
			got[0].LastUsedAt != want[0].LastUsedAt.Unix() || got[0].ExpiresAt != want[0].ExpiresAt.Unix() || got[0].IP != want[0].IP {
			t.Errorf("got %+v, want %+v", got[0], want[0])
		}
	})
}

func TestTake(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := newHost(t, db)
		take := func(subject, session string, generation int64) int64 {
			result := db.Exec(statement(t, "take.sql"), sql.Named("now", time.Now().Unix()), sql.Named("sub", subject),
				sql.Named("sid", session), sql.Named("gen", generation))
			if result.Error != nil {
				t.Fatal(result.Error)
			}
			return result.RowsAffected
		}
		tokens := host.Login("ada")
		host.MustRefresh(tokens.Refresh.Token)
		if n := take("bob", tokens.SessionID, 1) + take("ada", "019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0a", 1) + take("ada", tokens.SessionID, 0); n != 0 {
			t.Errorf("took %d that were not to be had", n)
		}
		if n := take("ada", tokens.SessionID, 1); n != 1 { // spent a moment ago
			t.Errorf("took %d", n)
		}
		if n := take("ada", tokens.SessionID, 2); n != 0 {
			t.Errorf("took it %d times more", n)
		}
		_, err := host.Refresh(t.Context(), tokens.Refresh.Token, plugin.Device{})
		if err == nil || !strings.Contains(err.Error(), "moved") {
			t.Errorf("after that, a refresh: %v", err)
		}
		second := host.Login("ada")
		if n := take("ada", second.SessionID, 1); n != 1 {
			t.Errorf("took %d of the live one", n)
		}
	})
}
