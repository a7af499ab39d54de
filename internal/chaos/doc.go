// Package chaos holds the tests that kill things: the app, its connections, and whole database servers, while devices
// refresh. Others let thousands of clients come at once. They run where REFRESHTOKENS_CHAOS (make test-chaos) or
// REFRESHTOKENS_GALERA (make test-galera) is set.
package chaos
