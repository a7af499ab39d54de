// Package conformance holds the black-box tests. They check a host over HTTP, on every database.
package conformance
