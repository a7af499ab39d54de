package proof_test

import (
	"crypto"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

func BenchmarkCheck(b *testing.B) {
	for _, row := range []struct {
		alg string
		key crypto.Signer
	}{{"ES256", ecKey}, {"EdDSA", edKey}, {"RS256", rsaKey}, {"PS256", rsaKey}} {
		b.Run(row.alg, func(b *testing.B) {
			token := sign(row.alg, row.key, header(row.alg, row.key).text(), claims.text())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := proof.Check(token, expect); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify is the part of BenchmarkCheck/ES256 that can't be saved.
func BenchmarkVerify(b *testing.B) {
	verify := verifier("text")
	b.ReportAllocs()
	for b.Loop() {
		if !verify() {
			b.Fatal("refused")
		}
	}
}

func BenchmarkCheckRefresh(b *testing.B) {
	registration := must(proof.CheckRegistration(sign("ES256", ecKey, dbscHeader.text(), dbscClaims.text()), challenge("challenge-1")))
	token := sign("ES256", ecKey, dbscHeader.with(members{"jwk": nil}).text(), dbscClaims.text())
	b.ReportAllocs()
	for b.Loop() {
		if err := proof.CheckRefresh(token, registration.Key, challenge("challenge-1")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefuse is what a flood of proofs with bad signatures costs.
func BenchmarkRefuse(b *testing.B) {
	token := sign("ES256", must(newP256()), header("ES256", ecKey).text(), claims.text())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := proof.Check(token, expect); err == nil {
			b.Fatal("accepted")
		}
	}
}
