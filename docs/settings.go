package docs

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
)

// Settings say which routes an app has.
type Settings struct {
	// Bodies is the path of the group that carries tokens in bodies, such as "/v1", or "/" for the router itself. It may have Gin's
	// parameters: "/orgs/:org". Empty if there is no such group.
	Bodies string

	// Cookies is the path of the group that carries tokens in cookies. Empty if there is no such group.
	Cookies string

	// Binding tells whether the group with cookies binds sessions. It then has a route at which browsers bind them.
	Binding bool

	// JWKS tells whether the app publishes its keys by RegisterJWKS.
	JWKS bool

	// Server is the URL under which clients find these paths, for instance "https://example.com/api" where a proxy takes /api off the path.
	// Default: "/", on the server that the description comes from.
	Server string
}

// What openapi.yaml has: a group of each kind, with every route.
const (
	bodies  = "/v1/auth/"
	cookies = "/web/auth/"
	binding = cookies + "device-bound-session"
)

var (
	groupPath = regexp.MustCompile(`^/?$|^(/:?[A-Za-z0-9._~-]+)+/?$`)
	parameter = regexp.MustCompile(`:([^/]+)`)
)

func (s Settings) validate() error {
	if s.Bodies == "" && s.Cookies == "" {
		return errors.New("docs: set Bodies or Cookies to the path of a group")
	}
	for _, path := range []string{s.Bodies, s.Cookies} {
		if !groupPath.MatchString(path) {
			return fmt.Errorf(`docs: the path %q must be that of a group, like "/v1" or "/orgs/:org"`, path)
		}
		names := map[string]bool{sessionID: true}
		for _, name := range parameters(path) {
			if names[name] {
				return fmt.Errorf("docs: the path %q must have another name for its parameter %s, which occurs twice", path, name)
			}
			names[name] = true
		}
	}
	if s.Bodies != "" && s.Cookies != "" && templated(s.Bodies) == templated(s.Cookies) {
		return errors.New("docs: Bodies and Cookies must be the paths of different groups")
	}
	if _, err := url.Parse(s.Server); err != nil {
		return fmt.Errorf("docs: the Server must be a URL: %w", err)
	}
	return nil
}

// sessionID is the parameter in a path of openapi.yaml.
const sessionID = "sessionId"

// parameters returns the names of a path's parameters.
func parameters(path string) []string {
	found := parameter.FindAllStringSubmatch(path, -1)
	names := make([]string, len(found))
	for i := range found {
		names[i] = found[i][1]
	}
	return names
}

// templated returns a group's path in OpenAPI's form, where Gin's :name is {name}. It has no slash at its end.
func templated(path string) string {
	return parameter.ReplaceAllString(strings.TrimSuffix(path, "/"), "{$1}")
}

// choose keeps the paths that the app has, and sets the server.
func (s Settings) choose(document yaml.MapSlice) yaml.MapSlice {
	chosen := make(yaml.MapSlice, 0, len(document))
	for _, item := range document {
		switch item.Key {
		case "servers":
			if s.Server != "" {
				item.Value = []yaml.MapSlice{{{Key: "url", Value: s.Server}}}
			}
		case "paths":
			paths, _ := item.Value.(yaml.MapSlice)
			item.Value = s.choosePaths(paths)
		}
		chosen = append(chosen, item)
	}
	return chosen
}

func (s Settings) choosePaths(paths yaml.MapSlice) yaml.MapSlice {
	var chosen yaml.MapSlice
	for _, path := range paths {
		name, _ := path.Key.(string)
		operations, _ := path.Value.(yaml.MapSlice)
		has, group := s.JWKS, ""
		switch {
		case strings.HasPrefix(name, bodies):
			has, group = s.Bodies != "", s.Bodies
		case strings.HasPrefix(name, cookies):
			has, group = s.Cookies != "" && (s.Binding || name != binding), s.Cookies
		}
		if !has {
			continue
		}
		if declared := declare(parameters(group)); len(declared) > 0 {
			operations = append(yaml.MapSlice{{Key: "parameters", Value: declared}}, operations...)
		}
		chosen = append(chosen, yaml.MapItem{Key: name, Value: operations})
	}
	return chosen
}

// declare returns the parameters of a group's path.
func declare(names []string) []yaml.MapSlice {
	declared := make([]yaml.MapSlice, len(names))
	for i, name := range names {
		declared[i] = yaml.MapSlice{
			{Key: "name", Value: name}, {Key: "in", Value: "path"}, {Key: "required", Value: true},
			{Key: "schema", Value: yaml.MapSlice{{Key: "type", Value: "string"}}},
		}
	}
	return declared
}

// rename puts the paths of the app's groups in place of those in openapi.yaml, in the examples too.
func (s Settings) rename(text []byte) []byte {
	trim := func(path string) string { return strings.TrimSuffix(path, "/") }
	return []byte(strings.NewReplacer(
		trim(bodies), templated(s.Bodies)+"/auth", trim(cookies), templated(s.Cookies)+"/auth",
	).Replace(string(text)))
}
