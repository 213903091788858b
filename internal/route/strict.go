package route

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tenon-go/tenon/problem"
)

// maxDepth bounds how deep a body is nested; the body itself is the first level.
const maxDepth = 32

// jsonSpace is all that may stand around a JSON value.
const jsonSpace = " \t\r\n"

// The ways in which a body as a whole is refused.
var (
	// ErrMalformed means that the body is not one well-formed JSON object in UTF-8.
	ErrMalformed = problem.New(problem.Invalid, "INVALID_JSON", "The request body must be one well-formed JSON object in UTF-8.")
	// ErrTooDeep means that the body is nested deeper than 32 levels.
	ErrTooDeep = problem.New(problem.Invalid, "JSON_TOO_DEEP", "The request body is nested too deeply.")
)

// checkSyntax accepts exactly the bodies that everybody reads alike: valid UTF-8,
// one object and nothing after it, no name twice in one object, no half of a
// surrogate pair, at most maxDepth levels.
func checkSyntax(body []byte) error {
	if !utf8.Valid(body) || !json.Valid(body) || bytes.TrimLeft(body, jsonSpace)[0] != '{' || hasLoneSurrogate(body) {
		return ErrMalformed
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return checkValue(dec, "", 0)
}

// checkValue reads one value. Its tokens are sound: json.Valid has seen them.
func checkValue(dec *json.Decoder, path string, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return ErrMalformed.With(err)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxDepth {
		return ErrTooDeep
	}
	if delim == '{' {
		err = checkMembers(dec, path, depth)
	} else {
		err = checkElements(dec, path, depth)
	}
	if err != nil {
		return err
	}
	_, err = dec.Token() // the closing delimiter
	return err
}

func checkMembers(dec *json.Decoder, path string, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return ErrMalformed.With(err)
		}
		name, _ := token.(string)
		at := join(path, name)
		if seen[name] {
			return problem.ErrValidation.WithFields(duplicate(at))
		}
		seen[name] = true
		if err := checkValue(dec, at, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func checkElements(dec *json.Decoder, path string, depth int) error {
	for i := 0; dec.More(); i++ {
		if err := checkValue(dec, path+"["+strconv.Itoa(i)+"]", depth+1); err != nil {
			return err
		}
	}
	return nil
}

func duplicate(path string) problem.FieldError {
	return problem.FieldError{Field: path, Code: "DUPLICATE_FIELD", Message: "occurs more than once; send it once"}
}

// hasLoneSurrogate finds \u escapes that name half a character. encoding/json
// reads them all as U+FFFD, so that two different texts would become one. body
// is valid JSON: a backslash occurs in strings only.
func hasLoneSurrogate(body []byte) bool {
	for i := bytes.IndexByte(body, '\\'); i >= 0 && i < len(body); {
		switch escapedUnit(body[i:]) >> 10 {
		case 0xD800 >> 10: // a high half needs a low one
			if low := escapedUnit(body[i+6:]); low>>10 != 0xDC00>>10 {
				return true
			}
			i += 12
		case 0xDC00 >> 10:
			return true
		default:
			i += 2
		}
		next := bytes.IndexByte(body[min(i, len(body)):], '\\')
		if next < 0 {
			return false
		}
		i += next
	}
	return false
}

// escapedUnit returns the UTF-16 unit that b begins with as \uXXXX, 0 where it
// begins otherwise.
func escapedUnit(b []byte) uint64 {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return n
}

// maxNameLength bounds a name that a problem repeats, in code points.
const maxNameLength = 64

// join appends a member's name, which is input, to a path. It is cut and freed
// from what a terminal would act on, so that it can be repeated in a problem.
func join(path, name string) string {
	name = strings.Map(func(r rune) rune {
		if isControl(r) || !strconv.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > maxNameLength {
		name = string(runes[:maxNameLength]) + "…"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// isControl reports whether r is a C0 control character or DEL.
func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
