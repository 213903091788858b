package audit

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// HandlerConfig configures a [Handler].
type HandlerConfig struct {
	// MayRead returns nil if the caller may read the trail of the organization: an
	// error of kind NotFound for strangers, as if it did not exist, and of kind
	// PermissionDenied for members who may not. Required.
	MayRead func(ctx context.Context, caller *principal.Principal, organizationID string) error
	// CheckSuperuser returns nil for the request of a superuser who may read
	// everybody's. Required.
	CheckSuperuser func(r *http.Request) error
	// Logger is told of exports that broke off. Defaults to slog.Default().
	Logger *slog.Logger
}

// Handler serves the trail over HTTP. Each endpoint is a method, for hosts that route
// by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc      *Service
	cfg      HandlerConfig
	stallFor time.Duration
}

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil || cfg.MayRead == nil || cfg.CheckSuperuser == nil {
		return nil, errors.New("audit: handler: Service, MayRead and CheckSuperuser are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Handler{svc: svc, cfg: cfg, stallFor: stallFor}, nil
}

// Routes is the table of the package's routes, relative to its mount. All of them read
// only.
func (h *Handler) Routes() route.Table {
	read := func(path, summary string, request, response any, handler http.HandlerFunc) route.Route {
		return route.Route{
			Method: http.MethodGet, Path: path, Access: route.User, Limit: route.LimitAccount,
			Summary: summary, Request: request, Response: response, Handler: handler,
		}
	}
	return route.Table{
		read("/audit/list", "What was done in an organization, or, for superusers, everywhere", listQuery{}, listResponse{}, h.List),
		read("/audit/verify", "Whether the trail of an organization is whole, or, for superusers, everybody's", verifyQuery{}, verifyResponse{}, h.Verify),
		read("/audit/export", "Everything that was done, as JSON lines, the oldest first", exportQuery{}, entryResponse{}, h.Export),
		read("/organization/list-audit", "What was done in an organization", listQuery{}, listResponse{}, h.ListOrganization),
	}
}

// filterQuery selects entries.
type filterQuery struct {
	OrganizationID string      `json:"organizationId" maxLength:"64" description:"Whose trail. Defaults to the active organization's and, for superusers, to everybody's."`
	ActorID        string      `json:"actorId" maxLength:"64" description:"The user who acted"`
	Action         string      `json:"action" maxLength:"64" description:"A name of the OWASP logging vocabulary, such as authz_change"`
	Event          string      `json:"event" maxLength:"64" description:"What happened, such as MemberJoined"`
	TargetType     string      `json:"targetType" maxLength:"64"`
	TargetID       string      `json:"targetId" maxLength:"256"`
	Outcome        string      `json:"outcome" enum:"success,failure"`
	From           *route.Time `json:"from" description:"Recorded then or later"`
	Until          *route.Time `json:"until" description:"Recorded before"`
}

type listQuery struct {
	filterQuery
	Limit  int    `json:"limit" minimum:"1" maximum:"200" description:"How many at most. Defaults to 50."`
	Cursor string `json:"cursor" maxLength:"1024" description:"nextCursor of the page before, with the same filters"`
}

type exportQuery struct{ filterQuery }

// query returns what the filters select, of everybody or of one organization.
func (q filterQuery) query(s scope) Query {
	out := Query{
		All: s.all, OrganizationID: s.organizationID, ActorID: q.ActorID, Action: q.Action, Event: q.Event,
		Target: Target{Type: q.TargetType, ID: q.TargetID}, Outcome: Outcome(q.Outcome),
	}
	if q.From != nil {
		out.From = q.From.Time
	}
	if q.Until != nil {
		out.Until = q.Until.Time
	}
	return out
}

type entryResponse struct {
	ID             string         `json:"id"`
	CreatedAt      route.Time     `json:"createdAt"`
	OrganizationID *string        `json:"organizationId"`
	Seq            *int64         `json:"seq" description:"The number in the chain; null until it is sealed, normally for a second"`
	Action         string         `json:"action"`
	Event          string         `json:"event"`
	Outcome        Outcome        `json:"outcome" enum:"success,failure"`
	ActorID        *string        `json:"actorId"`
	ImpersonatorID *string        `json:"impersonatorId" description:"The superuser who acted as the actor"`
	APIKeyID       *string        `json:"apiKeyId"`
	SessionID      *string        `json:"sessionId"`
	TargetType     string         `json:"targetType"`
	TargetID       string         `json:"targetId"`
	IPAddress      *string        `json:"ipAddress"`
	UserAgent      *string        `json:"userAgent"`
	Before         map[string]any `json:"before"`
	After          map[string]any `json:"after"`
	Erased         bool           `json:"erased" description:"Whether the address, the user agent and the fields were erased"`
	Damaged        bool           `json:"damaged" description:"Whether the row is not what was recorded; see audit/verify"`
}

func newEntryResponse(r Record) entryResponse {
	e := entryResponse{
		ID: r.ID, CreatedAt: route.NewTime(r.At), OrganizationID: some(r.OrganizationID), Seq: some(r.Seq),
		Action: r.Action, Event: r.Event, Outcome: r.Outcome,
		ActorID: some(r.Actor.UserID), ImpersonatorID: some(r.Actor.ImpersonatorID), APIKeyID: some(r.Actor.APIKeyID), SessionID: some(r.Actor.SessionID),
		TargetType: r.Target.Type, TargetID: r.Target.ID, UserAgent: some(r.UserAgent),
		Before: r.Before, After: r.After, Erased: r.Erased, Damaged: r.Damaged,
	}
	if r.IP.IsValid() {
		e.IPAddress = some(r.IP.String())
	}
	return e
}

// some returns nil for the zero value.
func some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

type listResponse struct {
	Items      []entryResponse `json:"items"`
	NextCursor *string         `json:"nextCursor" description:"null on the last page"`
}

// scope is what a caller may read: one organization's or all. A superuser reads it in
// the system's scope.
type scope struct {
	all            bool
	organizationID string
	system         bool
}

// context returns ctx with the rows open that the caller may read.
func (s scope) context(ctx context.Context) context.Context {
	if s.system {
		return rowscope.ForSystem(ctx)
	}
	return rowscope.Within(ctx, s.organizationID)
}

// scope judges who may read what: an organization's trail its readers and superusers,
// all trails superusers only.
func (h *Handler) scope(r *http.Request, organizationID string, mayBeAll bool) (scope, error) {
	caller, err := principal.RequireUser(r.Context())
	if err != nil {
		return scope{}, err
	}
	if organizationID == "" && mayBeAll && caller.IsSuperuser() {
		return scope{all: true, system: true}, h.cfg.CheckSuperuser(r)
	}
	if organizationID == "" {
		if caller, err = principal.RequireOrganization(r.Context()); err != nil {
			return scope{}, err
		}
		organizationID = caller.OrganizationID
	}
	err = h.cfg.MayRead(r.Context(), caller, organizationID)
	switch kind := problem.KindOf(err); {
	case err == nil:
		return scope{organizationID: organizationID}, nil
	case caller.IsSuperuser() && (kind == problem.NotFound || kind == problem.PermissionDenied):
		return scope{organizationID: organizationID, system: true}, h.cfg.CheckSuperuser(r)
	}
	return scope{}, err
}

// List answers GET audit/list.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) { h.list(w, r, true) }

// ListOrganization answers GET organization/list-audit.
func (h *Handler) ListOrganization(w http.ResponseWriter, r *http.Request) { h.list(w, r, false) }

func (h *Handler) list(w http.ResponseWriter, r *http.Request, mayBeAll bool) {
	var query listQuery
	err := route.DecodeQuery(r, &query)
	var s scope
	if err == nil {
		s, err = h.scope(r, query.OrganizationID, mayBeAll)
	}
	var page Page
	if err == nil {
		page, err = h.svc.List(s.context(r.Context()), query.query(s), query.Limit, query.Cursor)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	response := listResponse{Items: make([]entryResponse, 0, len(page.Items)), NextCursor: some(page.Next)}
	for _, record := range page.Items {
		response.Items = append(response.Items, newEntryResponse(record))
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}

type verifyQuery struct {
	OrganizationID string `json:"organizationId" maxLength:"64" description:"Whose trail. Defaults to the active organization's and, for superusers, to everybody's."`
	Known          string `json:"known" maxLength:"2048" description:"An earlier head of this one trail, out of which it must have grown"`
	Limit          int    `json:"limit" minimum:"1" maximum:"100" description:"How many trails at most. Defaults to 10."`
	Cursor         string `json:"cursor" maxLength:"1024" description:"nextCursor of the page before"`
}

type verifyResponse struct {
	Valid      bool             `json:"valid" description:"Whether nothing is wrong on this page"`
	Items      []reportResponse `json:"items"`
	NextCursor *string          `json:"nextCursor" description:"null on the last page. One page is about 20,000 entries at most, so that it may end within a trail, which the next goes on with."`
	Roster     *rosterResponse  `json:"roster" description:"Of all trails together, for superusers"`
}

type rosterResponse struct {
	Chains  int64 `json:"chains" description:"How many trails there are"`
	Missing int64 `json:"missing" description:"How many were removed as a whole"`
	Forged  bool  `json:"forged"`

	Unsealed        int64   `json:"unsealed" description:"How many entries wait to be sealed"`
	UnsealedSeconds float64 `json:"unsealedSeconds" description:"How long the oldest of them has waited: more than some seconds say that nobody seals"`
}

type reportResponse struct {
	OrganizationID  *string           `json:"organizationId"`
	Valid           bool              `json:"valid"`
	Count           int64             `json:"count" description:"How many entries there have been"`
	Pruned          int64             `json:"pruned" description:"How many of them retention has deleted"`
	Checked         int64             `json:"checked"`
	Erased          int64             `json:"erased" description:"How many have lost their personal fields"`
	Head            *string           `json:"head" description:"The end of the chain, signed; keep it elsewhere, and send it as known later"`
	Unsealed        int64             `json:"unsealed"`
	UnsealedSeconds float64           `json:"unsealedSeconds" description:"How long the oldest of them has waited"`
	Findings        []findingResponse `json:"findings"`
	More            bool              `json:"more" description:"Whether there are more findings than these"`
}

type findingResponse struct {
	Kind Kind    `json:"kind" enum:"changed,recomputed,reordered,forked,removed,truncated,stray,head_forged,checkpoint_forged"`
	From int64   `json:"from"`
	To   int64   `json:"to"`
	ID   *string `json:"id" description:"The entry, where it is one"`
}

func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

func newReportResponse(r Report) reportResponse {
	out := reportResponse{
		OrganizationID: some(r.OrganizationID), Valid: r.Valid, Count: r.Head.Count, Pruned: r.Base.Count, Checked: r.Checked, Erased: r.Erased,
		Unsealed: r.Tail.Count, UnsealedSeconds: seconds(r.TailAge), Findings: []findingResponse{}, More: r.More,
	}
	if r.Head.Count > 0 {
		out.Head = some(r.Head.String())
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, findingResponse{f.Kind, f.From, f.To, some(f.ID)})
	}
	return out
}

// Verify answers GET audit/verify.
func (h *Handler) Verify(w http.ResponseWriter, r *http.Request) {
	var query verifyQuery
	err := route.DecodeQuery(r, &query)
	var s scope
	if err == nil {
		s, err = h.scope(r, query.OrganizationID, true)
	}
	var response verifyResponse
	if err == nil {
		response, err = h.verify(s.context(r.Context()), s, query)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}

func (h *Handler) verify(ctx context.Context, s scope, query verifyQuery) (verifyResponse, error) {
	out := verifyResponse{Valid: true, Items: []reportResponse{}}
	var reports []Report
	if s.all && query.Known != "" {
		return out, ErrInvalidHead
	}
	if s.all {
		all, err := h.svc.Roster(ctx)
		if err != nil {
			return out, err
		}
		out.Roster = &rosterResponse{
			Chains: all.Chains, Missing: all.Missing, Forged: all.RosterForged, Unsealed: all.Tail.Count, UnsealedSeconds: seconds(all.TailAge),
		}
		page, next, err := h.svc.VerifyPage(ctx, query.Limit, query.Cursor)
		if err != nil {
			return out, err
		}
		reports, out.NextCursor, out.Valid = page, some(next), all.Valid()
	} else {
		p := VerifyParams{OrganizationID: s.organizationID}
		if query.Known != "" {
			known, err := ParseHead(query.Known)
			if err != nil {
				return out, err
			}
			p.Known = []Head{known}
		}
		report, next, err := h.svc.VerifyChain(ctx, p, query.Cursor)
		if err != nil {
			return out, err
		}
		reports, out.NextCursor = []Report{report}, some(next)
	}
	for _, report := range reports {
		out.Valid = out.Valid && report.Valid
		out.Items = append(out.Items, newReportResponse(report))
	}
	return out, nil
}
