package notify

import (
	"net/http"

	"github.com/tenon-go/tenon/internal/route"
)

type preferenceResponse struct {
	Category    string `json:"category"`
	Description string `json:"description" description:"What the category is about; may be empty"`
	Channel     string `json:"channel" enum:"in-app,mail"`
	Enabled     bool   `json:"enabled"`
	Default     bool   `json:"default" description:"What holds for whoever did not choose"`
	Mutable     bool   `json:"mutable" description:"Whether it can be turned off"`
}

func newPreferenceResponse(s Setting) preferenceResponse {
	return preferenceResponse{
		Category: s.Category.Name, Description: s.Category.Description, Channel: string(s.Channel),
		Enabled: s.Enabled, Default: s.Default, Mutable: s.Mutable,
	}
}

type preferencesResponse struct {
	Preferences []preferenceResponse `json:"preferences"`
}

// GetPreferences answers GET /notification/get-preferences.
func (h *Handler) GetPreferences(w http.ResponseWriter, r *http.Request) {
	var settings []Setting
	userID, err := caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &noQuery{})
	}
	if err == nil {
		settings, err = h.svc.Preferences(r.Context(), userID)
	}
	response := preferencesResponse{Preferences: make([]preferenceResponse, len(settings))}
	for i, s := range settings {
		response.Preferences[i] = newPreferenceResponse(s)
	}
	route.Respond(w, r, response, err)
}

type preferenceRequest struct {
	Category string `json:"category" required:"true" maxLength:"64" description:"A name of get-preferences"`
	Channel  string `json:"channel" required:"true" enum:"in-app,mail"`
	Enabled  *bool  `json:"enabled" required:"true" description:"Whether the category goes by the channel"`
}

// SetPreference answers POST /notification/set-preference.
func (h *Handler) SetPreference(w http.ResponseWriter, r *http.Request) {
	var body preferenceRequest
	var setting Setting
	userID, err := caller(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err == nil {
		setting, err = h.svc.SetPreference(r.Context(), userID, body.Category, Channel(body.Channel), *body.Enabled)
	}
	route.Respond(w, r, newPreferenceResponse(setting), err)
}
