package shards_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// TestPushDown reads the shards' logs: each of these acts is one statement on one shard.
func TestPushDown(t *testing.T) {
	each(t, layouts, func(t *testing.T, table *table) {
		table.logStatements(t)
		for _, host := range table.hosts {
			host.Router.GET("/live", host.RequireAuth(middleware.LiveSession()), func(c *gin.Context) { c.Status(http.StatusNoContent) })
		}
		for i := range 4 {
			host := table.hosts[i%2]
			var first, second, access string
			for _, row := range []struct {
				name string
				act  func()
				want string // the statement, in lower case and without quotes
			}{
				{"login", func() { first = host.Login("alice").Refresh.Token }, "^insert into "},
				{"refresh", func() { second = host.MustRefresh(first).Refresh.Token }, "^update .* where .*generation <"},
				{"repeat", func() { access = host.MustRefresh(second).Access.Token }, "^select .* where .*id ="},
				{"look-up", func() {
					testhost.WantAnswer(t, host.Bearer(http.MethodGet, "/live", access), http.StatusNoContent, "")
				}, "^select .* where .*id ="},
				{"log-out", func() {
					testhost.WantAnswer(t, host.PostToken(testhost.LogoutPath, second), http.StatusNoContent, "")
				}, "^update .* where .*revoked_at = 0"},
			} {
				seen := table.record(t, row.act)
				if len(seen) != 1 || !regexp.MustCompile(row.want).MatchString(seen[0]) || strings.Contains(seen[0], "ctid") {
					t.Errorf("%s: the shards ran\n%s", row.name, strings.Join(seen, "\n"))
				}
			}
		}
	})
}

// TestPlan asks PostgreSQL how it would run a rotation.
func TestPlan(t *testing.T) {
	table := newTable(t, "postgres_fdw", 4)
	recorder := testdb.NewRecorder()
	rows := store.New(table.hosts[0].DB.Session(&gorm.Session{Logger: recorder}), "")
	next := &models.RefreshToken{ID: "019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f", Subject: "alice", Generation: 2}
	if _, err := rows.Rotate(t.Context(), next, true); err != nil {
		t.Fatal(err)
	}
	plan := testdb.Query(t, table.hosts[0].DB, "EXPLAIN VERBOSE "+recorder.Seen()[0])
	if strings.Count(plan, "Remote SQL: UPDATE ") != 1 || strings.Contains(plan, "Filter") || strings.Contains(plan, "FOR UPDATE") {
		t.Errorf("%s\nis not one UPDATE on one shard:\n%s", recorder.Seen()[0], plan)
	}
}

// logStatements has the shards log their statements for the rest of the test.
func (table *table) logStatements(t *testing.T) {
	t.Helper()
	for _, shard := range table.shards {
		if err := table.log(shard, true); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := table.log(shard, false); err != nil {
				t.Error(err)
			}
		})
	}
}

var verbs = regexp.MustCompile(`(?i)\b(select|insert|update|delete)\b .*`)

// record returns the statements over the table that the shards ran during act.
func (table *table) record(t *testing.T, act func()) []string {
	t.Helper()
	before := make([]int, len(table.shards))
	for i, shard := range table.shards {
		before[i] = len(readLog(t, shard))
	}
	act()
	var seen []string
	for i, shard := range table.shards {
		for line := range strings.Lines(readLog(t, shard)[before[i]:]) {
			statement := strings.ToLower(strings.NewReplacer("`", "", "(", "").Replace(verbs.FindString(line)))
			if strings.Contains(statement, fmt.Sprintf(" %s.refresh_tokens", table.namespace)) {
				seen = append(seen, statement)
			}
		}
	}
	return seen
}

func readLog(t *testing.T, shard *server) string {
	t.Helper()
	text, err := os.ReadFile(shard.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
