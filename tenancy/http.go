package tenancy

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// defaultFreshFor is how old the proof may be for what changes an organization's
// safety.
const defaultFreshFor = 10 * time.Minute

// HandlerConfig configures a [Handler].
type HandlerConfig struct {
	// FreshFor is how old the caller's last proof may be where an organization's
	// safety is changed. Defaults to 10 minutes.
	FreshFor time.Duration
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
	return route.Table{{
		Method: http.MethodPost, Path: "/organization/set-second-factor-policy", Access: route.User,
		Fresh: h.cfg.FreshFor, InPerson: true, Limit: route.LimitAccount,
		Summary: "Demand a second factor of an organization's members, or stop to",
		Request: policyRequest{}, Response: policyResponse{}, Handler: h.SetSecondFactorPolicy,
	}}
}

type policyRequest struct {
	OrganizationID       string `json:"organizationId" required:"true" maxLength:"64" description:"The organization, which the caller owns."`
	Required             *bool  `json:"required" required:"true" description:"Whether every member needs a second factor."`
	GraceDays            int    `json:"graceDays" minimum:"0" maximum:"365" description:"How many days members have to enrol. Defaults to none."`
	AcceptTrustedDevices bool   `json:"acceptTrustedDevices" description:"Whether a trusted device is enough. It proves nothing. Defaults to false."`
}

type policyResponse struct {
	OrganizationID       string      `json:"organizationId"`
	Required             bool        `json:"required"`
	RequiredFrom         *route.Time `json:"requiredFrom" description:"The end of the grace period."`
	AcceptTrustedDevices bool        `json:"acceptTrustedDevices"`
}

// SetSecondFactorPolicy answers POST organization/set-second-factor-policy. Somebody
// else's organization and one that never existed are the same 404.
func (h *Handler) SetSecondFactorPolicy(w http.ResponseWriter, r *http.Request) {
	var request policyRequest
	caller, err := principal.RequireUser(r.Context())
	if err == nil {
		err = route.Decode(r, &request)
	}
	var o Organization
	if err == nil {
		o, err = h.svc.SetSecondFactorPolicy(r.Context(), SecondFactorParams{
			OrganizationID: request.OrganizationID, Caller: caller, Required: *request.Required,
			Grace: time.Duration(request.GraceDays) * 24 * time.Hour, AcceptTrustedDevices: request.AcceptTrustedDevices,
		})
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	response := policyResponse{OrganizationID: o.ID, AcceptTrustedDevices: o.SecondFactor.AcceptTrustedDevices}
	if from := o.SecondFactor.From; !from.IsZero() {
		at := route.NewTime(from)
		response.Required, response.RequiredFrom = true, &at
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}
