package main

import (
	"net/http"

	"github.com/tenon-go/tenon/auth/account"
)

// trustedRow is a browser that skips the second step, as the page shows it.
type trustedRow struct{ ID, Name, Added, Used, Until string }

func (s *server) trustedRows(r *http.Request, caller account.Caller) ([]trustedRow, error) {
	devices, err := s.app.TwoFactor.TrustedDevices(r.Context(), caller)
	now := s.app.DB.Now()
	rows := make([]trustedRow, len(devices))
	for i, d := range devices {
		rows[i] = trustedRow{
			ID: d.ID, Name: d.Name, Added: day(now, d.CreatedAt), Used: ago(now, d.LastUsedAt), Until: d.ExpiresAt.Format("2 January 2006"),
		}
	}
	return rows, err
}

func (s *server) revokeTrusted(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	err := s.app.TwoFactor.RevokeTrusted(r.Context(), caller, r.PostFormValue("id"))
	s.finishSecurity(w, r, caller, "devices", "/security?revoked", err)
}
