package refreshtokens

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"

	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// JWKSPath is where [Plugin.RegisterJWKS] serves the public keys.
const JWKSPath = "/.well-known/jwks.json"

// jwksCaching lets caches keep the keys for five minutes. Between the two steps of a change of keys, docs/operating.md has the operator
// wait for longer than that.
const jwksCaching = "public, max-age=300"

// RegisterJWKS serves the public keys that verify access tokens, as a JWK Set (RFC 7517 §5) at GET /.well-known/jwks.json: that of
// Config.AccessKey first, then Config.PreviousAccessKeys. The set is empty where a secret signs alone: a secret is nothing to
// publish. It needs no authentication. Register it on the router itself, where verifiers look for it, and once.
func (p *Plugin) RegisterJWKS(router gin.IRouter) {
	body := keySet(p.service)
	digest := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(digest[:]) + `"`
	router.GET(JWKSPath, func(c *gin.Context) {
		c.Header("Cache-Control", jwksCaching)
		c.Header("ETag", tag)
		if c.GetHeader("If-None-Match") == tag {
			c.Status(http.StatusNotModified)
			return
		}
		c.Data(http.StatusOK, "application/jwk-set+json", body)
	})
}

func keySet(service interface{ PublicKeys() []token.PublicKey }) []byte {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, key := range service.PublicKeys() {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Key, KeyID: key.ID, Algorithm: key.Algorithm, Use: "sig"})
	}
	body, err := json.Marshal(set)
	if err != nil {
		panic("refreshtokens: encode the key set: " + err.Error()) // New has accepted these keys
	}
	return body
}
