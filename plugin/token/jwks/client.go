package jwks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxBody bounds an answer, in bytes: a set of 17 RSA keys of 8192 bits is half as large.
	maxBody = 64 << 10
	// maxKeys bounds the keys in it.
	maxKeys = 64
)

// boundedClient returns a client like the host's, with bounds.
func boundedClient(client *http.Client) *http.Client {
	if client == nil {
		client = &http.Client{}
	}
	bounded := *client
	if bounded.Transport == nil {
		bounded.Transport = http.DefaultTransport
	}
	bounded.Transport = transport{bounded.Transport}
	bounded.Timeout = shorter(bounded.Timeout, fetchTimeout)
	bounded.Jar = nil
	bounded.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // which is no 200, and so an error: the keys are where the host said
	}
	return &bounded
}

func shorter(a, b time.Duration) time.Duration {
	if a > 0 {
		return min(a, b)
	}
	return b
}

// transport lets no answer through that is no JWK Set of a bearable size.
type transport struct{ http.RoundTripper }

// RoundTrip is part of http.RoundTripper.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	_ = response.Body.Close()
	if err == nil {
		err = checkSet(body)
	}
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

func checkSet(body []byte) error {
	if len(body) > maxBody {
		return fmt.Errorf("the answer is over %d bytes", maxBody)
	}
	var set struct {
		Keys *[]map[string]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
		return errors.New("the answer is no JWK Set")
	}
	if len(*set.Keys) > maxKeys {
		return fmt.Errorf("the answer lists %d keys, and may list %d", len(*set.Keys), maxKeys)
	}
	for _, key := range *set.Keys {
		if key["d"] != nil || key["k"] != nil { // RFC 7518 §6
			return errors.New("the answer lists a private key or a secret: whoever has read it can sign tokens")
		}
	}
	return nil
}
