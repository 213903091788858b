package admin

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

type getQuery struct {
	ID string `json:"id" required:"true" maxLength:"64" description:"The user's id"`
}

type listQuery struct {
	SearchValue    string `json:"searchValue" maxLength:"254" description:"What to look for"`
	SearchField    string `json:"searchField" enum:"email,name" description:"Where to look for it. Defaults to email."`
	SearchOperator string `json:"searchOperator" enum:"contains,starts_with,ends_with" description:"How to look for it. Defaults to contains."`
	Limit          int    `json:"limit" minimum:"0" maximum:"500" description:"Users at most. Defaults to 100."`
	Offset         int    `json:"offset" minimum:"0" maximum:"1000000" description:"Users to pass over"`
	SortBy         string `json:"sortBy" enum:"id,email,name,createdAt,updatedAt" description:"Defaults to createdAt"`
	SortDirection  string `json:"sortDirection" enum:"asc,desc" description:"Defaults to asc"`
	FilterField    string `json:"filterField" enum:"id,email,name,role,banned,emailVerified,createdAt,updatedAt" description:"The field to filter by. Defaults to email."`
	FilterValue    string `json:"filterValue" maxLength:"254" description:"What it must be: a text, true or false, or a time"`
	FilterOperator string `json:"filterOperator" enum:"eq,ne,lt,lte,gt,gte,contains,starts_with,ends_with" description:"Defaults to eq"`
}

type listResponse struct {
	Users  []userResponse `json:"users"`
	Total  int            `json:"total"`
	Limit  *int           `json:"limit,omitempty"`
	Offset *int           `json:"offset,omitempty"`
}

// GetUser answers GET admin/get-user.
func (h *Handler) GetUser(w http.ResponseWriter, r *http.Request) {
	var query getQuery
	err := route.DecodeQuery(r, &query)
	var record Record
	if err == nil {
		record, err = h.svc.Get(r.Context(), query.ID)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, h.newUserResponse(record))
}

// ListUsers answers GET admin/list-users.
func (h *Handler) ListUsers(w http.ResponseWriter, r *http.Request) {
	var query listQuery
	err := route.DecodeQuery(r, &query)
	var where []Condition
	if err == nil {
		where, err = conditions(query)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	list, total, err := h.svc.List(r.Context(), Query{
		Where: where, OrderBy: Field(query.SortBy), Descending: query.SortDirection == "desc",
		Limit: query.Limit, Offset: query.Offset,
	})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	response := listResponse{Users: make([]userResponse, 0, len(list)), Total: total}
	for _, record := range list {
		response.Users = append(response.Users, h.newUserResponse(record))
	}
	if query.Limit > 0 {
		response.Limit = &query.Limit
	}
	if query.Offset > 0 {
		response.Offset = &query.Offset
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}

// conditions are what the query asks of users.
func conditions(q listQuery) ([]Condition, error) {
	var all []Condition
	if q.SearchValue != "" {
		all = append(all, Condition{
			Field: Field(cmp.Or(q.SearchField, "email")), Match: Match(cmp.Or(q.SearchOperator, "contains")), Value: q.SearchValue,
		})
	}
	if q.FilterValue == "" {
		return all, nil
	}
	c := Condition{Field: Field(cmp.Or(q.FilterField, "email")), Match: Match(cmp.Or(q.FilterOperator, "eq")), Value: q.FilterValue}
	var err error
	switch c.Field {
	case FieldBanned, FieldVerified:
		if c.Value, err = strconv.ParseBool(q.FilterValue); err != nil {
			return nil, invalid("filterValue", "must be true or false for this field")
		}
	case FieldCreatedAt, FieldUpdatedAt:
		if c.Value, err = time.Parse(time.RFC3339Nano, q.FilterValue); err != nil {
			return nil, invalid("filterValue", "must be a time such as 2026-01-31T09:00:00.000Z for this field")
		}
	}
	return append(all, c), nil
}

func invalid(field, message string) error {
	return problem.ErrValidation.WithFields(problem.FieldError{Field: field, Code: "INVALID_FORMAT", Message: message})
}
