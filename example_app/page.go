package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/gin-gonic/gin"
)

//go:embed web/*.html web/*.css web/*.js web/*.svg
var pageFiles embed.FS

// pageTypes are the media types of the page's files. The table of the operating system may have others, or none.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// pagePolicy lets the page load its own files and call its own API, and nothing else: no script or style within the HTML, no
// other origin, no frame around it.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// addPage serves the files of web/: index.html at /, and each other at its name.
func addPage(router gin.IRouter) error {
	names, err := fs.Glob(pageFiles, "web/*")
	if err != nil {
		return err
	}
	for _, name := range names {
		content, err := pageFiles.ReadFile(name)
		if err != nil {
			return err
		}
		route := "/" + path.Base(name)
		if route == "/index.html" {
			route = "/"
		}
		router.Match([]string{http.MethodGet, http.MethodHead}, route, servePageFile(pageTypes[path.Ext(name)], content))
	}
	return nil
}

// servePageFile serves one file. Its name stays the same when its content changes, so a browser has to ask each time whether it
// has the newest. The ETag makes that answer short.
func servePageFile(mediaType string, content []byte) gin.HandlerFunc {
	sum := sha256.Sum256(content)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return func(c *gin.Context) {
		for name, value := range map[string]string{
			"Content-Type":               mediaType,
			"Cache-Control":              "no-cache",
			"ETag":                       etag,
			"Content-Security-Policy":    pagePolicy,
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			c.Header(name, value)
		}
		http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(content))
	}
}
