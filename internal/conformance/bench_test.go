package conformance_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// BenchmarkRefreshRoute measures a rotation from the request to the answer, without a network. The grace period is off,
// because within it the tokens would repeat.
func BenchmarkRefreshRoute(b *testing.B) {
	testdb.EachBenchmark(b, func(b *testing.B, db *gorm.DB) {
		host := testhost.New(b, db, testhost.Strict)
		token := host.Login("alice").Refresh.Token
		b.ReportAllocs()
		for b.Loop() {
			recorder := host.Post(testhost.RefreshPath, `{"refreshToken":"`+token+`"}`)
			var tokens plugin.Tokens
			if err := json.Unmarshal(recorder.Body.Bytes(), &tokens); err != nil || recorder.Code != http.StatusOK {
				b.Fatal(recorder.Code, err)
			}
			token = tokens.Refresh.Token
		}
	})
}
