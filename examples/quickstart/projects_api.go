package main

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// The JSON of projects. The organization is the session's, or the one that the header
// X-Organization-Id names.

var (
	errJSON        = problem.New(problem.Invalid, "INVALID_JSON", `The request body must be one JSON object, such as {"name": "Apollo"}.`)
	errContentType = problem.New(problem.UnsupportedMedia, "UNSUPPORTED_MEDIA_TYPE", "Send the body as application/json.")
)

func (s *server) projectRoutes(mux *http.ServeMux) {
	for pattern, route := range map[string]struct {
		action string
		answer func(w http.ResponseWriter, r *http.Request, caller *principal.Principal) error
	}{
		"POST /app/projects":        {"create", s.postProject},
		"GET /app/projects":         {"read", s.getProjects},
		"DELETE /app/projects/{id}": {"delete", s.removeProject},
	} {
		answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller, err := principal.RequireOrganization(r.Context())
			if err == nil {
				err = route.answer(w, r, caller)
			}
			if err != nil {
				problem.Write(w, r, err)
			}
		})
		mux.Handle(pattern, s.app.RequirePermission("project", route.action)(s.app.RateLimit(tenon.RateLimitPublic, answer)))
	}
}

// wireProject is a project as clients see it.
type wireProject struct {
	ID             string `json:"id"`
	OrganizationID string `json:"organizationId"`
	Name           string `json:"name"`
	CreatedAt      string `json:"createdAt"`
}

func newWireProject(p project) wireProject {
	return wireProject{p.ID, p.OrganizationID, p.Name, p.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z")}
}

func (s *server) postProject(w http.ResponseWriter, r *http.Request, caller *principal.Principal) error {
	name, err := readName(r)
	if err != nil {
		return err
	}
	p, err := s.createProject(r.Context(), caller, name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, newWireProject(p))
	return nil
}

func (s *server) getProjects(w http.ResponseWriter, r *http.Request, caller *principal.Principal) error {
	query := r.URL.Query()
	limit := 0
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxProjects {
			return invalid("limit", "must be a number from 1 to 200")
		}
		limit = n
	}
	page, next, err := s.listProjects(r.Context(), caller, limit, query.Get("cursor"))
	if err != nil {
		return err
	}
	answer := struct {
		Items      []wireProject `json:"items"`
		NextCursor *string       `json:"nextCursor"`
	}{Items: make([]wireProject, 0, len(page))}
	for _, p := range page {
		answer.Items = append(answer.Items, newWireProject(p))
	}
	if next != "" {
		answer.NextCursor = &next
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

func (s *server) removeProject(w http.ResponseWriter, r *http.Request, caller *principal.Principal) error {
	if err := s.deleteProject(r.Context(), caller, r.PathValue("id")); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]bool{"success": true})
	return nil
}

// readName reads {"name": "…"} and names whatever else is there.
func readName(r *http.Request) (name string, err error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return "", errContentType
	}
	var fields map[string]json.RawMessage
	decoder := json.NewDecoder(r.Body)
	if err := decoder.Decode(&fields); err != nil {
		return "", badBody(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return "", errJSON
	}
	for field := range fields {
		if field != "name" {
			return "", problem.ErrValidation.WithFields(problem.FieldError{Field: field, Code: "UNKNOWN_FIELD", Message: "is not known here; leave it out"})
		}
	}
	if json.Unmarshal(fields["name"], &name) != nil {
		return "", errProjectName()
	}
	return name, nil
}

func badBody(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return problem.New(problem.TooLarge, "PAYLOAD_TOO_LARGE", "The request body is too large.")
	}
	return errJSON
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who asked may be gone
}
