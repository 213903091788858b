package route

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// NonceField is the name of the form field that carries a page's nonce.
const NonceField = "_nonce"

// The refusals of the guards.
var (
	// ErrContentType means that the body is in a form that the route does not take.
	ErrContentType = problem.New(problem.UnsupportedMedia, "UNSUPPORTED_MEDIA_TYPE", "This path does not accept a body of that content type; use application/json.")
	// ErrTooLarge means that the body is over the route's bound.
	ErrTooLarge = problem.New(problem.TooLarge, "PAYLOAD_TOO_LARGE", "The request body is too large.")
	// ErrMalformedForm means that the body is not in the form it claims to have.
	ErrMalformedForm = problem.New(problem.Invalid, "INVALID_FORM", "The form could not be read. Reload the page and send it again.")
)

const (
	mediaJSON = "application/json"
	mediaForm = "application/x-www-form-urlencoded"
)

// guard stands between the match and the handler.
type guard struct {
	route   *Route
	limit   func(http.ResponseWriter, *http.Request) error // nil for none
	check   func(*http.Request) error
	nonce   func(*http.Request) error
	origins *origins
}

// ServeHTTP lets the request through or answers with the reason why not.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := matched{route: g.route}
	if g.route.Enrolment && principal.IsRestricted(r.Context()) {
		r = r.WithContext(principal.AllowRestricted(r.Context()))
	}
	err := g.charge(w, r)
	if err == nil {
		err = g.check(r)
	}
	if err == nil {
		err = g.admit(w, r, &m)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	ctx := context.WithValue(r.Context(), matchedKey{}, m)
	g.route.Handler(w, r.WithContext(ctx))
}

// charge asks the route's limits.
func (g *guard) charge(w http.ResponseWriter, r *http.Request) error {
	if g.limit == nil {
		return nil
	}
	return g.limit(w, r)
}

// admit bounds the body and checks its form. A body of unknown length without a
// content type may be none at all: Decode will see.
func (g *guard) admit(w http.ResponseWriter, r *http.Request, m *matched) error {
	if limit := g.route.maxBody(); limit > 0 {
		if r.ContentLength > limit {
			return ErrTooLarge
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	if !g.route.unsafe() {
		return nil
	}
	media, err := mediaType(r)
	switch {
	case !g.route.Guard.has(JSON) && !g.route.Guard.has(Form):
		return nil
	case err != nil:
		return err
	case g.route.Guard.has(Form) && media == mediaForm:
		m.form = true
		return g.admitForm(r)
	case g.route.Guard.has(JSON) && (media == mediaJSON || media == "" && r.ContentLength <= 0):
		return nil
	}
	return ErrContentType
}

// admitForm lets a form of our own pages pass.
func (g *guard) admitForm(r *http.Request) error {
	if !g.origins.ours(r) {
		return ErrInvalidOrigin
	}
	if err := r.ParseForm(); err != nil {
		return bodyError(err, ErrMalformedForm)
	}
	return g.nonce(r)
}

// mediaType returns the media type of the body, "" where the request names none.
// A charset other than UTF-8 is refused: nothing here would decode it.
func mediaType(r *http.Request) (string, error) {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return "", nil
	}
	media, params, err := mime.ParseMediaType(header)
	if err != nil || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return "", ErrContentType
	}
	return media, nil
}

// bodyError tells a body over its bound from one that is wrong in itself.
func bodyError(err error, wrong *problem.Error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return ErrTooLarge
	}
	return wrong
}

// matched is what a handler's ctx knows about its route.
type matched struct {
	route *Route
	form  bool // the body is a form that passed the guard
}

type matchedKey struct{}

// matchOf returns a match without a name for a handler that is called outside a
// table.
func matchOf(ctx context.Context) matched {
	m, ok := ctx.Value(matchedKey{}).(matched)
	if !ok {
		m.route = &Route{}
	}
	return m
}
