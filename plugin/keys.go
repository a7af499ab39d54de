package plugin

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// keys are what a Service signs and verifies with.
type keys struct {
	refreshKeys  jose.Keys // the first one signs
	accessSecret jose.Key
	accessKey    *jose.Signer // nil where accessSecret signs
	public       []token.PublicKey
	verifier     *token.Verifier
	nonceSecrets [][]byte
	legacyKeys   [][]byte // one for each secret, as refreshKeys
}

// maxPrevious bounds PreviousSecrets, which are tried in turn, and PreviousAccessKeys, which the key set lists.
const maxPrevious = 8

// checkKeys returns every mistake in the secrets and the keys.
func (c Config) checkKeys() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := jose.CheckSecret(c.Secret); err != nil {
		bad("Secret %w", err)
	}
	if len(c.PreviousSecrets) > maxPrevious {
		bad("PreviousSecrets has %d secrets and may have %d: leave out those whose tokens have expired", len(c.PreviousSecrets), maxPrevious)
	}
	for i, secret := range c.PreviousSecrets {
		if err := jose.CheckSecret(secret); err != nil {
			bad("PreviousSecrets[%d] %w", i, err)
		}
		if bytes.Equal(secret, c.Secret) || slices.ContainsFunc(c.PreviousSecrets[:i], func(s []byte) bool { return bytes.Equal(s, secret) }) {
			bad("PreviousSecrets[%d] is given twice: leave it out", i)
		}
	}
	seen := map[string]bool{}
	if c.AccessKey != nil {
		if key, err := jose.NewSigner(c.AccessKey, jose.TypJWT); err != nil {
			bad("AccessKey %w", err)
		} else {
			seen[key.ID()] = true
		}
	}
	if len(c.PreviousAccessKeys) > maxPrevious {
		bad("PreviousAccessKeys has %d keys and may have %d: leave out those whose tokens have expired", len(c.PreviousAccessKeys), maxPrevious)
	}
	for i, previous := range c.PreviousAccessKeys {
		key, err := jose.NewPublicKey(previous)
		if err != nil {
			bad("PreviousAccessKeys[%d] %w", i, err)
			continue
		}
		if seen[key.ID()] {
			bad("PreviousAccessKeys[%d] is given twice: leave it out", i)
		}
		seen[key.ID()] = true
	}
	if c.ClientID != "" && (c.AccessKey == nil || c.Issuer == "" || c.Audience == "") {
		bad("ClientID asks for access tokens of RFC 9068, which need AccessKey, Issuer and Audience: set them, or leave ClientID out")
	}
	return errs
}

// keys makes the keys of a Config that was checked. It signs once with an AccessKey, to try it.
func (c Config) keys(ctx context.Context) (keys, error) {
	var k keys
	secrets := append([][]byte{bytes.Clone(c.Secret)}, c.PreviousSecrets...)
	for _, secret := range secrets {
		key, err := deriveRefreshKey(secret)
		if err != nil {
			return k, err
		}
		k.refreshKeys = append(k.refreshKeys, key)
	}
	var err error
	if k.nonceSecrets, err = deriveNonceSecrets(secrets...); err != nil {
		return k, err
	}
	if k.legacyKeys, err = deriveLegacyKeys(secrets); err != nil {
		return k, err
	}
	verifying := token.Config{Issuer: c.Issuer, Audience: c.Audience, Leeway: c.Leeway, Clock: c.Clock, Remember: c.RememberTokens}
	if c.AccessKey == nil {
		k.accessSecret = jose.NewKey(secrets[0])
		verifying.Secret, verifying.PreviousSecrets = secrets[0], c.PreviousSecrets
	} else {
		typ := jose.TypJWT
		if c.ClientID != "" {
			typ = jose.TypAtPlusJWT
		}
		if k.accessKey, err = jose.NewSigner(c.AccessKey, typ); err != nil {
			return k, fmt.Errorf("AccessKey %w", err)
		}
		verifying.Keys = append(verifying.Keys, k.accessKey.Key())
		if _, err := k.signAccess(ctx, []byte("{}")); err != nil {
			return k, err
		}
	}
	verifying.Keys = append(verifying.Keys, c.PreviousAccessKeys...)
	if k.verifier, err = token.NewVerifier(verifying); err != nil {
		return k, err
	}
	for _, key := range verifying.Keys {
		public, err := token.NewPublicKey(key)
		if err != nil {
			return k, err
		}
		k.public = append(k.public, public)
	}
	return k, nil
}

// refreshKeyInfo is the HKDF info of the refresh tokens' key (RFC 5869 §3.2). Changing it ends every session.
const refreshKeyInfo = "refreshtokens/refresh-token/HS256/v1"

// deriveRefreshKey makes a key that signs nothing but refresh tokens, so that neither kind of token is accepted as the
// other, whatever its claims say (RFC 8725 §3.12).
func deriveRefreshKey(secret []byte) (jose.Key, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, refreshKeyInfo, sha256.Size)
	if err != nil {
		return jose.Key{}, fmt.Errorf("derive the refresh key: %w", err)
	}
	return jose.NewKey(derived), nil
}

// signTimeout bounds a signature with an AccessKey that may be elsewhere.
const signTimeout = 10 * time.Second

// signAccess signs an access token. Whatever the error of an AccessKey is, it is none of ours.
func (k *keys) signAccess(ctx context.Context, payload []byte) (string, error) {
	if k.accessKey == nil {
		return k.accessSecret.Sign(payload), nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, signTimeout, errSlowKey)
	defer cancel()
	signed, err := k.accessKey.Sign(ctx, payload)
	if err != nil && isOurs(err) {
		return "", fmt.Errorf("sign with AccessKey: %s", err.Error())
	}
	if err != nil {
		return "", fmt.Errorf("sign with AccessKey: %w", err)
	}
	return signed, nil
}

var errSlowKey = errors.New("it took too long")

// PublicKeys returns the keys that verify this Service's access tokens: that of Config.AccessKey first, then those of
// PreviousAccessKeys. There are none where a secret signs alone.
func (s *Service) PublicKeys() []token.PublicKey {
	return slices.Clone(s.public)
}
