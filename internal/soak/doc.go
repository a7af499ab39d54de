// Package soak has users of two processes log in, refresh, lose answers, get robbed and log out for as long as
// REFRESHTOKENS_SOAK says (make test-soak), while keys change, rows are purged and connections are killed. Each user knows at any
// time whether its session should live, so every refusal has to be explained. And nothing may leak.
package soak
