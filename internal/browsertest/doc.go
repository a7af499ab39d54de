// Package browsertest holds the tests that drive the example app's page in Chromium. They run where REFRESHTOKENS_BROWSER is set
// (make test-browser). They are a module of their own, so that no host downloads what drives a browser.
package browsertest
