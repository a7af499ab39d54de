package refreshtokens_test

import (
	"os/exec"
	"strings"
	"testing"
)

// compiled lists the packages that a package, or a program in a file, compiles.
func compiled(t *testing.T, path string) []string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return strings.Fields(string(output))
}

// isDatabase tells whether a package is GORM, a driver, or one of ours that knows them. database/sql/driver alone has interfaces, which
// the uuid package implements.
func isDatabase(path string) bool {
	for _, word := range []string{"gorm", "sqlite", "jackc/", "go-sql-driver", "refreshtokens/models", "refreshtokens/internal/store"} {
		if strings.Contains(path, word) {
			return true
		}
	}
	return path == "database/sql" || strings.HasSuffix(path, "refreshtokens/plugin")
}

// TestHostsCompileNoTelemetry, no client for key sets and no description of the routes, unless they import it.
func TestHostsCompileNoTelemetry(t *testing.T) {
	for _, dependency := range compiled(t, ".") {
		if strings.Contains(dependency, "telemetry") || strings.Contains(dependency, "prometheus") || strings.Contains(dependency, "jwkset") ||
			strings.HasSuffix(dependency, "refreshtokens/docs") {
			t.Errorf("compiled: %s", dependency)
		}
	}
}

// TestVerifiersCompileNoDatabase: who only verifies access tokens compiles neither GORM nor a driver; and no HTTP client for keys but in
// the package that is for it.
func TestVerifiersCompileNoDatabase(t *testing.T) {
	for _, path := range []string{"./middleware", "./plugin/token", "./plugin/token/jwks"} {
		for _, dependency := range compiled(t, path) {
			if isDatabase(dependency) || path != "./plugin/token/jwks" && strings.Contains(dependency, "jwkset") ||
				path == "./plugin/token" && (dependency == "net/http" || strings.Contains(dependency, "gin-gonic")) {
				t.Errorf("%s compiles %s", path, dependency)
			}
		}
	}
}
