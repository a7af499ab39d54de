package proof_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/proof"
)

// What Chromium 156 sent, for the challenges below and the authorization "code-123". Both are by one key.
const (
	chromiumRegistration = "eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6Ilo1R0VScTBhQmtNM3lKSXhMNWpaNmdQ" +
		"MDVwQlRWNGNzbm00OGRwMl9veHMiLCJ5IjoiWVEwenB6dzRxalRvTThoMmVvemVrbFphcVQtWHhaUnlFaFFHR0ZRXy1BRSJ9LCJ0eXAiOiJkYnNjK2p3dCJ9" +
		".eyJhdXRob3JpemF0aW9uIjoiY29kZS0xMjMiLCJqdGkiOiJid1dOOVMycVd3UXlHeUNqd1B5dkFmWEIifQ.akbI6bu3sDg9TWLbXgXQlvereaOaURPRoe" +
		"XpQqrUj7kFGRAveZKt8fy1PGdEnmGit4ECeQCyLCZWOW1ECNq8lw"
	chromiumRefresh = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImRic2Mrand0In0.eyJqdGkiOiJjb25zdGFudCJ9.11Cfd-R-dTB2MFk5d1a9nw5hX1Lx6hy4AbUml" +
		"5yeIoMj42A_eMfPakcHM5u1mzi1ADtwdKgaudPxb9KMMo7G0Q"
)

func challenge(want string) func(string) bool { return func(got string) bool { return got == want } }

func TestChromiumsProofs(t *testing.T) {
	registration, err := proof.CheckRegistration(chromiumRegistration, challenge("bwWN9S2qWwQyGyCjwPyvAfXB"))
	if err != nil || registration.Authorization != "code-123" {
		t.Fatalf("registration: %+v, %v", registration, err)
	}
	if err := proof.CheckRefresh(chromiumRefresh, registration.Key, challenge("constant")); err != nil {
		t.Errorf("refresh: %v", err)
	}
	if err := proof.CheckRefresh(chromiumRefresh, registration.Key, challenge("another")); !errors.Is(err, proof.ErrNonce) {
		t.Errorf("a refresh for another challenge: %v, want %v", err, proof.ErrNonce)
	}
	if _, err := proof.CheckRegistration(chromiumRegistration, challenge("another")); !errors.Is(err, proof.ErrNonce) {
		t.Errorf("a registration for another challenge: %v, want %v", err, proof.ErrNonce)
	}
}

var (
	dbscHeader = members{"typ": "dbsc+jwt", "alg": "ES256", "jwk": publicJWK(ecKey)}
	dbscClaims = members{"jti": "challenge-1"}
)

func TestRegistration(t *testing.T) {
	for _, row := range []struct {
		name          string
		response      string
		authorization string
		err           error // nil where it is accepted
	}{
		{name: "the registration that the others are made from", response: sign("ES256", ecKey, dbscHeader.text(), dbscClaims.text())},
		{name: "with an authorization", response: sign("ES256", ecKey, dbscHeader.text(), dbscClaims.with(members{"authorization": "code"}).text()), authorization: "code"},
		{name: "with aud and iat", response: sign("ES256", ecKey, dbscHeader.text(), dbscClaims.with(members{"aud": "https://example.com/", "iat": 1}).text())},
		{name: "RS256", response: sign("RS256", rsaKey, members{"typ": "dbsc+jwt", "alg": "RS256", "jwk": publicJWK(rsaKey)}.text(), dbscClaims.text())},
		{name: "EdDSA", response: sign("EdDSA", edKey, members{"typ": "dbsc+jwt", "alg": "EdDSA", "jwk": publicJWK(edKey)}.text(), dbscClaims.text()), err: proof.ErrInvalid},
		{name: "a DPoP proof", response: sign("ES256", ecKey, header("ES256", ecKey).text(), dbscClaims.text()), err: proof.ErrInvalid},
		{name: "no jwk", response: sign("ES256", ecKey, dbscHeader.with(members{"jwk": nil}).text(), dbscClaims.text()), err: proof.ErrInvalid},
		{name: "a private jwk", response: sign("ES256", ecKey, dbscHeader.with(members{"jwk": privateJWK(ecKey)}).text(), dbscClaims.text()), err: proof.ErrInvalid},
		{name: "another key", response: sign("ES256", must(newP256()), dbscHeader.text(), dbscClaims.text()), err: proof.ErrInvalid},
		{name: "no jti", response: sign("ES256", ecKey, dbscHeader.text(), "{}"), err: proof.ErrInvalid},
		{name: "an empty jti", response: sign("ES256", ecKey, dbscHeader.text(), dbscClaims.with(members{"jti": ""}).text()), err: proof.ErrInvalid},
		{name: "jti too long", response: sign("ES256", ecKey, dbscHeader.text(), dbscClaims.with(members{"jti": strings.Repeat("x", 257)}).text()), err: proof.ErrInvalid},
		{name: "jti twice", response: sign("ES256", ecKey, dbscHeader.text(), `{"jti":"challenge-1","jti":"x"}`), err: proof.ErrInvalid},
		{name: "authorization a number", response: sign("ES256", ecKey, dbscHeader.text(), dbscClaims.with(members{"authorization": 1}).text()), err: proof.ErrInvalid},
		{name: "another challenge", response: sign("ES256", ecKey, dbscHeader.text(), dbscClaims.with(members{"jti": "challenge-2"}).text()), err: proof.ErrNonce},
		{name: "empty", response: "", err: proof.ErrInvalid},
	} {
		registration, err := proof.CheckRegistration(row.response, challenge("challenge-1"))
		if !errors.Is(err, row.err) || (err == nil) != (row.err == nil) || registration.Authorization != row.authorization {
			t.Errorf("%s: %q and %v, want %q and %v", row.name, registration.Authorization, err, row.authorization, row.err)
		}
	}
}

func TestRefresh(t *testing.T) {
	registration := must(proof.CheckRegistration(sign("ES256", ecKey, dbscHeader.text(), dbscClaims.text()), challenge("challenge-1")))
	header := dbscHeader.with(members{"jwk": nil}).text()
	thief := must(newP256())
	for _, row := range []struct {
		name     string
		response string
		err      error // nil where it is accepted
	}{
		{name: "by the key", response: sign("ES256", ecKey, header, dbscClaims.text())},
		{name: "by another key", response: sign("ES256", thief, header, dbscClaims.text()), err: proof.ErrInvalid},
		{
			name:     "by another key that comes along",
			response: sign("ES256", thief, dbscHeader.with(members{"jwk": publicJWK(thief)}).text(), dbscClaims.text()), err: proof.ErrInvalid,
		},
		{name: "another algorithm", response: sign("RS256", rsaKey, members{"typ": "dbsc+jwt", "alg": "RS256"}.text(), dbscClaims.text()), err: proof.ErrInvalid},
		{name: "another challenge", response: sign("ES256", ecKey, header, `{"jti":"challenge-2"}`), err: proof.ErrNonce},
		{name: "unsigned", response: sign("ES256", ecKey, `{"typ":"dbsc+jwt","alg":"none"}`, dbscClaims.text()), err: proof.ErrInvalid},
	} {
		if err := proof.CheckRefresh(row.response, registration.Key, challenge("challenge-1")); !errors.Is(err, row.err) || (err == nil) != (row.err == nil) {
			t.Errorf("%s: %v, want %v", row.name, err, row.err)
		}
	}
	if err := proof.CheckRefresh(sign("ES256", ecKey, header, dbscClaims.text()), proof.Key{}, challenge("challenge-1")); !errors.Is(err, proof.ErrInvalid) {
		t.Errorf("for a session without a key: %v, want %v", err, proof.ErrInvalid)
	}
}
