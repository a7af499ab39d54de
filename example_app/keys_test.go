package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

func writePEM(t *testing.T, blocks ...*pem.Block) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pem")
	var content []byte
	for _, block := range blocks {
		content = append(content, pem.EncodeToMemory(block)...)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func privateBlock(t *testing.T, key crypto.Signer) *pem.Block {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}
}

func publicBlock(t *testing.T, key crypto.Signer) *pem.Block {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "PUBLIC KEY", Bytes: der}
}

// TestKeysFromFiles: the app signs with the key in the file, publishes it with those before it, and verifies with all of them.
func TestKeysFromFiles(t *testing.T) {
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	if err := db.AutoMigrate(&user{}); err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	settings := testSettings
	settings.AccessKeyFile = writePEM(t, privateBlock(t, testhost.AccessKey("EdDSA")))
	settings.PreviousAccessKeyFiles = []string{writePEM(t, publicBlock(t, testhost.AccessKey("ES256"))), writePEM(t, publicBlock(t, testhost.AccessKey("RS256")))}
	settings.JWTPreviousSecrets = []string{testhost.NewSecret}
	first := newClient(t, db, settings, quiet)
	tokens := first.account(first.do("POST", "/v1/auth/register", "", `{"name":"Ada","email":"ada@example.com","password":"correct horse 1"}`), 201).Tokens
	first.want(first.do("GET", "/v1/users/me", tokens.Access.Token, ""), 200, "")
	set := first.do("GET", "/.well-known/jwks.json", "", "")
	first.want(set, 200, "")
	for _, algorithm := range testhost.Algorithms {
		if strings.Count(set.body, `"alg":"`+algorithm+`"`) != 1 {
			t.Errorf("%s is not in the set %s", algorithm, set.body)
		}
	}

	// The change of both, as a process sees it that is deployed next.
	settings.JWTSecret, settings.JWTPreviousSecrets = testhost.NewSecret, []string{settings.JWTSecret}
	settings.AccessKeyFile = writePEM(t, privateBlock(t, testhost.AccessKey("ES256")))
	settings.PreviousAccessKeyFiles = []string{writePEM(t, publicBlock(t, testhost.AccessKey("EdDSA")))}
	second := newClient(t, db, settings, quiet)
	second.want(second.do("GET", "/v1/users/me", tokens.Access.Token, ""), 200, "")
	second.want(second.do("POST", "/v1/auth/refresh-tokens", "", `{"refreshToken":"`+tokens.Refresh.Token+`"}`), 200, "")
}

// TestFilesThatHoldNoKey: each is told apart, with what to do about it.
func TestFilesThatHoldNoKey(t *testing.T) {
	key := testhost.AccessKey("EdDSA")
	private, public := privateBlock(t, key), publicBlock(t, key)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("a secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	db := testdb.Open(t, testdb.SQLite(t), &gorm.Config{})
	for _, row := range []struct {
		name    string
		private string
		public  string
		says    string
	}{
		{"no such file", "nowhere.pem", "", "ACCESS_KEY_FILE: nowhere.pem can't be read"},
		{"no PEM", text, "", "is not in PEM"},
		{"a public key to sign with", writePEM(t, public), "", "is a public key, and a private one signs"},
		{"SEC 1", writePEM(t, &pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("x")}), "", "must hold a PRIVATE KEY (PKCS#8): convert it"},
		{"encrypted", writePEM(t, &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), "", "is encrypted"},
		{"two keys", writePEM(t, private, private), "", "more than one PEM block"},
		{"broken", writePEM(t, &pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), "", "is no private key"},
		{"P-384", writePEM(t, privateBlock(t, p384)), "", "AccessKey is on the curve P-384"},
		{"a private key to verify with", "", writePEM(t, private), "PREVIOUS_ACCESS_KEY_FILES: "},
		{"a private key to verify with, in words", "", writePEM(t, private), "is a private key: make the public one"},
		{"a certificate", "", writePEM(t, &pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), "is no public key"},
		{"the same key twice", writePEM(t, private), writePEM(t, public), "PreviousAccessKeys[0] is given twice"},
	} {
		settings := testSettings
		settings.AccessKeyFile = row.private
		if row.public != "" {
			settings.PreviousAccessKeyFiles = []string{row.public}
		}
		if _, err := newApp(db, settings, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// TestSecretsFromTheEnvironment: a comma parts two, and an empty variable is none.
func TestSecretsFromTheEnvironment(t *testing.T) {
	for value, want := range map[string]int{"": 0, "one": 1, "one,two": 2} {
		t.Setenv("JWT_PREVIOUS_SECRETS", value)
		if settings, _ := parse(t); len(settings.JWTPreviousSecrets) != want {
			t.Errorf("%q is %d secrets", value, len(settings.JWTPreviousSecrets))
		}
	}
}

// TestKeysOfTheRunbook runs the commands that docs/operating.md makes a key with, and reads what they made.
func TestKeysOfTheRunbook(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	text, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, commands, _ := strings.Cut(string(text), "```sh\n")
	commands, _, _ = strings.Cut(commands, "```\n")
	run := exec.CommandContext(t.Context(), "sh", "-ec", commands)
	run.Dir = t.TempDir()
	if output, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	private, err := readPrivateKey(filepath.Join(run.Dir, "access.pem"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := readPublicKey(filepath.Join(run.Dir, "access.pub.pem"))
	if err != nil || !private.Public().(ed25519.PublicKey).Equal(public) {
		t.Errorf("%v, %v", public, err)
	}
}
