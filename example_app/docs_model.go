package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// apiDescription is what the page shows of an OpenAPI description in which nothing is a $ref any more.
type apiDescription struct {
	Info       struct{ Title, Description string }
	Tags       []apiTag
	Paths      map[string]map[string]apiOperation // by path and method
	Components struct{ SecuritySchemes map[string]apiScheme }
}

type apiTag struct{ Name, Description string }

// ID returns an id of HTML for the tag. It has no spaces, and is no operation's.
func (t apiTag) ID() string { return "tag-" + strings.ReplaceAll(strings.ToLower(t.Name), " ", "-") }

type apiScheme struct{ Type, Scheme, In, Name, Description string }

type apiOperation struct {
	OperationID, Summary, Description string
	Tags                              []string
	Security                          []map[string][]string
	Parameters                        []apiParameter
	RequestBody                       *apiBody
	Responses                         map[string]apiBody // by status

	Method, Path string // from where it stands
}

type apiParameter struct {
	Name, In, Description string
	Required              bool
	Example               string
}

// apiBody is a request's body, or an answer.
type apiBody struct {
	Description string
	Headers     map[string]struct {
		Description string
		Required    bool
		Example     any // a string or a number
	}
	Content map[string]apiContent // by media type
}

type apiContent struct {
	Schema   apiSchema
	Example  json.RawMessage
	Examples map[string]struct {
		Summary string
		Value   json.RawMessage
	}
}

type apiSchema struct {
	Type, Description string
	Const             any
	Enum              []any
	Properties        map[string]apiSchema
	Items             *apiSchema
	Required          []string
}

// methods are in the order of the page.
var methods = []string{"post", "get", "delete"}

// Operations returns the operations of a tag.
func (d apiDescription) Operations(tag string) []apiOperation {
	var operations []apiOperation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range methods {
			if operation, ok := d.Paths[path][method]; ok && slices.Contains(operation.Tags, tag) {
				operation.Method, operation.Path = strings.ToUpper(method), path
				operations = append(operations, operation)
			}
		}
	}
	return operations
}

// Credentials returns what an operation takes: one of the elements, each with all of its schemes.
func (d apiDescription) Credentials(operation apiOperation) [][]apiScheme {
	alternatives := make([][]apiScheme, 0, len(operation.Security))
	for _, requirement := range operation.Security {
		var schemes []apiScheme
		for _, name := range slices.Sorted(maps.Keys(requirement)) {
			schemes = append(schemes, d.Components.SecuritySchemes[name])
		}
		alternatives = append(alternatives, schemes)
	}
	return alternatives
}

// Header returns the header that carries the credential.
func (s apiScheme) Header() string {
	switch {
	case s.In == "cookie":
		return "Cookie: " + s.Name + "=…"
	case s.In == "header":
		return s.Name + ": …"
	case s.Scheme == "bearer":
		return "Authorization: Bearer …"
	default:
		return "Authorization: " + s.Scheme + " …"
	}
}

// apiMember is a member of a JSON object, with its path within the body: sessions[].id.
type apiMember struct {
	Path     string
	Optional bool
	apiSchema
}

// Members returns the members of a schema that are no objects themselves.
func (s apiSchema) Members() []apiMember {
	var members []apiMember
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property, path := s.Properties[name], name
		if property.Type == "array" && property.Items != nil {
			property, path = *property.Items, name+"[]"
		}
		inner := property.Members()
		for _, member := range inner {
			member.Path = path + "." + member.Path
			members = append(members, member)
		}
		if len(inner) == 0 {
			members = append(members, apiMember{path, !slices.Contains(s.Required, name), property})
		}
	}
	return members
}

// indented returns JSON on lines of its own.
func indented(value json.RawMessage) (string, error) {
	var text bytes.Buffer
	err := json.Indent(&text, value, "", "  ")
	return text.String(), err
}

// paragraphs returns the paragraphs of a text, which empty lines separate.
func paragraphs(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n\n")
}
