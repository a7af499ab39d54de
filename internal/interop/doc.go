// Package interop tests what the module signs, and what it accepts, against code and vectors that others wrote. It is a module of its
// own, so that nobody else needs them.
package interop
