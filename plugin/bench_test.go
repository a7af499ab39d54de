package plugin_test

import (
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

func BenchmarkVerifyAccess(b *testing.B) {
	host := testhost.New(b, testdb.Open(b, testdb.SQLite(b), &gorm.Config{}))
	token := host.Login("5ebac534954b54139806c112").Access.Token
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := host.VerifyAccess(token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("golang-jwt", func(b *testing.B) {
		b.ReportAllocs()
		key := func(*jwt.Token) (any, error) { return []byte(testhost.Secret), nil }
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(host.Clock.Now))
		for b.Loop() {
			if _, err := parser.Parse(token, key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRefresh(b *testing.B) {
	for _, engine := range testdb.Engines() {
		b.Run(engine.Name, func(b *testing.B) {
			host := testhost.New(b, testdb.Open(b, engine.Open(b), &gorm.Config{}))
			token := host.Login("5ebac534954b54139806c112").Refresh.Token
			b.ReportAllocs()
			for b.Loop() {
				tokens, err := host.Refresh(b.Context(), token, plugin.Client{UserAgent: "bench/1.0", IP: "192.0.2.1"})
				if err != nil {
					b.Fatal(err)
				}
				token = tokens.Refresh.Token
			}
		})
	}
}

func BenchmarkIssue(b *testing.B) {
	for _, engine := range testdb.Engines() {
		b.Run(engine.Name, func(b *testing.B) {
			host := testhost.New(b, testdb.Open(b, engine.Open(b), &gorm.Config{}))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := host.Issue(b.Context(), "5ebac534954b54139806c112", plugin.Client{UserAgent: "bench/1.0", IP: "192.0.2.1"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
