package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// fleet is devices that are logged in and refresh, whatever happens to the servers. A device that gets no answer, or a
// 5xx, sends the same token again; the only thing it can't take is a 401.
type fleet struct {
	t         *testing.T
	client    *http.Client
	mu        sync.Mutex
	bases     []string // where the app listens; a device picks any for each request
	key       []byte   // signs refresh tokens
	refreshes atomic.Int64
	rotations atomic.Int64 // the refreshes that were answered with a later generation
	failures  atomic.Int64 // no answer, or a 5xx
	calm      atomic.Bool  // failures are errors now
	devices   []*device
}

type device struct {
	*fleet
	name   string
	access string
	token  string
}

func newFleet(t *testing.T, size int, bases ...string) *fleet {
	f := &fleet{t: t, bases: bases, key: testhost.RefreshKey(t), client: &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 2 * size},
	}}
	for i := range size {
		d := &device{fleet: f, name: fmt.Sprintf("device%d", i)}
		d.enter("register")
		f.devices = append(f.devices, d)
	}
	return f
}

func (f *fleet) moveTo(bases ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bases = bases
	f.client.CloseIdleConnections()
}

func (f *fleet) base() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bases[rand.IntN(len(f.bases))]
}

// post returns the status and body, or 0 where there was no answer.
func (f *fleet) post(path string, body any) (int, []byte) {
	text, err := json.Marshal(body)
	if err != nil {
		f.t.Error(err)
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, f.base()+path, bytes.NewReader(text))
	if err != nil {
		f.t.Error(err)
		return 0, nil
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := f.client.Do(request)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return response.StatusCode, answer
}

type tokens struct{ Access, Refresh struct{ Token string } }

// enter registers or logs in.
func (d *device) enter(how string) {
	var status int
	var body []byte
	for range 100 {
		status, body = d.post("/v1/auth/"+how, map[string]string{
			"name": d.name, "email": d.name + "@example.com", "password": "correct horse 1",
		})
		var answer struct{ Tokens tokens }
		if status == http.StatusOK || status == http.StatusCreated {
			if err := json.Unmarshal(body, &answer); err != nil {
				d.t.Error(err)
			}
			d.access, d.token = answer.Tokens.Access.Token, answer.Tokens.Refresh.Token
			return
		}
		if status == http.StatusBadRequest && how == "register" {
			how = "login" // it was registered before the answer got lost
		}
		d.failed(status, body)
	}
	d.t.Errorf("%s: could not %s: %d %s", d.name, how, status, body)
}

func (d *device) failed(status int, body []byte) {
	d.failures.Add(1)
	if d.calm.Load() {
		d.t.Errorf("%s: %d %s although nothing is being killed", d.name, status, body)
	}
	time.Sleep(time.Duration(10+rand.IntN(20)) * time.Millisecond)
}

// refresh sends the token once, and reports whether it was answered with 200.
func (d *device) refresh() bool {
	status, body := d.post("/v1/auth/refresh-tokens", map[string]string{"refreshToken": d.token})
	switch status {
	case http.StatusOK:
		var answer tokens
		if err := json.Unmarshal(body, &answer); err != nil {
			d.t.Error(err)
		}
		before := d.claims().Gen
		d.access, d.token = answer.Access.Token, answer.Refresh.Token
		d.refreshes.Add(1)
		if d.claims().Gen > before {
			d.rotations.Add(1)
		}
		return true
	case http.StatusUnauthorized:
		d.t.Errorf("%s was locked out", d.name)
		d.enter("login")
	default:
		d.failed(status, body)
	}
	return false
}

// logout ends the session, insists until it is answered, and makes sure that it stays ended.
func (d *device) logout() {
	ended := d.token
	body := map[string]string{"refreshToken": ended}
	for range 200 {
		status, answer := d.post("/v1/auth/logout", body)
		if status == http.StatusNoContent || status == http.StatusNotFound { // 404: done before the answer got lost
			break
		}
		d.failed(status, answer)
	}
	for range 200 {
		status, answer := d.post("/v1/auth/refresh-tokens", body)
		if status == http.StatusUnauthorized {
			break
		}
		if status == http.StatusOK {
			d.t.Errorf("%s: the session survived its log-out", d.name)
			break
		}
		d.failed(status, answer)
	}
	d.enter("login")
}

// age makes the device's token old enough to rotate, by signing it anew with an earlier iat. A live token repeats for twice
// the grace period, and no test can wait for that.
func (d *device) age() {
	claims := d.claims()
	if time.Since(time.Unix(claims.Iat, 0)) >= 2*grace {
		return
	}
	iat := func(instant int64) string { return fmt.Sprintf(`"iat":%d`, instant) }
	header, rest, _ := strings.Cut(d.token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	old := strings.Replace(string(decode(d.t, payload)), iat(claims.Iat), iat(claims.Iat-int64(2*grace/time.Second)), 1)
	d.token = testhost.Sign(header, old, d.key)
}

// run has every device refresh, and now and then log out and in again, while body runs. Three of four refreshes rotate.
func (f *fleet) run(logouts bool, body func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for _, d := range f.devices {
		wait.Go(func() {
			answered := true
			for ctx.Err() == nil {
				if logouts && rand.IntN(200) == 0 {
					d.logout()
					continue
				}
				if answered && rand.IntN(4) > 0 { // what was not answered is sent again as it is
					d.age()
				}
				answered = d.refresh()
			}
		})
	}
	body()
	cancel()
	wait.Wait()
}

// settle lets every device get one answer, and the pools find out which of their connections are dead: a host's own
// queries have nobody to try them again. Once a second has passed without a failure, there may be no other.
func (f *fleet) settle() {
	rotations := f.rotations.Load()
	for _, d := range f.devices {
		before := f.refreshes.Load()
		for range 200 {
			if d.refresh(); f.refreshes.Load() > before {
				break
			}
		}
	}
	f.run(false, func() {
		for range 20 {
			before := f.failures.Load()
			if time.Sleep(time.Second); f.failures.Load() == before {
				return
			}
		}
	})
	failures := f.failures.Load()
	f.calm.Store(true)
	f.run(true, func() { time.Sleep(time.Second) })
	f.t.Logf("%d refreshes, %d of them rotations; %d rotations and %d failures before all was calm",
		f.refreshes.Load(), f.rotations.Load(), rotations, failures)
	if f.refreshes.Load() < int64(5*len(f.devices)) {
		f.t.Error("there was hardly any load")
	}
	if rotations < int64(20*len(f.devices)) {
		f.t.Error("there were hardly any rotations")
	}
}

// claims returns the gen and iat claims of the device's token.
func (d *device) claims() (claims struct{ Gen, Iat int64 }) {
	if err := json.Unmarshal(decode(d.t, strings.Split(d.token, ".")[1]), &claims); err != nil {
		d.t.Error(err)
	}
	return claims
}
