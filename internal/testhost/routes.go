package testhost

import (
	"strings"

	"github.com/seed-2f82c0fd/refreshtokens"
)

// groupRoutes are the ends of the paths of a group's routes. The longest comes first where one has another in it.
var groupRoutes = []string{
	"/auth/refresh-tokens/:id", "/auth/refresh-tokens/", "/auth/refresh-tokens", "/auth/logout", "/auth/device-bound-session",
}

// SplitRoute splits the path of a route of the plugin's, in Gin's form, into that of its group and the rest. Of a route that isn't the
// plugin's, it returns "" twice.
func SplitRoute(path string) (group, route string) {
	if path == refreshtokens.JWKSPath {
		return "", path
	}
	for _, route := range groupRoutes {
		if group, ok := strings.CutSuffix(path, route); ok {
			return group, route
		}
	}
	return "", ""
}
