package route

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/tenon-go/tenon/problem"
)

// object fills the struct v from members. What it returns is a mistake of the
// program; mistakes of the client are collected in d.
func (d *decoder) object(members map[string]json.RawMessage, v reflect.Value, path string) error {
	fields, err := fieldsOf(v.Type(), d.src)
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	known := map[string]bool{}
	for _, f := range fields {
		known[f.name] = true
		raw, ok := members[f.name]
		at := join(path, f.name)
		if !ok {
			if f.rules.required {
				d.missing(at)
			}
			continue
		}
		target, err := fieldByIndex(v, f.index)
		if err == nil {
			err = d.value(raw, target, at, f.rules)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !known[name] && (path != "" || !slices.Contains(d.ignored, name)) {
			d.fail(join(path, name), "UNKNOWN_FIELD", "is not a field of this request; remove it")
		}
	}
	return nil
}

// missing adds nothing to what is known to be wrong with the field.
func (d *decoder) missing(path string) {
	if slices.ContainsFunc(d.errors, func(e problem.FieldError) bool { return e.Field == path }) {
		return
	}
	d.fail(path, "REQUIRED", "is required; add it")
}

// fieldByIndex makes embedded pointers on the way.
func fieldByIndex(v reflect.Value, index []int) (reflect.Value, error) {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, fmt.Errorf("route: %s is embedded by an unexported pointer", v.Type())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, nil
}

// value fills v from raw, which is valid JSON without duplicate names.
func (d *decoder) value(raw json.RawMessage, v reflect.Value, path string, r rules) error {
	if string(raw) == "null" {
		return d.null(v, path, r)
	}
	if v.Kind() == reflect.Pointer && !decodesItself(v.Type()) {
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(raw, v.Elem(), path, r)
	}
	if isOpaque(v.Type()) || decodesItself(v.Type()) {
		d.foreign(raw, v, path, r)
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return d.members(raw, v, path)
	case reflect.Map:
		return d.entries(raw, v, path, r)
	case reflect.Slice:
		return d.elements(raw, v, path, r)
	case reflect.String:
		d.text(raw, v, path, r)
		return nil
	case reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.scalar(raw, v, path, r)
		return nil
	}
	return fmt.Errorf("route: %s: cannot decode into %s", path, v.Type())
}

// foreign fills what encoding/json or the type itself reads. The rules for text
// hold where the type reads text.
func (d *decoder) foreign(raw json.RawMessage, v reflect.Value, path string, r rules) {
	var s string
	switch {
	case json.Unmarshal(raw, v.Addr().Interface()) != nil:
		d.wrongType(path, v.Type())
	case !isOpaque(v.Type()) && json.Unmarshal(raw, &s) == nil:
		d.checkText(s, path, r)
	}
}

// null is the absence of what may be absent.
func (d *decoder) null(v reflect.Value, path string, r rules) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Interface, reflect.Slice:
		if r.required {
			d.missing(path)
		} else if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte("null"))
		}
		return nil
	}
	d.wrongType(path, v.Type())
	return nil
}

// isOpaque reports whether what stands in a t is not ours to judge.
func isOpaque(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Map:
		return t.Key().Kind() == reflect.String && isOpaque(t.Elem())
	case reflect.Slice:
		return t == reflect.TypeFor[json.RawMessage]() || t.Elem().Kind() == reflect.Uint8 || t.Elem().Kind() == reflect.Interface
	}
	return t == reflect.TypeFor[json.RawMessage]()
}

func (d *decoder) members(raw json.RawMessage, v reflect.Value, path string) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		d.wrongType(path, v.Type())
		return nil
	}
	return d.object(members, v, path)
}

func (d *decoder) entries(raw json.RawMessage, v reflect.Value, path string, r rules) error {
	var members map[string]json.RawMessage
	if v.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("route: %s: cannot decode into %s", path, v.Type())
	}
	if json.Unmarshal(raw, &members) != nil {
		d.wrongType(path, v.Type())
		return nil
	}
	d.checkItems(len(members), path, r)
	v.Set(reflect.MakeMapWithSize(v.Type(), len(members)))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		at := join(path, name)
		d.checkText(name, at, rules{maxLength: DefaultMaxLength})
		entry := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(members[name], entry, at, r.each()); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), entry)
	}
	return nil
}

func (d *decoder) elements(raw json.RawMessage, v reflect.Value, path string, r rules) error {
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		d.wrongType(path, v.Type())
		return nil
	}
	if !d.checkItems(len(elements), path, r) {
		return nil
	}
	v.Set(reflect.MakeSlice(v.Type(), len(elements), len(elements)))
	for i, element := range elements {
		at := path + "[" + strconv.Itoa(i) + "]"
		if err := d.value(element, v.Index(i), at, r.each()); err != nil {
			return err
		}
	}
	return nil
}

// each returns the rules for what is in a list: those about the list itself are
// done with.
func (r rules) each() rules {
	r.required, r.minItems, r.maxItems = false, 0, 0
	return r
}
