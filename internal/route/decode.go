package route

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/tenon-go/tenon/problem"
)

// Decode reads the body of r into the struct that dst points to, by the tags
// described at the package. It accepts a JSON object and, where the route's guard
// let one through, a form. A missing body is an empty object.
//
// The error is a *problem.Error: ErrMalformed, ErrTooDeep, ErrTooLarge,
// ErrContentType, or problem.ErrValidation with one entry for each wrong field.
// dst is then partly filled and must not be used. A dst of the wrong type is an
// internal error.
func Decode(r *http.Request, dst any) error {
	m := matchOf(r.Context())
	d, v, err := newDecoder(dst, bodySource, m.route.Ignored)
	if err != nil {
		return err
	}
	if m.form {
		return d.values(withoutNonce(r.PostForm), v)
	}
	media, err := mediaType(r)
	if err != nil {
		return err
	}
	body, err := readBody(r, m.route)
	switch {
	case err != nil:
		return err
	case len(body) == 0:
		return d.finish(d.object(map[string]json.RawMessage{}, v, ""))
	case media != mediaJSON:
		return ErrContentType
	}
	if err := checkSyntax(body); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return ErrMalformed.With(err)
	}
	return d.finish(d.object(members, v, ""))
}

// DecodeQuery reads the query of r into the struct that dst points to, as
// [Decode] reads a form: by the tag query, else json. Slices take a name that is
// repeated; for anything else that is an error. An empty value of what is not a
// string counts as absent. The names in ignored and the route's Ignored are
// accepted and do nothing.
func DecodeQuery(r *http.Request, dst any, ignored ...string) error {
	m := matchOf(r.Context())
	d, v, err := newDecoder(dst, querySource, slices.Concat(m.route.Ignored, ignored))
	if err != nil {
		return err
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ErrMalformedQuery
	}
	return d.values(values, v)
}

// ErrMalformedQuery means that the query is not percent-encoded as it should be.
var ErrMalformedQuery = problem.New(problem.Invalid, "INVALID_QUERY", "The query string is malformed.")

// readBody bounds the body even for handlers that are called outside a table.
func readBody(r *http.Request, route *Route) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	src := r.Body
	if limit := route.maxBody(); limit > 0 {
		src = http.MaxBytesReader(nil, r.Body, limit)
	}
	body, err := io.ReadAll(src)
	if err != nil {
		return nil, bodyError(err, ErrMalformed.With(err))
	}
	return bytes.Trim(body, jsonSpace), nil
}

func withoutNonce(form url.Values) url.Values {
	out := url.Values{}
	for name, values := range form {
		if name != NonceField {
			out[name] = values
		}
	}
	return out
}

// maxFieldErrors bounds how many fields one problem lists.
const maxFieldErrors = 20

// decoder fills one value and collects what is wrong.
type decoder struct {
	src     source
	ignored []string
	errors  []problem.FieldError
}

func newDecoder(dst any, src source, ignored []string) (*decoder, reflect.Value, error) {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, v, fmt.Errorf("route: decode into %T: not a pointer to a struct", dst)
	}
	return &decoder{src: src, ignored: ignored}, v.Elem(), nil
}

// finish returns the internal error, else the field errors, else nil.
func (d *decoder) finish(err error) error {
	if err != nil || len(d.errors) == 0 {
		return err
	}
	return problem.ErrValidation.WithFields(d.errors...)
}

func (d *decoder) fail(path, code, format string, args ...any) {
	if len(d.errors) < maxFieldErrors {
		d.errors = append(d.errors, problem.FieldError{Field: path, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

// values fills v from a query or a form by way of the JSON that a client would
// have sent, so that both have the same rules.
func (d *decoder) values(values url.Values, v reflect.Value) error {
	fields, err := fieldsOf(v.Type(), d.src)
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	members := map[string]json.RawMessage{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		texts := values[name]
		if !utf8.ValidString(name) || slices.ContainsFunc(texts, func(s string) bool { return !utf8.ValidString(s) }) {
			d.fail(join("", name), "INVALID_ENCODING", "is not valid UTF-8; encode it as UTF-8")
			continue
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			members[name] = nil // object knows what to say
			continue
		}
		if raw := d.rawValues(v.FieldByIndex(fields[i].index).Type(), name, texts); raw != nil {
			members[name] = raw
		}
	}
	return d.finish(d.object(members, v, ""))
}

// rawValues returns nil where there is nothing to fill in.
func (d *decoder) rawValues(t reflect.Type, name string, texts []string) json.RawMessage {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice && !decodesItself(t) {
		all := make([]json.RawMessage, len(texts))
		for i, text := range texts {
			all[i] = rawValue(t.Elem(), text)
		}
		return mustJSON(all)
	}
	switch {
	case len(texts) != 1:
		d.errors = append(d.errors, duplicate(name))
		return nil
	case texts[0] == "" && t.Kind() != reflect.String:
		return nil
	}
	return rawValue(t, texts[0])
}

// rawValue writes text as the JSON that t is read from. What does not look like
// t becomes a string, and with it a type error.
func rawValue(t reflect.Type, text string) json.RawMessage {
	switch t.Kind() {
	case reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if !decodesItself(t) && json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	}
	return mustJSON(text)
}

// mustJSON encodes strings and raw JSON, which always have a JSON form.
func mustJSON(v any) json.RawMessage {
	raw, _ := json.Marshal(v)
	return raw
}
