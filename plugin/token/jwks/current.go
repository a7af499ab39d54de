package jwks

import (
	"context"
	"crypto"
	"sync/atomic"

	"github.com/MicahParks/jwkset"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// current is where jwkset puts what it fetched. It keeps the keys that can verify an access token, and ignores the others, as
// RFC 7517 §5 has it: other kinds of key, keys for encryption, and keys whose kid is not their thumbprint, which no issuer of ours
// publishes.
type current struct {
	*jwkset.MemoryJWKSet
	usable atomic.Pointer[map[string]crypto.PublicKey] // by kid
}

func (c *current) load() map[string]crypto.PublicKey {
	if usable := c.usable.Load(); usable != nil {
		return *usable
	}
	return nil
}

// KeyReplaceAll is part of jwkset.Storage.
func (c *current) KeyReplaceAll(ctx context.Context, fetched []jwkset.JWK) error {
	usable := map[string]crypto.PublicKey{}
	for _, jwk := range fetched {
		said := jwk.Marshal()
		public, err := token.NewPublicKey(jwk.Key()) // refuses private keys and secrets, too
		if err != nil || said.KID != public.ID || said.USE != "" && said.USE != jwkset.UseSig || said.ALG != "" && said.ALG.String() != public.Algorithm {
			continue
		}
		usable[public.ID] = public.Key
	}
	c.usable.Store(&usable)
	return c.MemoryJWKSet.KeyReplaceAll(ctx, nil)
}

// KeyRead is part of jwkset.Storage. Only whether there is such a key matters here.
func (c *current) KeyRead(_ context.Context, kid string) (jwkset.JWK, error) {
	if _, ok := c.load()[kid]; ok {
		return jwkset.JWK{}, nil
	}
	return jwkset.JWK{}, jwkset.ErrKeyNotFound
}
