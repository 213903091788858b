package route

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// endpoint is a route ready to serve.
type endpoint struct {
	Route
	handler http.Handler
}

// resource is what stands at one path.
type resource struct {
	segments []segment
	methods  map[string]*endpoint
}

// segment is one part of a path between slashes.
type segment struct {
	literal string // "" for a wildcard
	name    string
	rest    bool // takes everything that follows
}

var (
	literalSegment = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	wildSegment    = regexp.MustCompile(`^\{([A-Za-z][A-Za-z0-9]*)(\.\.\.)?\}$`)
)

// matcher finds resources by the path as it was sent. It does what
// http.ServeMux does, without cleaning, redirects and plain-text answers.
type matcher struct {
	static map[string]*resource
	wild   []*resource // the one with more leading literals first
}

// parsePath splits the path of a route.
func parsePath(path string) ([]segment, error) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok || rest == "" {
		return nil, errors.New("the path must be a slash and at least one segment")
	}
	parts := strings.Split(rest, "/")
	segments := make([]segment, 0, len(parts))
	for i, part := range parts {
		if part == "." || part == ".." {
			return nil, fmt.Errorf("segment %q is not allowed", part)
		}
		if literalSegment.MatchString(part) {
			segments = append(segments, segment{literal: part})
			continue
		}
		m := wildSegment.FindStringSubmatch(part)
		if m == nil || m[2] != "" && i < len(parts)-1 {
			return nil, fmt.Errorf("segment %q is not allowed", part)
		}
		segments = append(segments, segment{name: m[1], rest: m[2] != ""})
	}
	return segments, nil
}

// add makes e reachable. Two routes with equal methods whose paths could both
// match one request, neither of them literal, are an error.
func (m *matcher) add(e *endpoint) error {
	segments, err := parsePath(e.Path)
	if err != nil {
		return fmt.Errorf("route: %s: %w", e.Pattern(), err)
	}
	res := m.resource(e.Path, segments)
	if _, taken := res.methods[e.Method]; taken {
		return fmt.Errorf("route: %s: listed twice", e.Pattern())
	}
	for _, other := range m.wild {
		if o := other.methods[e.Method]; other != res && o != nil && !isLiteral(segments) && overlap(other.segments, segments) {
			return fmt.Errorf("route: %s: could be meant by the same request as %s", e.Pattern(), o.Pattern())
		}
	}
	res.methods[e.Method] = e
	return nil
}

// resource returns what stands at path, made where it is new.
func (m *matcher) resource(path string, segments []segment) *resource {
	if isLiteral(segments) {
		if m.static[path] == nil {
			m.static[path] = &resource{segments: segments, methods: map[string]*endpoint{}}
		}
		return m.static[path]
	}
	for _, res := range m.wild {
		if slices.Equal(res.segments, segments) {
			return res
		}
	}
	res := &resource{segments: segments, methods: map[string]*endpoint{}}
	m.wild = append(m.wild, res)
	slices.SortStableFunc(m.wild, func(a, b *resource) int {
		return cmp.Compare(leadingLiterals(b.segments), leadingLiterals(a.segments))
	})
	return res
}

func isLiteral(segments []segment) bool { return leadingLiterals(segments) == len(segments) }

func leadingLiterals(segments []segment) int {
	n := slices.IndexFunc(segments, func(s segment) bool { return s.literal == "" })
	if n < 0 {
		return len(segments)
	}
	return n
}

// overlap reports whether one path could match both.
func overlap(a, b []segment) bool {
	for i := 0; ; i++ {
		aEnd, bEnd := i == len(a), i == len(b)
		switch {
		case !aEnd && a[i].rest, !bEnd && b[i].rest:
			return true
		case aEnd || bEnd:
			return aEnd && bEnd
		case a[i].literal != "" && b[i].literal != "" && a[i].literal != b[i].literal:
			return false
		}
	}
}

// find returns the resources at the path as sent, literal ones first, each with
// the values of its wildcards.
func (m *matcher) find(path string) []found {
	var out []found
	if res := m.static[path]; res != nil {
		out = append(out, found{resource: res})
	}
	rest, ok := strings.CutPrefix(path, "/")
	if !ok || len(m.wild) == 0 {
		return out
	}
	parts := strings.Split(rest, "/")
	for _, res := range m.wild {
		if values, ok := res.match(parts); ok {
			out = append(out, found{res, values})
		}
	}
	return out
}

// found is a resource that a path leads to.
type found struct {
	*resource
	values []string // in the order of the wildcards
}

func (res *resource) match(parts []string) (values []string, ok bool) {
	for i, seg := range res.segments {
		switch {
		case i == len(parts):
			return nil, false
		case seg.rest:
			value, ok := restValue(parts[i:])
			return append(values, value), ok
		case seg.literal != "":
			if parts[i] != seg.literal {
				return nil, false
			}
		default:
			value, ok := segmentValue(parts[i])
			if !ok {
				return nil, false
			}
			values = append(values, value)
		}
	}
	return values, len(parts) == len(res.segments)
}

// segmentValue decodes one segment. What decodes to something that a path or a
// terminal would read differently is not a value.
func segmentValue(part string) (string, bool) {
	value, err := url.PathUnescape(part)
	if err != nil || value == "" || value == "." || value == ".." || !utf8.ValidString(value) {
		return "", false
	}
	return value, !strings.ContainsFunc(value, func(r rune) bool { return r == '/' || r == '\\' || isControl(r) })
}

// restValue decodes what {name...} takes; it may be empty.
func restValue(parts []string) (string, bool) {
	if len(parts) == 1 && parts[0] == "" {
		return "", true
	}
	values := make([]string, len(parts))
	for i, part := range parts {
		value, ok := segmentValue(part)
		if !ok {
			return "", false
		}
		values[i] = value
	}
	return strings.Join(values, "/"), true
}

// pick returns the endpoint for method, and the methods that there are.
func pick(candidates []found, method string) (e *endpoint, f found, allow []string) {
	for _, f := range candidates {
		if e := f.serving(method); e != nil {
			return e, f, nil
		}
		for name, e := range f.methods {
			allow = append(allow, name)
			if e.servesHead() {
				allow = append(allow, http.MethodHead)
			}
		}
	}
	if len(allow) > 0 {
		allow = append(allow, http.MethodOptions)
	}
	slices.Sort(allow)
	return nil, found{}, slices.Compact(allow)
}

// serving returns what answers method, nil for nothing.
func (res *resource) serving(method string) *endpoint {
	if e := res.methods[method]; e != nil || method != http.MethodHead {
		return e
	}
	if get := res.methods[http.MethodGet]; get != nil && get.servesHead() {
		return get
	}
	return nil
}

// servesHead excludes provider callbacks: they act on being fetched (R23), and a
// HEAD is somebody looking.
func (e *endpoint) servesHead() bool { return e.Method == http.MethodGet && !e.Guard.has(Provider) }

// bind hands the wildcards' values to the handler.
func (f found) bind(r *http.Request) {
	i := 0
	for _, seg := range f.segments {
		if seg.literal == "" {
			r.SetPathValue(seg.name, f.values[i])
			i++
		}
	}
}
