package refreshtokens_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestHostsCompileNoTelemetry unless they import it.
func TestHostsCompileNoTelemetry(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for dependency := range strings.Lines(string(output)) {
		if strings.Contains(dependency, "telemetry") || strings.Contains(dependency, "prometheus") {
			t.Errorf("compiled: %s", dependency)
		}
	}
}
