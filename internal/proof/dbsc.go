package proof

import (
	"fmt"

	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

// dbscType is the typ of a proof of a device-bound session.
const dbscType = "dbsc+jwt"

// Registration is what a browser says when it has made a key for a session.
type Registration struct {
	Key           Key
	Authorization string // as it was in Secure-Session-Registration; "" where there was none
}

// CheckRegistration checks the Secure-Session-Response of a request that registers a key. challenge tells whether a challenge
// is current for the session that is to be bound. Errors: [ErrInvalid], [ErrNonce].
//
// It reads the key from the header's jwk, where Chromium 156 puts it. Older texts of the draft have it in the payload.
func CheckRegistration(response string, challenge func(string) bool) (Registration, error) {
	envelope, err := open(response, dbscType, dbscMethods)
	if err != nil {
		return Registration{}, err
	}
	if envelope.key.public == nil {
		return Registration{}, fmt.Errorf("%w: no jwk in the header", ErrInvalid)
	}
	authorization, err := envelope.answer(envelope.key, challenge)
	if err != nil {
		return Registration{}, err
	}
	return Registration{envelope.key, authorization}, nil
}

// CheckRefresh checks the Secure-Session-Response of a refresh: it must be signed with the session's key. Errors: [ErrInvalid],
// [ErrNonce].
func CheckRefresh(response string, key Key, challenge func(string) bool) error {
	envelope, err := open(response, dbscType, dbscMethods)
	if err != nil {
		return err
	}
	_, err = envelope.answer(key, challenge)
	return err
}

// answer verifies the signature and the challenge, which is in jti. It returns the authorization.
func (e envelope) answer(key Key, challenge func(string) bool) (authorization string, err error) {
	if err := e.verify(key); err != nil {
		return "", err
	}
	var claims [2][]byte
	if err := strictjson.Pick(e.payload, []string{"jti", "authorization"}, claims[:]); err != nil {
		return "", fmt.Errorf("%w: claims: %w", ErrInvalid, err)
	}
	id, ok := strictjson.String(claims[0])
	if !ok || id == "" || len(id) > maxID {
		return "", fmt.Errorf("%w: jti is not a string of 1 to %d bytes", ErrInvalid, maxID)
	}
	if claims[1] != nil {
		if authorization, ok = strictjson.String(claims[1]); !ok {
			return "", fmt.Errorf("%w: authorization is not a string", ErrInvalid)
		}
	}
	if !challenge(id) {
		return "", ErrNonce
	}
	return authorization, nil
}
