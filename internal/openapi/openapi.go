// Package openapi describes route tables as an OpenAPI 3.1 document. It is the
// only package that knows the library which reflects Go types into schemas.
//
// What a schema says comes from the same struct tags that route.Decode obeys, so
// that the document cannot promise what the server does not do.
package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// Info is what the document says beside the routes.
type Info struct {
	// Title, Version and Description are those of the host's API.
	Title, Version, Description string
	// ServerURL is the base URL with the mount path. Defaults to none.
	ServerURL string
	// SessionCookie is the name of the session's cookie (R27). Required.
	SessionCookie string
}

// The names of the ways to be somebody.
const (
	cookieAuth = "session"
	bearerAuth = "bearer"
	keyAuth    = "apiKey"
	problemRef = "Problem"
)

// Document returns the document of all tables as JSON. It is made once and
// served as it is; equal tables give equal bytes.
func Document(tables []route.Table, info Info) ([]byte, error) {
	d := document{openapi31.NewReflector()}
	d.AddTypeMapping(route.Time{}, time.Time{})
	d.DefaultOptions = append(d.DefaultOptions, jsonschema.InterceptProp(asDecoded))
	d.describe(info)
	if err := d.addProblem(); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	var errs []error
	for _, t := range tables {
		for _, r := range t {
			if err := d.add(r); err != nil {
				errs = append(errs, fmt.Errorf("openapi: %s: %w", r.Pattern(), err))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.MarshalIndent(d.Spec, "", "  ")
}

// Handler serves doc.
func Handler(doc []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(doc)))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodHead {
			// The client may be gone; there is nobody left to tell.
			_, _ = w.Write(doc)
		}
	}
}

type document struct{ *openapi31.Reflector }

func (d document) describe(info Info) {
	d.Spec.SetTitle(info.Title)
	d.Spec.SetVersion(info.Version)
	if info.Description != "" {
		d.Spec.SetDescription(info.Description)
	}
	if info.ServerURL != "" {
		d.Spec.WithServers(openapi31.Server{URL: info.ServerURL})
	}
	d.Spec.SetAPIKeySecurity(cookieAuth, info.SessionCookie, openapi.InCookie, "The session's cookie, set by every sign-in.")
	d.Spec.SetHTTPBearerTokenSecurity(bearerAuth, "", "An access token, for clients that sign in with X-Token-Mode: bearer.")
	d.Spec.SetAPIKeySecurity(keyAuth, "X-Api-Key", openapi.InHeader, "An API key of a user or an organization.")
}

// addProblem puts the one shape of errors where every route refers to it.
func (d document) addProblem() error {
	schema, err := d.Reflect(problem.Document{}, jsonschema.InlineRefs)
	if err != nil {
		return err
	}
	plain, err := schema.ToSchemaOrBool().ToSimpleMap()
	if err != nil {
		return err
	}
	response := openapi31.Response{Description: "A problem (RFC 9457); code says which."}
	response.WithContentItem(problem.ContentType, openapi31.MediaType{Schema: plain})
	d.Spec.ComponentsEns().WithResponsesItem(problemRef, openapi31.ResponseOrReference{Response: &response})
	return nil
}

func (d document) add(r route.Route) error {
	oc, err := d.NewOperationContext(r.Method, strings.ReplaceAll(r.Path, "...}", "}"))
	if err != nil {
		return err
	}
	oc.SetID(operationID(r))
	oc.SetSummary(r.Summary)
	oc.SetTags(tag(r.Path))
	if text := description(r); text != "" {
		oc.SetDescription(text)
	}
	addSecurity(oc, r.Access)
	addPath(oc, r)
	addInput(oc, r)
	addAnswers(oc, r)
	return d.AddOperation(oc)
}

// description says what the schemas can't.
func description(r route.Route) string {
	var sentences []string
	if r.Fresh > 0 {
		sentences = append(sentences, fmt.Sprintf("Needs a proof that is at most %v old, of the second factor where one is enrolled; "+
			"403 SESSION_NOT_FRESH asks for a step-up.", r.Fresh))
	}
	if r.InPerson {
		sentences = append(sentences, "Not for a superuser who acts as the user.")
	}
	if len(r.Ignored) > 0 {
		sentences = append(sentences, "Accepted and ignored: "+strings.Join(r.Ignored, ", ")+".")
	}
	return strings.Join(sentences, " ")
}

// addSecurity lists the alternatives for a route that wants somebody. No API key
// opens a superuser's route (R22).
func addSecurity(oc openapi.OperationContext, access route.Access) {
	if access == route.Public {
		return
	}
	oc.AddSecurity(cookieAuth)
	oc.AddSecurity(bearerAuth)
	if access != route.Superuser {
		oc.AddSecurity(keyAuth)
	}
}

func addPath(oc openapi.OperationContext, r route.Route) {
	exposed, ok := oc.(openapi31.OperationExposer)
	if !ok {
		return
	}
	op := exposed.Operation()
	for _, name := range r.Wildcards() {
		p := openapi31.Parameter{Name: name, In: openapi31.ParameterInPath, Schema: map[string]any{"type": "string"}}
		p.WithRequired(true)
		op.Parameters = append(op.Parameters, p.ToParameterOrRef())
	}
}

const (
	mediaJSON  = "application/json"
	mediaForm  = "application/x-www-form-urlencoded"
	mediaBytes = "application/octet-stream"
)

func addInput(oc openapi.OperationContext, r route.Route) {
	query := r.Query
	if !r.HasBody() {
		query = r.Request
	}
	if query != nil {
		oc.AddReqStructure(query, openapi.WithContentType(mediaForm), func(cu *openapi.ContentUnit) {
			cu.SetFieldMapping(openapi.InQuery, route.QueryNames(query))
		})
	}
	switch {
	case r.Guard == route.Upload:
		oc.AddReqStructure(nil, openapi.WithContentType(mediaBytes))
	case r.HasBody() && r.Request != nil:
		oc.AddReqStructure(r.Request, openapi.WithContentType(mediaJSON), openapi.WithCustomize(func(body openapi.ContentOrReference) {
			offer(body, r.Guard)
		}))
	}
}

// offer says in which forms the body may come.
func offer(body openapi.ContentOrReference, guard route.Guard) {
	ref, ok := body.(*openapi31.RequestBodyOrReference)
	if !ok || ref.RequestBody == nil {
		return
	}
	content := ref.RequestBody.Content
	if guard&route.Form != 0 {
		content[mediaForm] = content[mediaJSON]
	}
	if guard == route.Form {
		delete(content, mediaJSON)
	}
}

func addAnswers(oc openapi.OperationContext, r route.Route) {
	status := r.Status
	if status == 0 {
		status = http.StatusOK
	}
	oc.AddRespStructure(r.Response, openapi.WithHTTPStatus(status), openapi.WithCustomize(func(answer openapi.ContentOrReference) {
		if v := reflect.ValueOf(r.Response); v.Kind() == reflect.Pointer && v.IsNil() {
			orNull(answer)
		}
	}))
	refer := func(options ...openapi.ContentOption) {
		oc.AddRespStructure(nil, append(options, openapi.WithReference("#/components/responses/"+problemRef))...)
	}
	if r.Access != route.Public {
		refer(openapi.WithHTTPStatus(http.StatusUnauthorized))
		refer(openapi.WithHTTPStatus(http.StatusForbidden))
	}
	if r.Request != nil || r.Query != nil {
		refer(openapi.WithHTTPStatus(http.StatusUnprocessableEntity))
	}
	refer(func(cu *openapi.ContentUnit) { cu.IsDefault = true })
}

// orNull says that an answer may be null: its sample is a nil pointer.
func orNull(answer openapi.ContentOrReference) {
	ref, ok := answer.(*openapi31.ResponseOrReference)
	if !ok || ref.Response == nil {
		return
	}
	for name, media := range ref.Response.Content {
		media.Schema = map[string]any{"anyOf": []any{media.Schema, map[string]any{"type": "null"}}}
		ref.Response.Content[name] = media
	}
}

// asDecoded makes the schema of a field say what route.Decode and encoding/json
// do where the reflecting library has other habits: rules about text hold for
// the elements of a list, a query has no null, and what is always written is
// always there.
func asDecoded(p jsonschema.InterceptPropParams) error {
	if !p.Processed {
		return nil
	}
	if list := p.PropertySchema; p.Field.Type.Kind() == reflect.Slice && list.Items != nil && list.Items.SchemaOrBool != nil {
		toElements(list, list.Items.SchemaOrBool.TypeObject)
	}
	oc, ok := openapi.OperationCtx(p.Context)
	switch {
	case !ok:
	case !oc.IsProcessingResponse() && oc.ProcessingIn() == openapi.InQuery:
		p.PropertySchema.RemoveType(jsonschema.Null)
	case oc.IsProcessingResponse() && p.ParentSchema != nil && alwaysWritten(p.Field):
		if !slices.Contains(p.ParentSchema.Required, p.Name) {
			p.ParentSchema.Required = append(p.ParentSchema.Required, p.Name)
		}
	}
	return nil
}

// toElements moves the rules about text from a list to its elements.
func toElements(list, element *jsonschema.Schema) {
	if element == nil || element.Ref != nil {
		return
	}
	element.Enum, list.Enum = list.Enum, nil
	element.Format, list.Format = list.Format, nil
	element.MaxLength, list.MaxLength = list.MaxLength, nil
	element.MinLength, list.MinLength = list.MinLength, 0
}

func alwaysWritten(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero")
}

// tag groups a route by its area. What lies at the top is about the account.
func tag(path string) string {
	area, _, deeper := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !deeper {
		return "account"
	}
	return area
}

// operationID is the method and the words of the path: postSignInEmail.
func operationID(r route.Route) string {
	words := strings.FieldsFunc(r.Path, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	id := strings.ToLower(r.Method)
	for _, w := range words {
		id += strings.ToUpper(w[:1]) + w[1:]
	}
	return id
}
