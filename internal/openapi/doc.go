// Package openapi tests docs/openapi.yaml against the requests and answers of the conformance tests. It is a module of its own, so that
// nobody else needs the validator.
package openapi
