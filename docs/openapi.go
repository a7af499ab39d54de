// Package docs has the OpenAPI description of the routes that package refreshtokens adds to an app, for apps that want to serve it:
//
//	api, err := docs.NewOpenAPI(docs.Settings{Bodies: "/v1", JWKS: true})
//	router.GET("/openapi.yaml", gin.WrapH(api))
//
// The rest of the directory is documentation. An app that doesn't import the package compiles none of it.
package docs

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for openapi.yaml
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var source []byte

// OpenAPI is the description (OpenAPI 3.1) of an app's routes. It serves itself: as JSON if the path of the request ends in ".json", and
// as YAML otherwise. It may be cached, but has to be asked for again each time.
type OpenAPI struct {
	yaml, json file
}

type file struct {
	mediaType, etag string
	content         []byte
}

// NewOpenAPI returns the description of an app's routes. The error says which setting is wrong.
func NewOpenAPI(settings Settings) (*OpenAPI, error) {
	if err := settings.validate(); err != nil {
		return nil, err
	}
	var document yaml.MapSlice // keeps the order
	if err := yaml.UnmarshalWithOptions(source, &document, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("docs: read openapi.yaml: %w", err)
	}
	asYAML, err := yaml.MarshalWithOptions(settings.choose(document), yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("docs: write YAML: %w", err)
	}
	asYAML = settings.rename(asYAML)
	var value any
	if err := yaml.Unmarshal(asYAML, &value); err != nil {
		return nil, fmt.Errorf("docs: read the YAML: %w", err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("docs: write JSON: %w", err)
	}
	return &OpenAPI{newFile("application/yaml", asYAML), newFile("application/json", asJSON)}, nil
}

func newFile(mediaType string, content []byte) file {
	sum := sha256.Sum256(content)
	return file{mediaType, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, content}
}

// YAML returns the description as YAML.
func (o *OpenAPI) YAML() []byte { return bytes.Clone(o.yaml.content) }

// JSON returns the description as JSON.
func (o *OpenAPI) JSON() []byte { return bytes.Clone(o.json.content) }

// ServeHTTP answers with the description.
func (o *OpenAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	chosen := o.yaml
	if strings.HasSuffix(r.URL.Path, ".json") {
		chosen = o.json
	}
	header := w.Header()
	header.Set("Content-Type", chosen.mediaType) // of YAML: RFC 9512
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", chosen.etag)
	header.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(chosen.content))
}
