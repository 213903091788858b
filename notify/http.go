package notify

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
)

// Handler serves the package over HTTP: everybody their own. Each endpoint is a
// method, for hosts that route by themselves; Routes lists them. It is safe for
// concurrent use.
type Handler struct{ svc *Service }

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service) (*Handler, error) {
	if svc == nil {
		return nil, errors.New("notify: handler: Service is required")
	}
	return &Handler{svc: svc}, nil
}

// Routes is the table of the package's routes, relative to its mount. A superuser who
// acts as the user reads only: what the owner has to see must not disappear behind
// their back (rule R22).
func (h *Handler) Routes() route.Table {
	return route.Table{
		{
			Method: http.MethodGet, Path: "/notification/list", Access: route.User,
			Summary: "List the own notifications, the newest first", Request: listQuery{}, Response: listResponse{}, Handler: h.List,
		},
		{
			Method: http.MethodGet, Path: "/notification/unread-count", Access: route.User,
			Summary: "Count the own notifications that are not read", Response: countResponse{}, Handler: h.UnreadCount,
		},
		{
			Method: http.MethodPost, Path: "/notification/mark-read", Access: route.User, InPerson: true,
			Summary: "Mark own notifications as read", Request: markRequest{}, Response: markResponse{}, Handler: h.MarkRead,
		},
		{
			Method: http.MethodPost, Path: "/notification/mark-all-read", Access: route.User, InPerson: true,
			Summary: "Mark all own notifications up to a time as read", Request: markAllRequest{}, Response: markResponse{}, Handler: h.MarkAllRead,
		},
		{
			Method: http.MethodGet, Path: "/notification/get-preferences", Access: route.User,
			Summary: "List which notifications reach the user by which channel", Response: preferencesResponse{}, Handler: h.GetPreferences,
		},
		{
			Method: http.MethodPost, Path: "/notification/set-preference", Access: route.User, InPerson: true,
			Summary: "Turn a category of notifications on or off on a channel", Request: preferenceRequest{}, Response: preferenceResponse{}, Handler: h.SetPreference,
		},
	}
}

type listQuery struct {
	Unread bool   `json:"unread" description:"Leave out what was read"`
	Limit  int    `json:"limit" minimum:"1" maximum:"100" description:"How many at most. Defaults to 20."`
	Cursor string `json:"cursor" maxLength:"1024" description:"nextCursor of the page before, with the same filter"`
}

type itemResponse struct {
	ID             string          `json:"id"`
	Category       string          `json:"category"`
	Type           string          `json:"type" description:"What it is, for programs"`
	OrganizationID *string         `json:"organizationId" description:"Where it happened"`
	Title          string          `json:"title" description:"Plain text, one line"`
	Body           string          `json:"body" description:"Plain text; may be empty"`
	Link           *string         `json:"link" description:"A path of the site, or an http(s) address"`
	Data           json.RawMessage `json:"data" description:"An object that depends on type, or null"`
	CreatedAt      route.Time      `json:"createdAt"`
	ReadAt         *route.Time     `json:"readAt"`
}

type listResponse struct {
	Items      []itemResponse `json:"items"`
	NextCursor *string        `json:"nextCursor" description:"null on the last page"`
}

func newItemResponse(i Item) itemResponse {
	response := itemResponse{
		ID: i.ID, Category: i.Category, Type: i.Type, OrganizationID: route.OrNull(i.OrganizationID), Title: i.Title, Body: i.Body,
		Link: route.OrNull(i.Link), Data: i.Data, CreatedAt: route.NewTime(i.CreatedAt),
	}
	if !i.ReadAt.IsZero() {
		at := route.NewTime(i.ReadAt)
		response.ReadAt = &at
	}
	return response
}

// List answers GET /notification/list.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) {
	var query listQuery
	var page Page
	userID, err := caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &query)
	}
	if err == nil {
		page, err = h.svc.List(r.Context(), ListParams{UserID: userID, Unread: query.Unread, Limit: query.Limit, Cursor: query.Cursor})
	}
	response := listResponse{Items: make([]itemResponse, len(page.Items)), NextCursor: route.OrNull(page.Next)}
	for i, item := range page.Items {
		response.Items[i] = newItemResponse(item)
	}
	route.Respond(w, r, response, err)
}

type noQuery struct{}

type countResponse struct {
	Count int `json:"count"`
}

// UnreadCount answers GET /notification/unread-count.
func (h *Handler) UnreadCount(w http.ResponseWriter, r *http.Request) {
	var response countResponse
	userID, err := caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &noQuery{})
	}
	if err == nil {
		response.Count, err = h.svc.UnreadCount(r.Context(), userID)
	}
	route.Respond(w, r, response, err)
}

type markRequest struct {
	IDs []string `json:"ids" required:"true" minItems:"1" maxItems:"100" description:"The notifications. Others than the own count as read."`
}

type markResponse struct {
	Marked int `json:"marked" description:"How many were not read before"`
}

// MarkRead answers POST /notification/mark-read. Somebody else's notification and one
// that never existed are the same: nothing is marked.
func (h *Handler) MarkRead(w http.ResponseWriter, r *http.Request) {
	var body markRequest
	var response markResponse
	userID, err := caller(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		response.Marked, err = h.svc.MarkRead(r.Context(), userID, body.IDs...)
	}
	route.Respond(w, r, response, err)
}

type markAllRequest struct {
	Before route.Time `json:"before" required:"true" description:"createdAt of the newest notification that the user has seen, which is marked, too"`
}

// MarkAllRead answers POST /notification/mark-all-read. The wire cuts times to
// milliseconds, so the whole of the one that is named counts.
func (h *Handler) MarkAllRead(w http.ResponseWriter, r *http.Request) {
	var body markAllRequest
	var response markResponse
	userID, err := caller(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		before := body.Before.Truncate(time.Millisecond).Add(time.Millisecond)
		response.Marked, err = h.svc.MarkAllRead(r.Context(), userID, before)
	}
	route.Respond(w, r, response, err)
}

// caller returns the user who sent r.
func caller(r *http.Request) (userID string, err error) {
	p, err := principal.RequireUser(r.Context())
	if err != nil {
		return "", err
	}
	return p.UserID, nil
}
