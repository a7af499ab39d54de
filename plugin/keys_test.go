package plugin_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

func TestNewSaysWhatIsWrongWithTheKeys(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	key, next := testhost.AccessKey("EdDSA"), testhost.AccessKey("ES256")
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	rsa1024, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	secrets := func(n int) (all [][]byte) {
		for i := range n {
			all = append(all, fmt.Appendf(nil, "secret %d is long enough to be one, too", i))
		}
		return all
	}
	for _, row := range []struct {
		name  string
		twist func(*plugin.Config)
		says  string
	}{
		{"a weak previous secret", func(c *plugin.Config) { c.PreviousSecrets = [][]byte{[]byte("short")} }, "PreviousSecrets[0] has 5 bytes and needs 32 or more"},
		{"a nil previous secret", func(c *plugin.Config) { c.PreviousSecrets = append(secrets(1), nil) }, "PreviousSecrets[1] has 0 bytes"},
		{"a previous secret of one byte", func(c *plugin.Config) { c.PreviousSecrets = [][]byte{make([]byte, 32)} }, "PreviousSecrets[0] is one byte, repeated"},
		{"the secret among the previous", func(c *plugin.Config) { c.PreviousSecrets = [][]byte{c.Secret} }, "PreviousSecrets[0] is given twice"},
		{"a previous secret twice", func(c *plugin.Config) { c.PreviousSecrets = append(secrets(1), secrets(1)...) }, "PreviousSecrets[1] is given twice"},
		{"too many secrets", func(c *plugin.Config) { c.PreviousSecrets = secrets(9) }, "PreviousSecrets has 9 secrets and may have 8"},
		{"a nil pointer as the key", func(c *plugin.Config) { c.AccessKey = (*ecdsa.PrivateKey)(nil) }, "AccessKey is no key: its Public method panicked"},
		{"P-384", func(c *plugin.Config) { c.AccessKey = p384 }, "AccessKey is on the curve P-384 and must be on P-256"},
		{"RSA-1024", func(c *plugin.Config) { c.AccessKey = rsa1024 }, "AccessKey is an RSA key of 1024 bits and must have 2048"},
		{"a private key among the previous", func(c *plugin.Config) { c.PreviousAccessKeys = []crypto.PublicKey{key} }, "PreviousAccessKeys[0] is a private key: pass what its Public method returns"},
		{"a nil key among the previous", func(c *plugin.Config) { c.PreviousAccessKeys = []crypto.PublicKey{nil} }, "PreviousAccessKeys[0] is nil"},
		{"a secret among the keys", func(c *plugin.Config) { c.PreviousAccessKeys = []crypto.PublicKey{c.Secret} }, "PreviousAccessKeys[0] is a []uint8"},
		{"the key among the previous", func(c *plugin.Config) {
			c.AccessKey, c.PreviousAccessKeys = key, []crypto.PublicKey{next.Public(), key.Public()}
		}, "PreviousAccessKeys[1] is given twice"},
		{"too many keys", func(c *plugin.Config) { c.PreviousAccessKeys = make([]crypto.PublicKey, 9) }, "PreviousAccessKeys has 9 keys and may have 8"},
		{"a key that fails", func(c *plugin.Config) { c.AccessKey = &kms{Signer: key, fails: always} }, "sign with AccessKey: the service is down"},
		{"a client id without a key", func(c *plugin.Config) { c.ClientID, c.Issuer, c.Audience = "app", "i", "a" }, "ClientID asks for access tokens of RFC 9068, which need AccessKey"},
		{"a client id without an audience", func(c *plugin.Config) { c.ClientID, c.Issuer, c.AccessKey = "app", "i", key }, "need AccessKey, Issuer and Audience"},
	} {
		config := plugin.Config{DB: db, Secret: []byte(testhost.Secret)}
		row.twist(&config)
		_, err := plugin.New(config)
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", row.name, err)
		}
		if err != nil && strings.Contains(err.Error(), testhost.Secret) {
			t.Errorf("%s: the secret is in the error", row.name)
		}
	}
}

// kms is a key that is elsewhere.
type kms struct {
	crypto.Signer
	slow  time.Duration
	fails func(call int64) bool
	calls atomic.Int64
}

func always(int64) bool { return true }

// errDown is what a careless host might return: one of our errors, wrapped.
var errDown = fmt.Errorf("the service is down: %w", plugin.ErrInvalidToken)

func (k *kms) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	call := k.calls.Add(1)
	if k.slow > 0 {
		<-time.After(k.slow)
	}
	if k.fails != nil && k.fails(call) {
		return nil, errDown
	}
	return k.Signer.Sign(random, digest, options)
}

// TestKeyElsewhere: browsers with two tabs refresh with a key that takes 50 ms and fails one time in three. Whatever fails spends
// nothing, so they try again, and nobody is logged out.
func TestKeyElsewhere(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		key := &kms{Signer: testhost.AccessKey("ES256"), slow: 50 * time.Millisecond}
		host := testhost.New(t, db, func(config *refreshtokens.Config) { config.AccessKey = key })
		const sessions, tabs, rounds, tries = 5, 2, 3, 20
		live := make([]string, sessions)
		for i := range live {
			live[i] = host.Login("alice").Refresh.Token
		}
		key.fails = func(call int64) bool { return call%3 == 0 }
		failed := atomic.Int64{}
		for range rounds {
			var wait sync.WaitGroup
			next := make([][tabs]string, sessions)
			for i, presented := range live {
				for tab := range tabs {
					wait.Go(func() {
						for range tries {
							tokens, err := host.Refresh(t.Context(), presented, plugin.Device{})
							if err == nil {
								next[i][tab] = tokens.Refresh.Token
								return
							}
							failed.Add(1)
							if !strings.Contains(err.Error(), "the service is down") || errors.Is(err, plugin.ErrInvalidToken) {
								t.Error(err)
							}
						}
					})
				}
			}
			wait.Wait()
			for i := range live {
				if next[i][0] == "" || next[i][0] != next[i][1] {
					t.Fatal("two tabs have different tokens, or none")
				}
				live[i] = next[i][0]
			}
			host.Clock.Advance(2 * testhost.Grace)
		}
		if failed.Load() == 0 {
			t.Error("no signature failed")
		}
		for _, row := range host.Rows() {
			if row.RevokedAt != 0 || row.Generation != 1+rounds {
				t.Errorf("a row is %+v", row)
			}
		}
	})
}

// TestFailedSignatureSpendsNothing: not a row is written.
func TestFailedSignatureSpendsNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		key := &kms{Signer: testhost.AccessKey("EdDSA")}
		host := testhost.New(t, db, func(config *refreshtokens.Config) { config.AccessKey = key })
		tokens := host.Login("alice")
		claims, err := host.VerifyAccess(tokens.Access.Token)
		if err != nil {
			t.Fatal(err)
		}
		before := fmt.Sprint(host.Rows())
		key.fails = always
		if _, err := host.Refresh(t.Context(), tokens.Refresh.Token, plugin.Device{}); err == nil {
			t.Error("refreshed without a signature")
		}
		if _, err := host.Issue(t.Context(), "bob", plugin.Device{}); err == nil {
			t.Error("logged in without a signature")
		}
		if _, err := host.Reauthenticate(t.Context(), claims); err == nil {
			t.Error("elevated without a signature")
		}
		if after := fmt.Sprint(host.Rows()); after != before {
			t.Errorf("the rows changed to %s", after)
		}
		if failed := host.Stats().Failed; failed != 1 {
			t.Errorf("%d refreshes are counted as failed", failed)
		}
		key.fails = nil
		if next := host.MustRefresh(tokens.Refresh.Token); host.Claims(next.Refresh.Token)["gen"].(fmt.Stringer).String() != "2" {
			t.Error("the token was spent")
		}
	})
}

// TestHangingKeyEndsARefresh within the refresh's time limit. The token is good once the key answers again.
func TestHangingKeyEndsARefresh(t *testing.T) {
	key := &kms{Signer: testhost.AccessKey("EdDSA")}
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), func(config *refreshtokens.Config) {
		config.AccessKey, config.GracePeriod = key, 2*time.Second // so that a refresh may take half a second
	})
	tokens := host.Login("alice")
	release := make(chan struct{})
	key.fails = func(int64) bool { <-release; return false }
	gone, hangUp := context.WithCancel(t.Context())
	hangUp() // a client that hangs up stops no refresh
	if _, err := host.Refresh(gone, tokens.Refresh.Token, plugin.Device{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if _, err := host.Issue(gone, "bob", plugin.Device{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
	if rows := host.Rows(); len(rows) != 1 || rows[0].Generation != 1 {
		t.Errorf("rows are %+v", rows)
	}
	host.MustRefresh(tokens.Refresh.Token)
}

// TestRFC9068 checks the header and the claims of RFC 9068 §2.
func TestRFC9068(t *testing.T) {
	var custom map[string]any
	host := testhost.New(t, testdb.Open(t, testdb.SQLite(t), &gorm.Config{}), testhost.WithAccessKey("RS256"), func(config *refreshtokens.Config) {
		config.Issuer, config.Audience, config.ClientID = "https://auth.example.com", "https://api.example.com", "the app"
		config.Claims = func(context.Context, plugin.Session) (map[string]any, error) { return custom, nil }
	})
	first, second := host.Login("alice"), host.Login("alice")
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(first.Access.Token, ".")[0])
	if err != nil || !strings.Contains(string(header), `"typ":"at+jwt"`) {
		t.Errorf("the header is %s, %v", header, err)
	}
	claims := host.Claims(first.Access.Token)
	for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "auth_time"} {
		if claims[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if claims["client_id"] != "the app" || claims["jti"] == host.Claims(second.Access.Token)["jti"] || host.Claims(first.Refresh.Token)["jti"] != nil {
		t.Errorf("claims are %v", claims)
	}
	if _, err := host.VerifyAccess(first.Access.Token); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"client_id", "CLIENT_ID", "jti"} {
		custom = map[string]any{name: "another"}
		if _, err := host.Issue(t.Context(), "alice", plugin.Device{}); !errors.Is(err, plugin.ErrInvalidClaims) {
			t.Errorf("the callback set %s: %v", name, err)
		}
	}
}

// TestChangeOfTheProfile: tokens with and without the form of RFC 9068 are accepted beside each other, so that it can be turned on and
// off.
func TestChangeOfTheProfile(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	parties := func(config *refreshtokens.Config) { config.Issuer, config.Audience = "i", "a" }
	with := testhost.New(t, db, testhost.WithAccessKey("EdDSA"), parties, func(config *refreshtokens.Config) { config.ClientID = "app" })
	without := testhost.New(t, db, testhost.WithAccessKey("EdDSA"), parties)
	for _, access := range []string{with.Login("alice").Access.Token, without.Login("alice").Access.Token} {
		for _, host := range []*testhost.Host{with, without} {
			if _, err := host.VerifyAccess(access); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPublicKeys: the key that signs is the first.
func TestPublicKeys(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	if keys := testhost.New(t, db).Service().PublicKeys(); len(keys) != 0 {
		t.Errorf("a secret has the public keys %v", keys)
	}
	host := testhost.New(t, db, testhost.WithAccessKey("EdDSA"), func(config *refreshtokens.Config) {
		config.PreviousAccessKeys = []crypto.PublicKey{testhost.AccessKey("ES256").Public()}
	})
	keys := host.Service().PublicKeys()
	if len(keys) != 2 || keys[0].Algorithm != "EdDSA" || keys[1].Algorithm != "ES256" {
		t.Fatalf("%v", keys)
	}
	if public, err := token.NewPublicKey(testhost.AccessKey("EdDSA").Public()); err != nil || public.ID != keys[0].ID {
		t.Errorf("%v, %v", public, err)
	}
}
