// Package conformance holds the black-box suites: what must hold for a host over HTTP, on every database.
package conformance
