package main

import (
	"bytes"
	_ "embed" // for the page
	"encoding/json"
	"html/template"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/docs"
)

//go:embed docs.html
var docsTemplate string

// addDocs serves the description of the library's routes at /openapi.yaml and /openapi.json, and as a page at /docs.
func addDocs(router gin.IRouter, bound bool) error {
	api, err := docs.NewOpenAPI(docs.Settings{Bodies: "/v1", Cookies: "/web", Binding: bound, JWKS: true})
	if err != nil {
		return err
	}
	page, err := docsPage(api.JSON())
	if err != nil {
		return err
	}
	methods := []string{http.MethodGet, http.MethodHead}
	router.Match(methods, "/openapi.yaml", gin.WrapH(api))
	router.Match(methods, "/openapi.json", gin.WrapH(api))
	router.Match(methods, "/docs", servePageFile(pageTypes[".html"], page))
	return nil
}

// docsPage renders a description as HTML.
func docsPage(description []byte) ([]byte, error) {
	var whole map[string]any
	if err := json.Unmarshal(description, &whole); err != nil {
		return nil, err
	}
	resolved, err := json.Marshal(resolve(whole, whole))
	if err != nil {
		return nil, err
	}
	var api apiDescription
	if err := json.Unmarshal(resolved, &api); err != nil {
		return nil, err
	}
	page, err := template.New("docs").Funcs(template.FuncMap{"indented": indented, "paragraphs": paragraphs}).Parse(docsTemplate)
	if err != nil {
		return nil, err
	}
	var html bytes.Buffer
	if err := page.Execute(&html, api); err != nil {
		return nil, err
	}
	return html.Bytes(), nil
}
