package route

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// DefaultMaxLength bounds strings whose field has no maxLength, in code points.
const DefaultMaxLength = 4096

// rules are what a field's tags demand.
type rules struct {
	required, opaque, multiline bool
	minLength, maxLength        int // code points
	minItems, maxItems          int // 0: no bound
	minimum, maximum            *float64
	enum                        []string
	format                      string
}

// field is one member that a struct accepts.
type field struct {
	name  string
	index []int
	rules rules
}

// source says which tag names the fields.
type source int

const (
	bodySource  source = iota // json
	querySource               // query, else json
)

// fieldsOf lists what t accepts from src. Fields of embedded structs count as
// t's own.
func fieldsOf(t reflect.Type, src source) ([]field, error) {
	var out []field
	for _, sf := range reflect.VisibleFields(t) {
		name := src.nameOf(sf)
		switch {
		case name == "":
			continue
		case sf.Anonymous:
			return nil, fmt.Errorf("%s.%s: an embedded struct cannot have a name", t, sf.Name)
		case !sf.IsExported():
			return nil, fmt.Errorf("%s.%s: an unexported field cannot have a name", t, sf.Name)
		}
		r, err := rulesOf(sf.Tag)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, sf.Name, err)
		}
		out = append(out, field{name: name, index: sf.Index, rules: r})
	}
	return out, nil
}

// nameOf returns "" for a field that is not accepted.
func (src source) nameOf(sf reflect.StructField) string {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	if query := sf.Tag.Get("query"); src == querySource && query != "" {
		name = query
	}
	if name == "-" {
		return ""
	}
	return name
}

func rulesOf(tag reflect.StructTag) (rules, error) {
	p := tagParser{tag: tag}
	r := rules{
		required:  p.flag("required"),
		opaque:    p.flag("opaque"),
		multiline: p.flag("multiline"),
		minLength: p.count("minLength", 0),
		maxLength: p.count("maxLength", DefaultMaxLength),
		minItems:  p.count("minItems", 0),
		maxItems:  p.count("maxItems", 0),
		minimum:   p.number("minimum"),
		maximum:   p.number("maximum"),
		format:    tag.Get("format"),
	}
	if enum := tag.Get("enum"); enum != "" {
		r.enum = strings.Split(enum, ",")
	}
	return r, p.err
}

// tagParser keeps the first mistake it meets.
type tagParser struct {
	tag reflect.StructTag
	err error
}

func (p *tagParser) flag(key string) bool {
	text, ok := p.tag.Lookup(key)
	if !ok {
		return false
	}
	v, err := strconv.ParseBool(text)
	p.note(key, err)
	return v
}

func (p *tagParser) count(key string, otherwise int) int {
	text, ok := p.tag.Lookup(key)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 31)
	p.note(key, err)
	return int(n)
}

func (p *tagParser) number(key string) *float64 {
	text, ok := p.tag.Lookup(key)
	if !ok {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	p.note(key, err)
	return &v
}

func (p *tagParser) note(key string, err error) {
	if p.err == nil && err != nil {
		p.err = fmt.Errorf("tag %s: %w", key, err)
	}
}

// checkSample refuses a sample that Decode could not fill, when the table is
// made rather than when a request comes.
func checkSample(sample any) error {
	if sample == nil {
		return nil
	}
	t := reflect.TypeOf(sample)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return fmt.Errorf("%s is not a struct", t)
	}
	return checkStruct(t, nil)
}

// checkStruct walks the types below t. parents stops it where a type holds
// itself.
func checkStruct(t reflect.Type, parents []reflect.Type) error {
	for _, p := range parents {
		if p == t {
			return nil
		}
	}
	seen := map[string]bool{}
	fields, err := fieldsOf(t, querySource)
	for _, f := range fields {
		if seen[f.name] {
			return fmt.Errorf("%s accepts %q twice", t, f.name)
		}
		seen[f.name] = true
		below := t.FieldByIndex(f.index).Type
		for below.Kind() == reflect.Pointer || below.Kind() == reflect.Slice && !decodesItself(below) {
			below = below.Elem()
		}
		if below.Kind() == reflect.Struct && !decodesItself(below) {
			if err := checkStruct(below, append(parents, t)); err != nil {
				return err
			}
		}
	}
	return err
}

// decodesItself reports whether encoding/json leaves t, or a pointer to it, to
// its own method.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// QueryNames maps the names of the Go fields of sample, a struct, to those that
// [DecodeQuery] reads them from.
func QueryNames(sample any) map[string]string {
	names := map[string]string{}
	t := reflect.TypeOf(sample)
	if t == nil || checkSample(sample) != nil {
		return names
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, sf := range reflect.VisibleFields(t) {
		if name := querySource.nameOf(sf); name != "" {
			names[sf.Name] = name
		}
	}
	return names
}
