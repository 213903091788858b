package route

import (
	"encoding/json"
	"math"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// emailShape is not what makes an address valid; it finds what was not meant as
// one. The package that owns addresses decides.
var emailShape = regexp.MustCompile(`^[^\s@<>(),;:"\\]+@[^\s@<>(),;:"\\.]+(\.[^\s@<>(),;:"\\.]+)*$`)

var uuidShape = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// text fills a string.
func (d *decoder) text(raw json.RawMessage, v reflect.Value, path string, r rules) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		d.wrongType(path, v.Type())
		return
	}
	if s == "" && r.required {
		d.missing(path)
		return
	}
	v.SetString(s)
	d.checkText(s, path, r)
}

// checkText reports the first thing that is wrong with s. An empty optional
// string has nothing to be wrong but its length.
func (d *decoder) checkText(s, path string, r rules) {
	n := utf8.RuneCountInString(s)
	switch {
	case n > r.maxLength:
		d.fail(path, "TOO_LONG", "must be at most %d characters; shorten it", r.maxLength)
	case n < r.minLength:
		d.fail(path, "TOO_SHORT", "must be at least %d characters; lengthen it", r.minLength)
	case !r.opaque && hasControl(s, r.multiline):
		d.fail(path, "CONTROL_CHARACTER", "contains a control character; remove it")
	case len(r.enum) > 0 && s != "" && !slices.Contains(r.enum, s):
		d.fail(path, "NOT_ALLOWED", "must be one of: %s", strings.Join(r.enum, ", "))
	case s != "":
		d.checkFormat(s, path, r.format)
	}
}

func (d *decoder) checkFormat(s, path, format string) {
	switch format {
	case "email":
		if !emailShape.MatchString(s) {
			d.fail(path, "INVALID_EMAIL", "must be an e-mail address such as name@example.com")
		}
	case "uuid":
		if !uuidShape.MatchString(s) {
			d.fail(path, "INVALID_FORMAT", "must be a UUID such as 0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77")
		}
	case "uri":
		if u, err := url.Parse(s); err != nil || u.Scheme == "" || u.Host == "" {
			d.fail(path, "INVALID_FORMAT", "must be an absolute URL such as https://example.com/path")
		}
	}
}

// hasControl reports whether s has a control character that it should not have.
// Line breaks come as \n or, from a form, as \r\n.
func hasControl(s string, multiline bool) bool {
	if multiline {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	return strings.ContainsFunc(s, func(r rune) bool {
		return isControl(r) && (!multiline || r != '\n' && r != '\t')
	})
}

// scalar fills a bool or a number.
func (d *decoder) scalar(raw json.RawMessage, v reflect.Value, path string, r rules) {
	if json.Unmarshal(raw, v.Addr().Interface()) != nil {
		d.wrongType(path, v.Type())
		return
	}
	n := numberOf(v)
	low, high := math.Inf(-1), math.Inf(1)
	if r.minimum != nil {
		low = *r.minimum
	}
	if r.maximum != nil {
		high = *r.maximum
	}
	switch {
	case n < low:
		d.fail(path, "OUT_OF_RANGE", "must be at least %v", low)
	case n > high:
		d.fail(path, "OUT_OF_RANGE", "must be at most %v", high)
	}
}

// numberOf returns 0 for a bool, whose rules have no bounds.
func numberOf(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	case v.CanFloat():
		return v.Float()
	}
	return 0
}

func (d *decoder) checkItems(n int, path string, r rules) bool {
	switch {
	case r.maxItems > 0 && n > r.maxItems:
		d.fail(path, "TOO_MANY", "must have at most %d entries; remove some", r.maxItems)
	case n < r.minItems || n == 0 && r.required:
		d.fail(path, "TOO_FEW", "must have at least %d entries; add some", max(r.minItems, 1))
	default:
		return true
	}
	return false
}

func (d *decoder) wrongType(path string, t reflect.Type) {
	d.fail(path, "INVALID_TYPE", "must be %s", kindName(t))
}

// kindName says in the terms of JSON what is read into t.
func kindName(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return kindName(t.Elem())
	case t == reflect.TypeFor[Time]() || t == reflect.TypeFor[time.Time]():
		return "a time such as 2026-01-31T09:00:00.000Z"
	case t.Kind() == reflect.Struct && decodesItself(t):
		return "a value of another form; see the documentation"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a whole number in range"
}
