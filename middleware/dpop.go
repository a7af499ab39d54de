package middleware

import (
	"errors"
	"fmt"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// DPoP also takes access tokens of sessions that are bound to a key: "Authorization: DPoP …" with a proof in the DPoP header (RFC
// 9449 §7). Such a token is never taken as a Bearer token, with this option or without. A refusal is a 401 with a DPoP challenge.
//
// baseURL is the URL at which clients reach the router, "https://api.example.com": proofs name it. Empty means what the request says,
// which is right without a proxy. With nonceSecrets, proofs need a nonce, which comes in DPoP-Nonce; without, they must have been signed
// within a minute. Processes of one service share the secrets, so that each accepts the others' nonces; the first one makes them.
// It panics for a baseURL that is none. A Plugin's groups give this option by themselves.
func DPoP(baseURL string, nonceSecrets ...[]byte) Option {
	checker, err := httpapi.NewDPoP(baseURL, nonceSecrets...)
	if err != nil {
		panic("middleware: DPoP: " + err.Error())
	}
	return func(o *options) { o.dpop = checker }
}

// Bound also requires that the token's session is bound to a key (RFC 9449, or a device-bound session), which makes a stolen token
// worthless. A request that is authenticated and not bound is answered 403.
func Bound() Option {
	return func(o *options) { o.bound = true }
}

// verifyDPoP returns the claims of a bound token that came with a proof by its key.
func (a *authenticator) verifyDPoP(c *gin.Context, accessToken string) (token.Claims, error) {
	claims, err := a.verifyToken(accessToken)
	if err == nil && claims.Binding.Thumbprint() == "" {
		err = fmt.Errorf("%w: its session is not bound", httpapi.ErrInvalidToken)
	}
	if errors.Is(err, httpapi.ErrInvalidToken) {
		a.dpop.OfferNonce(c, a.now())
		return token.Claims{}, httpapi.NewProofError(httpapi.InvalidTokenError, err)
	}
	if err != nil {
		return token.Claims{}, err
	}
	thumbprint, err := a.dpop.Prove(c, accessToken, a.now())
	switch {
	case err != nil:
		return token.Claims{}, err
	case thumbprint == "":
		a.dpop.OfferNonce(c, a.now())
		return token.Claims{}, httpapi.NewProofError(httpapi.InvalidProof, httpapi.ErrNoProof)
	case thumbprint != claims.Binding.Thumbprint():
		return token.Claims{}, httpapi.NewProofError(httpapi.InvalidTokenError, errors.New("the proof is by another key"))
	}
	return claims, nil
}

// verifyBearer returns the claims of a token that nobody has to prove anything for.
func (a *authenticator) verifyBearer(c *gin.Context, accessToken string) (token.Claims, error) {
	claims, err := a.verifyToken(accessToken)
	if err != nil || claims.Binding == "" {
		return claims, err
	}
	err = fmt.Errorf("%w: its session is bound to a key, and nothing proves it", httpapi.ErrInvalidToken)
	if a.dpop == nil {
		return token.Claims{}, err
	}
	a.dpop.OfferNonce(c, a.now())
	return token.Claims{}, httpapi.NewProofError(httpapi.InvalidTokenError, err)
}
