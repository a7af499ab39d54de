// Package moving holds the apps and the callbacks of docs/moving: an app before it moves here, and after. Its tests log users in with the
// one, switch to the other and refresh. It is a module of its own, so that nothing of the other systems is in a host's module graph.
package moving
