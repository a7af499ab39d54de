// Package tokenfile keeps the tokens of one login in a file that many processes share.
package tokenfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ErrSignedOut means that the user has to log in again.
var ErrSignedOut = errors.New("signed out: log in again")

// Tokens are the "tokens" of a login's answer.
type Tokens struct {
	Access  Token `json:"access"`
	Refresh Token `json:"refresh"`
}

// Token is one of them.
type Token struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

func (t Token) isFresh() bool { return time.Until(t.Expires) > 30*time.Second }

// File is the path of the file. Its lock is a file beside it, which stays there.
type File string

// AccessToken returns an access token that is good for half a minute or more.
func (f File) AccessToken(ctx context.Context, baseURL string) (token string, err error) {
	if tokens, err := f.read(); err != nil || tokens.Access.isFresh() {
		return tokens.Access.Token, err
	}
	err = f.locked(ctx, func() error {
		tokens, err := f.read() // again: another process may have been first
		if err == nil && !tokens.Access.isFresh() {
			if tokens, err = refresh(ctx, baseURL, tokens.Refresh.Token); err == nil {
				err = f.write(tokens)
			}
		}
		token = tokens.Access.Token
		return err
	})
	return token, err
}

// LogIn takes the tokens of a login.
func (f File) LogIn(ctx context.Context, tokens Tokens) error {
	return f.locked(ctx, func() error { return f.write(tokens) })
}

// LogOut ends the session and removes the file.
func (f File) LogOut(ctx context.Context, baseURL string) error {
	return f.locked(ctx, func() error {
		tokens, err := f.read()
		if err != nil {
			return err
		}
		status, err := post(ctx, baseURL+"/auth/logout", tokens.Refresh.Token, nil)
		if err != nil {
			return err
		}
		if status != http.StatusNoContent && status != http.StatusNotFound {
			return fmt.Errorf("not logged out: the server answered %d", status)
		}
		return os.Remove(string(f))
	})
}

// locked runs work while no other process does. The lock of a process that was killed is free at once.
func (f File) locked(ctx context.Context, work func() error) error {
	lock := flock.New(string(f)+".lock", flock.SetPermissions(0o600))
	defer func() { _ = lock.Close() }()
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return fmt.Errorf("lock the tokens: %w", err)
	}
	return work()
}

func (f File) read() (tokens Tokens, err error) {
	content, err := os.ReadFile(string(f))
	if errors.Is(err, os.ErrNotExist) {
		return tokens, ErrSignedOut
	}
	if err == nil {
		err = json.Unmarshal(content, &tokens)
	}
	return tokens, err
}

// write replaces the file at once, for whoever reads it.
func (f File) write(tokens Tokens) error {
	temporary, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".*") // only its owner may read it
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // where the rename did not happen
	err = json.NewEncoder(temporary).Encode(tokens)
	if err := errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), string(f))
}

// refresh tries again with the same token for 25 seconds. An answer that got lost is given again until the 30th.
func refresh(ctx context.Context, baseURL, refreshToken string) (tokens Tokens, err error) {
	ctx, cancel := context.WithTimeout(ctx, 25*time.Second)
	defer cancel()
	for wait := 500 * time.Millisecond; ; wait *= 2 {
		status, err := post(ctx, baseURL+"/auth/refresh-tokens", refreshToken, &tokens)
		switch {
		case err == nil && status == http.StatusOK:
			return tokens, nil
		case status == http.StatusUnauthorized:
			return tokens, ErrSignedOut
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			return tokens, fmt.Errorf("refresh: the server answered %d", status)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return tokens, fmt.Errorf("refresh: try again later: last answer %d: %w", status, errors.Join(err, ctx.Err()))
		}
	}
}

// post decodes an answer of 200 into answer.
func post(ctx context.Context, url, refreshToken string, answer any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := json.Marshal(map[string]string{"refreshToken": refreshToken})
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		err = json.NewDecoder(response.Body).Decode(answer)
	}
	return response.StatusCode, err
}
