package main

import (
	"context"
	"strings"
	"unicode"

	"github.com/alexedwards/argon2id"
)

// goodPassword reports whether a password has 8 characters or more, with a letter and a digit among them.
func goodPassword(password string) bool {
	return len([]rune(password)) >= 8 &&
		strings.ContainsFunc(password, unicode.IsLetter) && strings.ContainsFunc(password, unicode.IsDigit)
}

// hasher hashes passwords with Argon2id, with the OWASP cheat sheet's setting of 19 MiB and two passes. It limits how many
// passwords are hashed at a time, so that many logins at once wait and don't use up the memory.
type hasher struct {
	places chan struct{} // its capacity is the limit
	params argon2id.Params
	dummy  string // compared if there is no user, so that this takes as long
}

func newHasher(places int) (*hasher, error) {
	h := &hasher{
		places: make(chan struct{}, places),
		params: argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}
	var err error
	h.dummy, err = argon2id.CreateHash("", &h.params)
	return h, err
}

// take waits for a place, unless ctx ends first.
func (h *hasher) take(ctx context.Context) error {
	select {
	case h.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hasher) release() { <-h.places }

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.take(ctx); err != nil {
		return "", err
	}
	defer h.release()
	return argon2id.CreateHash(password, &h.params)
}

// matches reports whether the password is the user's. For a nil user it returns false, but takes as long.
func (h *hasher) matches(ctx context.Context, u *user, password string) (bool, error) {
	hash := h.dummy
	if u != nil {
		hash = u.PasswordHash
	}
	if err := h.take(ctx); err != nil {
		return false, err
	}
	defer h.release()
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	return match && u != nil, err
}
