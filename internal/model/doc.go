// Package model holds a model of how sessions are refreshed, refresh.pml, and the tests that have Spin check it. They run where
// REFRESHTOKENS_MODEL is set (make model).
//
// decisions.txt is what the model's rules say. A test of package plugin compares it with the code.
package model
