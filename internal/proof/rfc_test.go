package proof_test

import (
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

// The examples of RFC 9449. Both proofs are signed with one key, whose thumbprint §6.1 names.
const (
	rfcThumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

	rfcHeader = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpD" +
		"a0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	// §4.1
	rfcTokenRequest = rfcHeader + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUu" +
		"Y29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37x" +
		"RZT3Lg"
	// §7.1
	rfcResourceRequest = rfcHeader + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxl" +
		"Lm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFF" +
		"byJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfcAccessToken = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
)

func TestRFC9449Examples(t *testing.T) {
	for _, row := range []struct {
		name, proof, id string
		expect          proof.Expect
	}{
		{"token request", rfcTokenRequest, "-BwC3ESc6acc2lTc", proof.Expect{
			Method: "POST", URL: "https://server.example.com/token", Now: time.Unix(1562262616, 0),
		}},
		{"resource request", rfcResourceRequest, "e1j3V_bKic8-LAEB", proof.Expect{
			Method: "GET", URL: "https://resource.example.org/protectedresource", AccessToken: rfcAccessToken, Now: time.Unix(1562262618, 0),
		}},
	} {
		checked, err := proof.Check(row.proof, row.expect)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		} else if checked.ID != row.id || checked.Key.Thumbprint() != rfcThumbprint {
			t.Errorf("%s: jti %s and thumbprint %s, want %s and %s", row.name, checked.ID, checked.Key.Thumbprint(), row.id, rfcThumbprint)
		}
	}
}
