package conformance_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const webDevice = "/web/auth/device-bound-session"

// deviceHost is a host with cookies whose sessions are bound to devices.
func deviceHost(t testing.TB, db *gorm.DB, policy plugin.BindingPolicy, configure ...func(*refreshtokens.Config)) *testhost.Host {
	t.Helper()
	return cookieHostWith(t, db, []refreshtokens.RegisterOption{
		refreshtokens.WithCookies(refreshtokens.Cookies{AccessToken: true}),
		refreshtokens.WithBinding(refreshtokens.Binding{Policy: policy}),
	}, configure...)
}

// device is a browser that keeps a key for its session, as Chromium does.
type device struct {
	*browser
	key       *ecdsa.PrivateKey
	sessionID string
	challenge string
}

var (
	registration = regexp.MustCompile(`^\(ES256 RS256\);path="/web/auth/device-bound-session";challenge="([^"]+)"$`)
	challenge    = regexp.MustCompile(`^"([^"]+)";id="([^"]+)"$`)
)

func newDevice(t testing.TB, host *testhost.Host) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &device{browser: newBrowser(t, host, publicURL), key: key}
}

// proof signs a challenge. A registration has the key in it.
func (d *device) proof(challenge string, withKey bool) string {
	d.t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"jti": challenge})
	token.Header["typ"] = "dbsc+jwt"
	if withKey {
		text, err := json.Marshal(jose.JSONWebKey{Key: d.key.Public()})
		if err != nil {
			d.t.Fatal(err)
		}
		token.Header["jwk"] = json.RawMessage(text)
	}
	signed, err := token.SignedString(d.key)
	if err != nil {
		d.t.Fatal(err)
	}
	return signed
}

// heard remembers the challenge of an answer.
func (d *device) heard(recorder *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	if found := challenge.FindStringSubmatch(recorder.Header().Get("Secure-Session-Challenge")); found != nil {
		d.challenge = found[1]
	}
	return recorder
}

// logIn logs in and registers the key, as the answer asks for.
func (d *device) logIn() {
	d.t.Helper()
	asked := registration.FindStringSubmatch(d.send(http.MethodPost, webLogin).Header().Get("Secure-Session-Registration"))
	if asked == nil {
		d.t.Fatal("the login asks for no registration")
	}
	d.register(asked[1])
}

func (d *device) register(asked string) {
	d.t.Helper()
	recorder := d.heard(d.send(http.MethodPost, webDevice, "Secure-Session-Response", d.proof(asked, true)))
	testhost.WantAnswer(d.t, recorder, http.StatusOK, "")
	var instructions struct {
		SessionID   string `json:"session_identifier"`
		RefreshURL  string `json:"refresh_url"`
		Credentials []struct{ Type, Name, Attributes string }
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &instructions); err != nil || len(instructions.Credentials) != 1 {
		d.t.Fatalf("%s: %v", recorder.Body, err)
	}
	d.sessionID = instructions.SessionID
	credential := instructions.Credentials[0]
	if instructions.RefreshURL != webRefresh || credential.Name != accessCookie || credential.Attributes != "Path=/; HttpOnly; Secure; SameSite=Lax" {
		d.t.Errorf("instructions are %s", recorder.Body)
	}
}

// refresh is what the browser does when the access token's cookie is about to end.
func (d *device) refresh() *httptest.ResponseRecorder {
	recorder := d.heard(d.send(http.MethodPost, webRefresh, d.headers()...))
	if recorder.Code == http.StatusForbidden {
		recorder = d.heard(d.send(http.MethodPost, webRefresh, d.headers()...))
	}
	return recorder
}

// headers are those of a refresh. Without a challenge there is nothing to sign.
func (d *device) headers() []string {
	headers := []string{"Sec-Secure-Session-Id", d.sessionID}
	if d.challenge != "" {
		headers = append(headers, "Secure-Session-Response", d.proof(d.challenge, false))
	}
	return headers
}

// TestDeviceBoundSession goes through the life of a session that a browser has bound to its device, on every database.
func TestDeviceBoundSession(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		reported := 0
		host := deviceHost(t, db, plugin.BindingIfOffered, unproven(&reported))
		d := newDevice(t, host)
		d.logIn()
		list := d.send(http.MethodGet, webRefresh)
		if !strings.Contains(list.Body.String(), `"bound":true`) {
			t.Errorf("the list is %s", list.Body)
		}
		for _, pause := range []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour} {
			before := d.cookie("/", accessCookie)
			host.Clock.Advance(pause)
			recorder := d.refresh()
			testhost.WantAnswer(t, recorder, http.StatusOK, "")
			if recorder.Body.Len() > 0 {
				t.Errorf("a browser takes the body %s for the end of the session", recorder.Body)
			}
			if after := d.cookie("/", accessCookie); after == before || after == "" {
				t.Errorf("after %v the cookie is as before", pause)
			}
			testhost.WantAnswer(t, d.send(http.MethodGet, webMe), http.StatusOK, "alice")
		}
		// Twice in a second: the cookie's value must change all the same.
		before := d.cookie("/", accessCookie)
		if d.refresh(); d.cookie("/", accessCookie) == before {
			t.Error("two refreshes in a second give the same cookie")
		}

		// The page doesn't have the key. It is told to leave the refresh to the browser, and nothing is reported.
		page := d.send(http.MethodPost, webRefresh)
		testhost.WantAnswer(t, page, http.StatusForbidden, forbiddenBody)
		if !challenge.MatchString(page.Header().Get("Secure-Session-Challenge")) || reported != 0 {
			t.Errorf("the page gets %v; %d reported", page.Header(), reported)
		}

		// Another machine has the cookies and no key.
		thief := newDevice(t, host)
		thief.jar, thief.sessionID = d.jar, d.sessionID
		testhost.WantAnswer(t, thief.refresh(), http.StatusForbidden, forbiddenBody)
		if reported == 0 {
			t.Error("a proof by another key is not reported")
		}
		testhost.WantUnauthorized(t, host.PostToken(testhost.RefreshPath, d.cookie(webRefresh, refreshCookie)), badProof)
		testhost.WantUnauthorized(t, host.Bearer(http.MethodGet, testhost.MePath, d.cookie("/", accessCookie)), testhost.InvalidToken)
		testhost.WantAnswer(t, d.refresh(), http.StatusOK, "") // the session lives

		testhost.WantAnswer(t, d.send(http.MethodPost, webLogout), http.StatusNoContent, "")
		testhost.WantUnauthorized(t, d.refresh(), "Bearer") // which ends the browser's session
	})
}

// TestLostRefreshOfDevice checks that a browser whose answer got lost goes on, however late it comes back.
func TestLostRefreshOfDevice(t *testing.T) {
	host := deviceHost(t, openSQLite(t), plugin.BindingIfOffered)
	d := newDevice(t, host)
	d.logIn()
	testhost.WantAnswer(t, d.refresh(), http.StatusOK, "")
	host.Clock.Advance(2*testhost.Grace + time.Second)
	lost := d.request(http.MethodPost, webRefresh, d.headers()...)
	recorder := httptest.NewRecorder()
	host.Router.ServeHTTP(recorder, lost)
	testhost.WantAnswer(t, recorder, http.StatusOK, "")
	host.Clock.Advance(time.Hour)
	testhost.WantAnswer(t, d.refresh(), http.StatusOK, "")
	testhost.WantAnswer(t, d.send(http.MethodGet, webMe), http.StatusOK, "alice")
}

// TestDeviceRefreshWithoutDatabase checks that a database that is away does not end the browser's session.
func TestDeviceRefreshWithoutDatabase(t *testing.T) {
	down := false
	host := deviceHost(t, openSQLite(t), plugin.BindingIfOffered, func(config *refreshtokens.Config) {
		config.Claims = func(context.Context, plugin.Session) (map[string]any, error) {
			if down {
				return nil, errors.New("database away")
			}
			return nil, nil
		}
	})
	d := newDevice(t, host)
	d.logIn()
	down = true
	testhost.WantAnswer(t, d.refresh(), http.StatusInternalServerError, testhost.InternalBody)
	down = false
	testhost.WantAnswer(t, d.refresh(), http.StatusOK, "")
}

// TestBindLivingSession checks that a session from before is bound once its token may rotate.
func TestBindLivingSession(t *testing.T) {
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		host := deviceHost(t, db, plugin.BindingIfOffered)
		d := newDevice(t, host)
		d.login()
		d.send(http.MethodPost, webRefresh) // no browser that binds sessions
		if asked := d.send(http.MethodGet, webMe).Header().Get("Secure-Session-Registration"); asked != "" {
			t.Errorf("a young token is asked for a registration: %s", asked)
		}
		host.Clock.Advance(2*testhost.Grace + 2*time.Second)
		asked := registration.FindStringSubmatch(d.send(http.MethodGet, webMe).Header().Get("Secure-Session-Registration"))
		if asked == nil {
			t.Fatal("a request asks for no registration")
		}
		d.register(asked[1])
		testhost.WantAnswer(t, d.refresh(), http.StatusOK, "")
		if sessions, err := host.Sessions(t.Context(), "alice"); err != nil || len(sessions) != 1 || !sessions[0].Bound {
			t.Errorf("sessions are %+v, %v", sessions, err)
		}
	})
}

// TestBadRegistrations checks that each is refused, and that the session goes on unbound.
func TestBadRegistrations(t *testing.T) {
	host := deviceHost(t, openSQLite(t), plugin.BindingIfOffered)
	d, other := newDevice(t, host), newDevice(t, host)
	asked := registration.FindStringSubmatch(d.send(http.MethodPost, webLogin).Header().Get("Secure-Session-Registration"))[1]
	othersChallenge := registration.FindStringSubmatch(other.send(http.MethodPost, webLogin).Header().Get("Secure-Session-Registration"))[1]
	for name, row := range map[string]struct {
		headers []string
		status  int
	}{
		"no proof":                       {nil, http.StatusBadRequest},
		"no key":                         {[]string{"Secure-Session-Response", d.proof(asked, false)}, http.StatusBadRequest},
		"the challenge of another":       {[]string{"Secure-Session-Response", d.proof(othersChallenge, true)}, http.StatusBadRequest},
		"garbage":                        {[]string{"Secure-Session-Response", "x"}, http.StatusBadRequest},
		"cross-site":                     {[]string{"Secure-Session-Response", d.proof(asked, true), "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"a refresh proof for that route": {[]string{"Secure-Session-Response", d.proof("x", true)}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			testhost.WantAnswer(t, d.send(http.MethodPost, webDevice, row.headers...), row.status, "")
		})
	}
	testhost.WantUnauthorized(t, newDevice(t, host).send(http.MethodPost, webDevice, "Secure-Session-Response", d.proof(asked, true)), "Bearer")
	for _, row := range host.Rows() {
		if row.Binding != "" || row.Generation != 1 {
			t.Errorf("the row is %+v", row)
		}
	}
	d.register(asked)
	// A second key comes too late.
	testhost.WantAnswer(t, d.send(http.MethodPost, webDevice, "Secure-Session-Response", other.proof(asked, true)), http.StatusUnauthorized, "")
	testhost.WantAnswer(t, d.refresh(), http.StatusOK, "")
}

// TestRequiredDevice checks that where binding is required, a session is not refreshed before the browser has bound it.
func TestRequiredDevice(t *testing.T) {
	host := deviceHost(t, openSQLite(t), plugin.BindingRequired)
	d := newDevice(t, host)
	d.login()
	testhost.WantAnswer(t, d.send(http.MethodGet, webMe), http.StatusOK, "alice") // for as long as the access token lives
	refused := d.send(http.MethodPost, webRefresh)
	testhost.WantAnswer(t, refused, http.StatusForbidden, forbiddenBody)
	testhost.WantUnauthorized(t, host.PostToken(testhost.RefreshPath, d.cookie(webRefresh, refreshCookie)), badProof)
	asked := registration.FindStringSubmatch(refused.Header().Get("Secure-Session-Registration"))
	if asked == nil {
		t.Fatal("the refusal asks for no registration")
	}
	d.register(asked[1])
	testhost.WantAnswer(t, d.refresh(), http.StatusOK, "")
}

// TestDevicesNeedTheAccessCookie checks that Register refuses binding where the browser has no cookie to renew.
func TestDevicesNeedTheAccessCookie(t *testing.T) {
	host := testhost.New(t, openSQLite(t))
	defer func() {
		if cause := recover(); cause == nil || !strings.Contains(cause.(string), "AccessToken") {
			t.Errorf("Register says %v", cause)
		}
	}()
	host.Register(gin.New(), refreshtokens.WithCookies(refreshtokens.Cookies{}),
		refreshtokens.WithBinding(refreshtokens.Binding{Policy: plugin.BindingIfOffered}))
}
