package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/dbsc"
	"github.com/seed-2f82c0fd/refreshtokens/internal/nonce"
	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

// DeviceRoute is the registration route of device-bound sessions, in the route group.
const DeviceRoute = "/device-bound-session"

// challengePeriod is how long a challenge is given out. A browser that gets the same challenge again sends the same proof again. That
// saves signatures, of which Chrome makes only 6 in 9 minutes.
const challengePeriod = 5 * time.Minute

// DBSC binds the sessions of a group with cookies to a key of the browser's device: Device Bound Session Credentials, a draft of
// the W3C. The access token's cookie is the one that ends soon and that the browser renews by itself.
type DBSC struct {
	cookies       *Cookies
	registrations *nonce.Source // their challenges
	refreshes     *nonce.Source
}

// NewDBSC returns a DBSC. The error says what to do.
func NewDBSC(cookies *Cookies, secrets ...[]byte) (*DBSC, error) {
	if cookies.access.Name == "" {
		return nil, errors.New("a browser binds a session by its access token's cookie: set Cookies.AccessToken")
	}
	registrations, err := nonce.New("dbsc registration", challengePeriod, secrets...)
	if err != nil {
		return nil, err
	}
	refreshes, err := nonce.New("dbsc refresh", challengePeriod, secrets...)
	return &DBSC{cookies, registrations, refreshes}, err
}

// Offer asks the browser to make a key for a session. A browser that can't ignores it.
func (d *DBSC) Offer(c *gin.Context, sessionID string, now time.Time) {
	registration := dbsc.Registration{Path: d.cookies.path(c) + DeviceRoute, Challenge: d.registrations.Issue(now, sessionID)}
	if value, err := registration.Value(); err == nil { // the path of a group may be one that no header can say
		c.Header(dbsc.RegistrationHeader, value)
	}
}

// Challenge gives the browser what it has to sign for a session. Only a refusal needs it: with every answer, the browser would sign more
// often than it may.
func (d *DBSC) Challenge(c *gin.Context, sessionID string, now time.Time) {
	if value, err := dbsc.Challenge(d.refreshes.Issue(now, sessionID), sessionID); err == nil {
		c.Header(dbsc.ChallengeHeader, value)
	}
}

// Register returns the key that a browser has made for a session, as a cnf claim (RFC 7800 §3.2). The error is [ErrBadRegistration].
func (d *DBSC) Register(c *gin.Context, sessionID string, now time.Time) (string, error) {
	response, ok := dbsc.Proof(c.Request.Header)
	if !ok {
		return "", fmt.Errorf("%w: there is no proof", ErrBadRegistration)
	}
	registration, err := proof.CheckRegistration(response, isCurrent(d.registrations, sessionID, now))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadRegistration, err)
	}
	confirmation, err := json.Marshal(map[string]any{"jwk": registration.Key})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadRegistration, err)
	}
	return string(confirmation), nil
}

// ErrBadRegistration is for a request that registers no key.
var ErrBadRegistration = BadRequest{Status: http.StatusBadRequest, Message: "The key is not proven"}

// Prove checks a browser's proof for a session that is bound to the key in a cnf claim. The error is [ErrChallenge] where the browser has
// to sign a challenge first, and [ErrNoProof] where the proof is by another key.
func (d *DBSC) Prove(c *gin.Context, sessionID, confirmation string, now time.Time) error {
	response, ok := dbsc.Proof(c.Request.Header)
	if !ok {
		return ErrChallenge
	}
	var claim struct {
		JWK json.RawMessage `json:"jwk"`
	}
	if err := json.Unmarshal([]byte(confirmation), &claim); err != nil {
		return fmt.Errorf("%w: %w", ErrNoProof, err)
	}
	key, err := proof.ParseKey(claim.JWK)
	if err == nil {
		err = proof.CheckRefresh(response, key, isCurrent(d.refreshes, sessionID, now))
	}
	if errors.Is(err, proof.ErrNonce) {
		return ErrChallenge
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoProof, err)
	}
	return nil
}

// ErrChallenge is for a browser that has to sign a challenge first.
var ErrChallenge = errors.New("no proof with a current challenge")

func isCurrent(challenges *nonce.Source, sessionID string, now time.Time) func(string) bool {
	return func(challenge string) bool { return challenges.Check(challenge, now, sessionID) }
}

// IsBrowser tells whether the browser itself sent a refresh, and no page.
func (d *DBSC) IsBrowser(request *http.Request) bool {
	_, ok := dbsc.SessionID(request.Header)
	return ok
}

// IsOfAnother tells whether the browser refreshes another session than the one of the refresh cookie. A browser keeps the session of
// an earlier login beside that of a later one: a log-out, or another login, does not end it there.
func (d *DBSC) IsOfAnother(request *http.Request, sessionID string) bool {
	id, ok := dbsc.SessionID(request.Header)
	return ok && id != sessionID
}

// Instructions tell the browser which cookie it has to renew, and where.
func (d *DBSC) Instructions(c *gin.Context, sessionID string) (dbsc.Instructions, error) {
	cookie := d.cookies.access
	credential, err := dbsc.CookieCredential(&cookie)
	return dbsc.Instructions{
		SessionID:   sessionID,
		RefreshURL:  d.cookies.path(c) + "/refresh-tokens",
		Scope:       dbsc.Scope{Rules: []dbsc.Rule{{Type: "exclude", Path: d.cookies.path(c)}}}, // a login or log-out must not wait
		Credentials: []dbsc.Credential{credential},
	}, err
}
