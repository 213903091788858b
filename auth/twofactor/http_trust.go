package twofactor

import (
	"net/http"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// freshToReset is how old a superuser's proof may be (rule R22).
const freshToReset = 10 * time.Minute

// trustRoutes are for the owner's list of trusted devices, and for superusers.
func (h *Handler) trustRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodGet, Path: "/two-factor/list-trusted-devices", Access: route.User, InPerson: true, Limit: route.LimitAccount,
			Summary: "The browsers that skip the second step, the one used last first",
			Request: empty{}, Response: []trustedDevice{}, Handler: h.ListTrustedDevices,
		}, {
			Method: http.MethodPost, Path: "/two-factor/revoke-trusted-device", Access: route.User, InPerson: true, Limit: route.LimitAccount,
			Summary: "Ask for the second step again in a browser",
			Request: revokeRequest{}, Response: statusResponse{}, Handler: h.RevokeTrustedDevice,
		}, {
			Method: http.MethodPost, Path: "/admin/reset-second-factor", Access: route.Superuser, Fresh: freshToReset,
			Summary: "Take all second factors away from a user who lost theirs, and end their sessions",
			Request: resetRequest{}, Response: statusResponse{}, Handler: h.Reset,
		},
	}
}

type trustedDevice struct {
	ID         string     `json:"id"`
	Device     string     `json:"device" description:"The browser and system in words, such as Firefox on Windows."`
	IPAddress  *string    `json:"ipAddress" description:"Where it was used last."`
	CreatedAt  route.Time `json:"createdAt"`
	LastUsedAt route.Time `json:"lastUsedAt"`
	ExpiresAt  route.Time `json:"expiresAt" description:"When it is asked again, however often it is used."`
}

type revokeRequest struct {
	ID string `json:"id" required:"true" maxLength:"64" description:"The device, as list-trusted-devices gives it."`
}

// ListTrustedDevices answers GET two-factor/list-trusted-devices with an array.
func (h *Handler) ListTrustedDevices(w http.ResponseWriter, r *http.Request) {
	caller, err := h.cfg.Caller(r)
	if err == nil {
		err = route.DecodeQuery(r, &empty{})
	}
	var devices []TrustedDevice
	if err == nil {
		devices, err = h.svc.TrustedDevices(r.Context(), caller)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	list := make([]trustedDevice, 0, len(devices))
	for _, d := range devices {
		wire := trustedDevice{
			ID: d.ID, Device: d.Name, CreatedAt: route.NewTime(d.CreatedAt),
			LastUsedAt: route.NewTime(d.LastUsedAt), ExpiresAt: route.NewTime(d.ExpiresAt),
		}
		if d.IP.IsValid() {
			ip := d.IP.String()
			wire.IPAddress = &ip
		}
		list = append(list, wire)
	}
	route.WriteJSON(w, r, http.StatusOK, list)
}

// RevokeTrustedDevice answers POST two-factor/revoke-trusted-device {id}. Somebody
// else's device and one that never existed are the same 404.
func (h *Handler) RevokeTrustedDevice(w http.ResponseWriter, r *http.Request) {
	var body revokeRequest
	caller, err := h.read(r, &body)
	if err == nil {
		err = h.svc.RevokeTrusted(r.Context(), caller, body.ID)
	}
	route.Respond(w, r, statusResponse{Status: true}, err)
}

type resetRequest struct {
	UserID       string `json:"userId" required:"true" maxLength:"64" description:"The user's id"`
	KeepPasskeys bool   `json:"keepPasskeys" description:"Leaves the passkeys, with which the user also signs in. Defaults to false."`
}

// Reset answers POST admin/reset-second-factor.
func (h *Handler) Reset(w http.ResponseWriter, r *http.Request) {
	var body resetRequest
	caller, err := h.read(r, &body)
	if err == nil {
		err = h.svc.Reset(r.Context(), ResetParams{
			UserID: body.UserID, ActorID: caller.Principal.UserID, KeepPasskeys: body.KeepPasskeys, Client: auth.ClientOf(r),
		})
	}
	route.Respond(w, r, statusResponse{Status: true}, err)
}
