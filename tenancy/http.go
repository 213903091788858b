package tenancy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// defaultFreshFor is how old the proof may be for what changes an organization's
// safety.
const defaultFreshFor = 10 * time.Minute

// HeaderOrganization names the organization that a request is about (rule R13).
const HeaderOrganization = "X-Organization-Id"

// List returns what one organization has of something, in the form in which the wire
// shows it to the caller, who is a member.
type List func(ctx context.Context, caller *principal.Principal, organizationID string) (list any, err error)

// HandlerConfig configures a [Handler].
type HandlerConfig struct {
	// FreshFor is how old the caller's last proof may be where an organization's
	// safety is changed. Defaults to 10 minutes.
	FreshFor time.Duration
	// Invitations and Teams list what get-full-organization shows of them to members.
	// Default to nil: there are none.
	Invitations, Teams List
}

// Handler serves the routes of organizations. It is safe for concurrent use.
type Handler struct {
	svc *Service
	cfg HandlerConfig
}

// NewHandler returns the Handler of svc.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil {
		return nil, errors.New("tenancy: a service is required")
	}
	cfg.FreshFor = cmp.Or(cfg.FreshFor, defaultFreshFor)
	return &Handler{svc: svc, cfg: cfg}, nil
}

// Routes lists the endpoints.
func (h *Handler) Routes() route.Table {
	return slices.Concat(h.organizationRoutes(), h.memberRoutes(), h.roleRoutes(), h.ownershipRoutes())
}

// get and post describe routes for signed-in users.
func get(path, summary string, request, response any, handler http.HandlerFunc) route.Route {
	return route.Route{
		Method: http.MethodGet, Path: "/organization/" + path, Access: route.User,
		Summary: summary, Request: request, Response: response, Handler: handler,
	}
}

func post(path, summary string, request, response any, handler http.HandlerFunc) route.Route {
	r := get(path, summary, request, response, handler)
	r.Method = http.MethodPost
	return r
}

// inPerson is for what only the caller themself may do, with a fresh proof (rules R12,
// R22).
func (h *Handler) inPerson(r route.Route) route.Route {
	r.Fresh, r.InPerson, r.Limit = h.cfg.FreshFor, true, route.LimitAccount
	return r
}

// body returns the caller, and fills dst from the request's body.
func body(r *http.Request, dst any) (*principal.Principal, error) {
	caller, err := principal.RequireUser(r.Context())
	if err != nil {
		return nil, err
	}
	return caller, route.Decode(r, dst)
}

// query is body for the request's query.
func query(r *http.Request, dst any) (*principal.Principal, error) {
	caller, err := principal.RequireUser(r.Context())
	if err != nil {
		return nil, err
	}
	return caller, route.DecodeQuery(r, dst)
}

// answer answers with v, or with err.
func answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, v)
}

// nullable reads a text that null takes away; it is nil where the field is missing.
func nullable(field string, raw json.RawMessage) (*string, error) {
	var text *string
	if len(raw) > 0 {
		text = new(string)
		if err := json.Unmarshal(raw, text); err != nil { // null leaves it empty
			return nil, problem.ErrValidation.WithFields(problem.FieldError{Field: field, Code: "INVALID_TYPE", Message: "must be a string or null"})
		}
	}
	return text, nil
}

// Middleware makes the organization that the header X-Organization-Id names the scope of
// the request: the principal has the caller's role and permissions there (rule R13). It
// goes around routes inside of whatever identifies the caller, and lets every request
// pass. Where the caller may not act there, the scope is none, and what needs one, such
// as principal.RequireOrganization, says why. Without the header it does nothing.
func (h *Handler) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if named, there := r.Header[HeaderOrganization]; there {
			r = h.named(r, named)
		}
		next.ServeHTTP(w, r)
	})
}

// named returns r with the one organization that all of ids name as its scope.
func (h *Handler) named(r *http.Request, ids []string) *http.Request {
	caller, ok := principal.FromContext(r.Context())
	if !ok {
		return r
	}
	return r.WithContext(principal.NewContext(r.Context(), h.svc.Scope(r.Context(), caller, ids...)))
}

// Require returns middleware for the host's routes that belong to an organization. The
// request may name it as the path's wildcard {organizationId}, as organizationId in the
// query or in the header, or leave it to the session (rule R13); what a body names is for
// its reader, who asks Resolve and Service.Authorize. Then check finds the caller, such
// as principal.RequireOrganization or principal.RequirePermission("invoices", "read").
func (h *Handler) Require(check func(context.Context) (*principal.Principal, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		checked := principal.Require(check)(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ids := slices.DeleteFunc(append(r.URL.Query()["organizationId"], r.PathValue("organizationId")), func(id string) bool { return id == "" })
			if len(ids) > 0 {
				r = h.named(r, ids)
			}
			checked.ServeHTTP(w, r)
		})
	}
}
