package jose_test

import (
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
)

var benchPayload = []byte(`{"sub":"5ebac534954b54139806c112","sid":"019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f",` +
	`"iat":1767323045,"exp":1767927845,"auth_time":1767323045,"type":"refresh","gen":1}`)

func BenchmarkSign(b *testing.B) {
	k := jose.NewKey([]byte("an example of a secret with more than 32 bytes"))
	b.ReportAllocs()
	for b.Loop() {
		k.Sign(benchPayload)
	}
}

func BenchmarkVerify(b *testing.B) {
	k := jose.NewKey([]byte("an example of a secret with more than 32 bytes"))
	token := k.Sign(benchPayload)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (jose.Keys{k}).Verify(token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseRegistered(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := jose.ParseRegistered(benchPayload, jose.TypeRefresh); err != nil {
			b.Fatal(err)
		}
	}
}
