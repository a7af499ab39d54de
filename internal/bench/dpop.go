package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// proofs measures refreshes with a DPoP proof, at one client and at many.
func (r *run) proofs() {
	check := time.Duration(checkES256().NsPerOp())
	r.section("A refresh with a DPoP proof", fmt.Sprintf("Every refresh rotates, and carries an ES256 proof of its own (RFC 9449). Each client has a key, and "+
		"signs all its proofs before the clock starts: what is measured is the server's time. They share one nonce. "+
		"A bare check of an ES256 signature takes %s on this machine. The time of a refresh at one client is its p50.", micros(check)),
		"server", "a refresh at one client", "more than the floor", "refreshes/s at 16 clients", "of the floor's", "statements each")
	r.number("ES256 check, µs", float64(check)/1e3)
	for _, e := range []*engine{r.pg, r.maria, r.lite} {
		var statements counter
		config := quiet(e.db.Session(&gorm.Session{Logger: &statements}))
		config.GracePeriod = noGrace
		auth, addr := host(config, refreshtokens.WithBinding(refreshtokens.Binding{Policy: plugin.BindingIfOffered}))
		bare, mint := floor(e.floor), mintOurs(auth)
		// More proofs than a client can send: they would start over.
		few, many := 8*int(r.duration/time.Millisecond)+1, int(r.duration/time.Millisecond)+1
		one := []*contender{
			{name: "floor", addr: bare, requests: chainsFor(1, mintFloor(e), "/refresh", "refreshToken", "")},
			{name: "**refreshtokens**, no proof", addr: addr, requests: chainsFor(1, mint, refreshPath, "refreshToken", refreshMark)},
			{name: "**refreshtokens**, with a proof", addr: addr, requests: proving(addr, 1, few, mint)},
		}
		all := []*contender{
			{addr: bare, requests: chains(mintFloor(e), "/refresh", "refreshToken", "")},
			{addr: addr, requests: chains(mint, refreshPath, "refreshToken", refreshMark)},
			{addr: addr, requests: proving(addr, clients, many, mint)},
		}
		r.compete(one...)
		r.compete(all...)
		f1, f16 := one[0].median(), all[0].median()
		r.row("floor, "+e.name, micros(f1.p50), "", thousands(f16.perSecond))
		for i := range one[1:] {
			m1, m16 := one[i+1].median(), all[i+1].median()
			cells := []string{one[i+1].name + ", " + e.name, micros(m1.p50), micros(m1.p50 - f1.p50), thousands(m16.perSecond), times(m16.speed(f16))}
			if i == 1 {
				each := statements.each(addr, proving(addr, 1, 200, mint)()[0])
				cells = append(cells, fmt.Sprintf("%.2f", each))
				r.atMost("statements of a refresh with a DPoP proof, "+e.name, each, 1, "each")
				r.atMost("time of a refresh with a DPoP proof, more than the floor's, "+e.name, float64(m1.p50-f1.p50)/1e3, 100, "µs")
				r.number("refreshes with DPoP, "+e.name+", /s", m16.perSecond)
			}
			r.row(cells...)
		}
	}
}

// proving gives each client a chain of tokens, a key, and n proofs that are signed ahead of time. The first refresh binds the session
// to the key.
func proving(addr string, clients, n int, mint func() string) func() []request {
	return func() []request {
		nonce := askNonce(addr)
		all := make([]request, clients)
		var wait sync.WaitGroup
		for i := range all {
			wait.Go(func() {
				key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
				proofs := make([]string, n)
				for j := range proofs {
					proofs[j] = proof(key, "http://"+addr+refreshPath, nonce)
				}
				next, sent := chain(refreshPath, "refreshToken", mint(), refreshMark), 0
				all[i] = func(last *answer) call {
					c := next(last)
					c.headers = []header{{"DPoP", proofs[sent%n]}}
					sent++
					return c
				}
			})
		}
		wait.Wait()
		return all
	}
}

// proof returns a DPoP proof for a refresh (RFC 9449 §4.2).
func proof(key *ecdsa.PrivateKey, url, nonce string) string {
	point := must(key.PublicKey.Bytes())[1:] // after the 4 of an uncompressed point
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"jti": rand.Text(), "htm": http.MethodPost, "htu": url, "iat": time.Now().Unix(), "nonce": nonce,
	})
	token.Header["typ"] = "dpop+jwt"
	token.Header["jwk"] = map[string]string{
		"kty": "EC", "crv": "P-256",
		"x": base64.RawURLEncoding.EncodeToString(point[:32]), "y": base64.RawURLEncoding.EncodeToString(point[32:]),
	}
	return must(token.SignedString(key))
}

// askNonce returns the server's nonce, which a proof without one is answered with.
func askNonce(addr string) string {
	request := must(http.NewRequest(http.MethodPost, "http://"+addr+refreshPath, http.NoBody))
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	request.Header.Set("DPoP", proof(key, "http://"+addr+refreshPath, ""))
	request.Header.Set("Content-Type", "application/json")
	response := must(http.DefaultClient.Do(request))
	_ = response.Body.Close()
	nonce := response.Header.Get("DPoP-Nonce")
	if nonce == "" {
		log.Fatalf("no nonce: %s", response.Status)
	}
	return nonce
}

// checkES256 measures a check of an ES256 signature and nothing else.
func checkES256() testing.BenchmarkResult {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	sum := sha256.Sum256([]byte(subject))
	signature := must(ecdsa.SignASN1(rand.Reader, key, sum[:]))
	return testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], signature) {
				b.Fatal("it does not verify")
			}
		}
	})
}
