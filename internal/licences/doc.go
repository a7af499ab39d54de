// Package licences holds the test that every module which a host or the example app compiles has a licence that asks for no more than
// its text to be kept. It is a module of its own, so that its dependency is nobody else's.
package licences
