package main

import (
	"net/http"
	"strconv"

	"github.com/tenon-go/tenon/auth/account"
)

// passkeyRow is a passkey as the page shows it. Adding and using one is the work of
// the library's script; the rest are forms.
type passkeyRow struct {
	ID, Name, Added, Used string
	Synced                bool // in more than one device
}

func (s *server) passkeyRows(r *http.Request, caller account.Caller) ([]passkeyRow, error) {
	if s.passkeys == nil {
		return nil, nil
	}
	keys, err := s.passkeys.List(r.Context(), caller)
	now := s.app.DB.Now()
	rows := make([]passkeyRow, len(keys))
	for i, k := range keys {
		rows[i] = passkeyRow{ID: k.ID, Name: k.Name, Added: day(now, k.CreatedAt), Used: "never used", Synced: k.BackupState}
		if !k.LastUsedAt.IsZero() {
			rows[i].Used = "last used " + ago(now, k.LastUsedAt)
		}
	}
	return rows, err
}

func (s *server) renamePasskey(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	id := r.PostFormValue("id")
	_, err := s.passkeys.Rename(r.Context(), caller, id, r.PostFormValue("name"))
	s.finishSecurity(w, r, caller, id, "/security?renamed#passkeys", err)
}

func (s *server) deletePasskey(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	id := r.PostFormValue("id")
	err := s.passkeys.Delete(r.Context(), caller, id)
	s.finishSecurity(w, r, caller, id, "/security?deleted#passkeys", err)
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
