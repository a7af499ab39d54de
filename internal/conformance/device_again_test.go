package conformance_test

import (
	"net/http"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// TestEarlierLoginOfDevice logs in twice in one browser, which then has two sessions and the cookies of the second. It is told to end the
// first, and nothing is taken for theft.
func TestEarlierLoginOfDevice(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		for name, again := range map[string]func(d *device){
			"log out, and log in":                func(d *device) { d.send(http.MethodPost, webLogout); d.logIn() },
			"log in":                             (*device).logIn,
			"log in, before the key is proven":   func(d *device) { d.login() },
			"log in, in a browser without a key": func(d *device) { d.login(); d.send(http.MethodPost, webRefresh) },
		} {
			t.Run(name, func(t *testing.T) {
				reported := 0
				host := deviceHost(t, db, plugin.BindingIfOffered, unproven(&reported))
				d := newDevice(t, host)
				d.logIn()
				testhost.WantAnswer(t, d.refresh(), http.StatusOK, "")
				earlier := *d
				again(d)
				before := d.cookie("/", accessCookie)
				for _, headers := range [][]string{{"Sec-Secure-Session-Id", earlier.sessionID}, earlier.headers()} {
					testhost.WantUnauthorized(t, d.send(http.MethodPost, webRefresh, headers...), testhost.InvalidToken)
				}
				if d.cookie("/", accessCookie) != before || reported != 0 {
					t.Errorf("the refresh of the earlier session changes the cookie, or is reported: %d", reported)
				}
				if d.sessionID != earlier.sessionID {
					testhost.WantAnswer(t, d.refresh(), http.StatusOK, "")
				}
				testhost.WantAnswer(t, d.send(http.MethodGet, webMe), http.StatusOK, "alice")
			})
		}
	})
}
