package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/binding"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestLegacyTokensOutliveASecret: a token that was taken over before the secret was changed is spent afterwards.
func TestLegacyTokensOutliveASecret(t *testing.T) {
	next := []byte("the next secret, also of more than 32 bytes, and random")
	steps := map[string]func(*refreshtokens.Config){
		"announced": func(c *refreshtokens.Config) { c.PreviousSecrets = [][]byte{next} },
		"changed":   func(c *refreshtokens.Config) { c.Secret, c.PreviousSecrets = next, [][]byte{[]byte(testhost.Secret)} },
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
				before, _ := legacyHost(t, db)
				after, old := legacyHost(t, db, step)
				first := before.MustRefresh(oldToken)
				again := after.MustRefresh(oldToken)
				if after.SessionID(again) != before.SessionID(first) || old.calls() != 0 {
					t.Errorf("another session, or the callback was asked")
				}
				before.MustRefresh("of carol")
				testhost.WantAnswer(t, after.PostToken(testhost.LogoutPath, "of carol"), http.StatusNoContent, "")
				before.WantRefresh("of carol", http.StatusUnauthorized)

				// The other way round: some processes have changed, others have not.
				taken := after.MustRefresh("of dave")
				if name == "changed" {
					before, _ = legacyHost(t, db, steps["announced"])
				}
				if back := before.MustRefresh("of dave"); before.SessionID(back) != after.SessionID(taken) {
					t.Error("a process that has not changed yet starts another session")
				}

				after.Clock.Advance(time.Minute)
				after.WantRefresh(oldToken, http.StatusUnauthorized)
				for _, row := range after.Rows() {
					if row.Subject == "alice" && row.RevokedFor != models.ReasonReuse {
						t.Errorf("the row is %+v", row)
					}
				}
				if err := db.Exec("UPDATE refresh_tokens SET subject = 'root' WHERE subject = 'dave'").Error; err != nil {
					t.Fatal(err)
				}
				after.WantRefresh("of dave", http.StatusUnauthorized)
			})
		})
	}
}

// TestBindingOfATakeOver: a take-over binds its session as a login does.
func TestBindingOfATakeOver(t *testing.T) {
	const key, thief = `{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`, `{"jkt":"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}`
	ask := func(host *testhost.Host, offer binding.Offer, token string) (plugin.Tokens, error) {
		return host.Refresh(binding.With(context.Background(), offer), token, plugin.Device{})
	}
	t.Run("offered", func(t *testing.T) {
		testdb.Each(t, func(t *testing.T, db *gorm.DB) {
			host, _ := legacyHost(t, db)
			mine := binding.Offer{Policy: binding.IfOffered, Key: key}
			tokens, err := ask(host, mine, oldToken)
			if err != nil || host.Rows()[0].Binding != key || host.Claims(tokens.Access.Token)["cnf"] == nil {
				t.Fatalf("the rows are %+v, %v", host.Rows(), err)
			}
			for name, offer := range map[string]binding.Offer{"without the key": {Policy: binding.IfOffered}, "with another": {Policy: binding.IfOffered, Key: thief}} {
				stolen, err := ask(host, offer, oldToken) // as every token from before a binding, within the grace period
				if err != nil || stolen.Refresh != tokens.Refresh {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := ask(host, offer, stolen.Refresh.Token); !errors.Is(err, plugin.ErrUnproven) {
					t.Errorf("%s, then with the live token: %v", name, err)
				}
			}
			host.Clock.Advance(time.Hour)
			if again, err := ask(host, mine, oldToken); err != nil || again.Refresh != tokens.Refresh {
				t.Errorf("with the key, an hour later: %v", err)
			}
			if _, err := ask(host, binding.Offer{Policy: binding.IfOffered}, oldToken); !errors.Is(err, plugin.ErrReused) {
				t.Errorf("without the key, an hour later: %v", err)
			}
		})
	})
	t.Run("not offered", func(t *testing.T) {
		host, _ := legacyHost(t, openSQLite(t))
		if _, err := ask(host, binding.Offer{Policy: binding.IfOffered}, oldToken); err != nil || host.Rows()[0].Binding != "" {
			t.Errorf("the rows are %+v, %v", host.Rows(), err)
		}
	})
	t.Run("required", func(t *testing.T) {
		host, old := legacyHost(t, openSQLite(t))
		required := binding.Offer{Policy: binding.Required}
		if _, err := ask(host, required, oldToken); !errors.Is(err, plugin.ErrUnproven) || old.calls() != 0 {
			t.Errorf("without a proof: %v", err)
		}
		wantNoRows(t, host)
		required.Key = key
		if _, err := ask(host, required, oldToken); err != nil || host.Rows()[0].Binding != key {
			t.Errorf("with a proof: %+v, %v", host.Rows(), err)
		}
	})
	t.Run("required, of a browser that proves it later", func(t *testing.T) {
		host, _ := legacyHost(t, openSQLite(t))
		later := binding.Offer{Policy: binding.Required, Later: true}
		tokens, err := ask(host, later, oldToken)
		if err != nil || host.Rows()[0].Binding != models.BindingPending {
			t.Fatalf("the rows are %+v, %v", host.Rows(), err)
		}
		if _, err := ask(host, later, tokens.Refresh.Token); !errors.Is(err, plugin.ErrUnproven) {
			t.Errorf("a refresh before it is bound: %v", err)
		}
		host.Clock.Advance(2 * testhost.Grace)
		if _, err := ask(host, binding.Offer{Policy: binding.Required, Key: key}, tokens.Refresh.Token); err != nil || host.Rows()[0].Binding != key {
			t.Errorf("the refresh that binds it: %+v, %v", host.Rows(), err)
		}
	})
}
