package refreshtokens

import (
	"errors"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/binding"
	"github.com/seed-2f82c0fd/refreshtokens/internal/httpapi"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// Binding are the settings of [WithBinding].
type Binding struct {
	// Policy is whether sessions are bound. Default: [plugin.BindingOff].
	Policy plugin.BindingPolicy

	// BaseURL is the URL at which clients reach the router: "https://api.example.com". DPoP proofs name it. Empty means what the
	// request says, which is right without a proxy.
	BaseURL string
}

// WithBinding binds sessions to a key that never leaves the client's device, so that a stolen token is worth nothing elsewhere (RFC
// 9700 §4.14.2). A client binds its session with a DPoP proof (RFC 9449) at its login, or at a refresh. From then on, each
// refresh needs a proof by the same key, and so does each request with the access token: "Authorization: DPoP …". Put
// [Group.Protect] before the login routes, and [Group.RequireAuth] before the others.
func WithBinding(settings Binding) RegisterOption {
	return func(o *registerOptions) { o.binding = settings }
}

// newDPoP returns nil where sessions are not bound.
func newDPoP(p *Plugin, settings Binding) *httpapi.DPoP {
	if settings.Policy == plugin.BindingOff {
		return nil
	}
	checker, err := httpapi.NewDPoP(settings.BaseURL, p.service.NonceSecrets()...)
	if err != nil {
		panic("refreshtokens: bad Binding: " + err.Error())
	}
	return checker
}

// offerKey puts the key that the request has proven into its context, where Issue and Refresh find it. The error is an
// [httpapi.ProofError].
func (g *Group) offerKey(c *gin.Context, atLogin bool) error {
	if g.dpop == nil {
		return nil
	}
	offer := binding.Offer{Policy: g.binding.Policy}
	thumbprint, err := g.dpop.Prove(c, "", g.plugin.service.Now())
	if err == nil && thumbprint == "" && atLogin && g.binding.Policy == plugin.BindingRequired {
		g.dpop.OfferNonce(c, g.plugin.service.Now())
		err = httpapi.NewProofError(httpapi.InvalidProof, httpapi.ErrNoProof)
	}
	if refused := new(httpapi.ProofError); errors.As(err, refused) {
		refused.AtLogin = atLogin
		return *refused
	}
	if thumbprint != "" {
		offer.Key = `{"jkt":"` + thumbprint + `"}`
	}
	*c.Request = *c.Request.WithContext(binding.With(c.Request.Context(), offer))
	return nil
}
