package soak_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// patience is how long a client sends a request again that gets no answer. With less than the grace period, a spent token is
// answered again whenever it arrives.
const patience = grace - 2*time.Second

// reply is the last answer to a request that was sent until it got one.
type reply struct {
	status      int // 0 where there was no answer
	body        []byte
	tries       int
	first, last time.Time // when it was sent first, and when the answer was there
}

// failed tells whether the answer says nothing about the token.
func failed(status int) bool { return status == 0 || status >= http.StatusInternalServerError }

// insist sends a request to either process, again and again if there is no answer or a 5xx.
func (w *world) insist(client *http.Client, method, path, authorization, body string) reply {
	r := reply{first: time.Now()}
	for {
		r.tries++
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		r.status, r.body = w.send(ctx, client, method, path, authorization, body)
		cancel()
		r.last = time.Now()
		if !failed(r.status) || r.last.Sub(r.first) > patience {
			return r
		}
		w.counts.failures.Add(1)
		pause(context.Background(), time.Duration(20+rand.IntN(50))*time.Millisecond)
	}
}

// send sends a request once.
func (w *world) send(ctx context.Context, client *http.Client, method, path, authorization, body string) (int, []byte) {
	base := w.processes[rand.IntN(len(w.processes))].server.URL
	request, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	if err != nil {
		w.t.Error(err)
		return 0, nil
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	return response.StatusCode, answer
}

// refreshBody is the body of a refresh or a log-out.
func refreshBody(token string) string { return `{"refreshToken":"` + token + `"}` }

// claims is what a client reads from a token.
type claims struct {
	SessionID  string          `json:"sid"`
	Generation int64           `json:"gen"`
	Expires    int64           `json:"exp"`
	Key        json.RawMessage `json:"cnf"`
}

func (w *world) claims(token string) (c claims) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		w.t.Errorf("%s: %q is no token", w.name, token)
		return c
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err != nil {
		w.t.Error(err)
	}
	return c
}

// expires returns when a token expires.
func (c claims) expires() time.Time { return time.Unix(c.Expires, 0) }
