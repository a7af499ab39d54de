package browsertest_test

import (
	"path/filepath"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

// TestSize keeps the module that people copy small.
func TestSize(t *testing.T) {
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{filepath.Join("..", "..", "example_app", "web", "refresh.js")},
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Format:            api.FormatESModule,
	})
	if len(result.Errors) > 0 || len(result.OutputFiles) != 1 {
		t.Fatalf("esbuild: %v", result.Errors)
	}
	const limit = 4096
	if size := len(result.OutputFiles[0].Contents); size >= limit {
		t.Errorf("refresh.js has %d bytes once minified, want less than %d", size, limit)
	} else {
		t.Logf("refresh.js has %d bytes once minified", size)
	}
}
