package openapi_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/seed-2f82c0fd/refreshtokens/docs"
)

// everything are the settings with which the description is docs/openapi.yaml.
var everything = docs.Settings{Bodies: "/v1", Cookies: "/web", Binding: true, JWKS: true}

// description is a description with its validators.
type description struct {
	model     *v3.Document
	document  validator.Validator // of the description itself
	requests  validator.Validator // lets a request have more than it needs, as the routes do
	answers   validator.Validator // knows every member and every header of an answer
	headers   validator.Validator // as answers, for those whose body is left out
	operation map[string]*v3.Operation
}

var (
	cacheLock sync.Mutex
	cache     = map[docs.Settings]*description{}
)

// describe returns the description of the routes that the settings tell of.
func describe(t *testing.T, settings docs.Settings) *description {
	t.Helper()
	cacheLock.Lock()
	defer cacheLock.Unlock()
	if known := cache[settings]; known != nil {
		return known
	}
	api, err := docs.NewOpenAPI(settings)
	if err != nil {
		t.Fatal(err)
	}
	document, err := libopenapi.NewDocument(api.YAML())
	if err != nil {
		t.Fatal(err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	whole, problems := validator.NewValidator(document)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	strict := []config.Option{
		config.WithFormatAssertions(), config.WithStrictMode(),
		config.WithStrictIgnoredHeaders("Content-Type", "Content-Length", "Connection"),
	}
	d := &description{
		model:     &model.Model,
		document:  whole,
		requests:  validator.NewValidatorFromV3Model(&model.Model, config.WithFormatAssertions()),
		answers:   validator.NewValidatorFromV3Model(&model.Model, strict...),
		headers:   validator.NewValidatorFromV3Model(&model.Model, append(strict, config.WithoutResponseBodyValidation())...),
		operation: map[string]*v3.Operation{},
	}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			d.operation[strings.ToUpper(method)+" "+path] = operation
		}
	}
	cache[settings] = d
	return d
}

// explain puts what a validator found into one line.
func explain(found []*errors.ValidationError) string {
	var lines []string
	for _, one := range found {
		line := one.Message + ": " + one.Reason
		for _, detail := range one.SchemaValidationErrors {
			line += fmt.Sprintf(" [%s at %s]", detail.Reason, detail.KeywordLocation)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}
