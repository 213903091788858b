package main

import (
	"errors"
	"net/http"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

// The forms of the page of the organization. Each calls one service, which judges who
// may do that: what the page hides is refused as well.

func (s *server) organizationForms(mux *http.ServeMux) {
	for path, form := range map[string]struct {
		limit  string
		submit userPage
	}{
		"switch": {tenon.RateLimitAccount, s.switchOrganization},
		"create": {tenon.RateLimitAccount, s.createOrganization},
		"leave":  {tenon.RateLimitAccount, s.leaveOrganization},
		"invite": {tenon.RateLimitMail, s.invite},
		"resend": {tenon.RateLimitMail, s.resend},
		"cancel": {tenon.RateLimitAccount, s.cancelInvitation},
		"role":   {tenon.RateLimitAccount, s.changeRole},
		"remove": {tenon.RateLimitAccount, s.removeMember},
		"delete": {tenon.RateLimitAccount, s.deleteOrganization},
		"offer":  {tenon.RateLimitAccount, s.offerOwnership},
		"accept": {tenon.RateLimitAccount, s.acceptOwnership},
	} {
		mux.Handle("POST /organization/"+path, s.forUser(form.limit, form.submit))
	}
}

func (s *server) switchOrganization(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	_, err := s.app.Organizations.SetActive(r.Context(), caller.Principal, r.PostFormValue("id"))
	s.finishOrganization(w, r, caller, "/organization?switched", organizationPage{ErrorIn: "switch"}, err)
}

// createOrganization makes one in which the session acts from then on.
func (s *server) createOrganization(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	view := organizationPage{ErrorIn: "create", Name: r.PostFormValue("name"), Slug: r.PostFormValue("slug")}
	_, _, err := s.app.Organizations.Create(r.Context(), tenancy.CreateParams{Caller: caller.Principal, Name: view.Name, Slug: view.Slug})
	s.finishOrganization(w, r, caller, "/organization?created", view, err)
}

func (s *server) leaveOrganization(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	_, err := s.app.Organizations.Leave(r.Context(), caller.Principal, r.PostFormValue("id"))
	s.finishOrganization(w, r, caller, "/organization?left", organizationPage{ErrorIn: "leave"}, err)
}

// deleteOrganization deletes one with all that is in it, which wants a fresh proof (rule
// R12).
func (s *server) deleteOrganization(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	err := fresh(caller)
	if err == nil {
		_, err = s.app.Organizations.Delete(r.Context(), caller.Principal, r.PostFormValue("id"))
	}
	s.finishOrganization(w, r, caller, "/organization?deleted", organizationPage{ErrorIn: "leave"}, err)
}

func (s *server) invite(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	view := organizationPage{ErrorIn: "invite", Email: r.PostFormValue("email"), As: r.PostFormValue("role")}
	err := s.mail(r, caller, invitation.InviteParams{Email: view.Email, Roles: []string{view.As}})
	s.finishOrganization(w, r, caller, "/organization?invited#invitations", view, err)
}

// resend mails an open invitation once more, as it was.
func (s *server) resend(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	old, err := s.pending(r, caller, "create")
	if err == nil {
		err = s.mail(r, caller, invitation.InviteParams{Email: old.Address.Display, Roles: []string{old.Role}, TeamIDs: old.TeamIDs, Resend: true})
	}
	s.finishOrganization(w, r, caller, "/organization?resent#invitations", organizationPage{ErrorIn: "invitations"}, err)
}

// mail invites in person: whoever acts as somebody else asks nobody in (rule R22).
func (s *server) mail(r *http.Request, caller account.Caller, params invitation.InviteParams) error {
	if caller.Principal.ImpersonatorID != "" {
		return problem.ErrForbidden
	}
	id, err := caller.Principal.Organization()
	if err != nil {
		return err
	}
	params.Caller, params.OrganizationID = caller.Principal, id
	_, err = s.app.Invitations.Invite(r.Context(), params)
	return err
}

// pending finds the invitation of the form among those of the active organization, for
// whoever may do that to invitations.
func (s *server) pending(r *http.Request, caller account.Caller, action string) (invitation.Invitation, error) {
	o, err := s.active(r, caller, "invitation", action)
	if err != nil {
		return invitation.Invitation{}, err
	}
	list, err := s.app.Invitations.List(r.Context(), caller.Principal, o.ID)
	if err != nil {
		return invitation.Invitation{}, err
	}
	for _, i := range list {
		if i.ID == r.FormValue("id") && i.Status == invitation.Pending {
			return i, nil
		}
	}
	return invitation.Invitation{}, invitation.ErrNotFound
}

func (s *server) cancelInvitation(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	i, err := s.pending(r, caller, "cancel")
	if err == nil {
		_, err = s.app.Invitations.Cancel(r.Context(), caller.Principal, i.ID)
	}
	s.finishOrganization(w, r, caller, "/organization?canceled#invitations", organizationPage{ErrorIn: "invitations"}, err)
}

// offerOwnership offers the organization to a member, or takes an offer back, which is
// one to the owner. It wants a fresh proof, as does its acceptance (rule R12).
func (s *server) offerOwnership(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	to, next := r.PostFormValue("user"), "/organization?offered"
	if r.PostFormValue("withdraw") != "" {
		to, next = caller.Principal.UserID, "/organization?withdrew"
	}
	err := fresh(caller)
	if err == nil {
		_, err = s.app.Organizations.OfferOwnership(r.Context(), caller.Principal, r.PostFormValue("id"), to)
	}
	s.finishOrganization(w, r, caller, next, organizationPage{ErrorIn: "ownership"}, err)
}

func (s *server) acceptOwnership(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	err := fresh(caller)
	if err == nil {
		_, err = s.app.Organizations.AcceptOwnership(r.Context(), caller.Principal, r.PostFormValue("id"))
	}
	s.finishOrganization(w, r, caller, "/organization?accepted", organizationPage{ErrorIn: "ownership"}, err)
}

// fresh refuses callers who have not proven lately who they are; a superuser who acts as
// somebody never has.
func fresh(caller account.Caller) error {
	if !caller.Fresh {
		return account.ErrNotFresh
	}
	return nil
}

func (s *server) finishOrganization(w http.ResponseWriter, r *http.Request, caller account.Caller, next string, view organizationPage, err error) {
	var p *problem.Error
	switch {
	case err == nil:
		http.Redirect(w, r, next, http.StatusSeeOther)
	case !s.settle(w, r, "/organization", err) && errors.As(err, &p):
		view.Error = wordsFor(p)
		s.showOrganization(w, r, caller, p.Status(), view)
	}
}

// wordsFor says in the terms of the page what to do about a problem; the message of the
// problem itself speaks to programs, too.
func wordsFor(p *problem.Error) string {
	switch p.Code {
	case invitation.ErrInvalidEmail.Code:
		return "E-mail address: this is not a valid one. Write it like ada@example.com."
	case invitation.ErrAlreadyInvited.Code:
		return "E-mail address: there is an open invitation to it. Send that one again, or take it back first."
	case invitation.ErrAlreadyMember.Code:
		return "E-mail address: this person is a member already. Choose another one."
	case tenancy.ErrExists.Code:
		return "Slug: another organization has this one. Choose another one."
	case tenancy.ErrRoleNotFound.Code:
		return "Role: there is no such role. Choose one of the list."
	case tenancy.ErrUseTransfer.Code:
		return "Role: an organization has one owner, who offers the ownership to a member. Choose another role."
	case tenancy.ErrMemberNotFound.Code:
		return "Member: choose one of the list."
	case tenancy.ErrOnlyOwner.Code:
		return "The owner stays until somebody else owns the organization. Hand it over first, or delete it."
	}
	if p.Message == principal.ErrNotPermitted.Message {
		return p.Message + " Ask the owner to do it."
	}
	return explain(p)
}
