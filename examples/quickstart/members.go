package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

// memberRow is what the page says of a member.
type memberRow struct {
	tenancy.Member
	Organization        string // its name
	Name, Email, Joined string
	Me                  bool
}

// Settled reports whether there is nothing that others could change: an owner hands the
// organization over, and whoever looks leaves.
func (m memberRow) Settled() bool { return m.Me || m.Role == tenancy.RoleOwner }

// Has reports whether that is the member's role.
func (m memberRow) Has(role string) bool { return m.Role == role }

// rolePage asks for another role of a member.
type rolePage struct {
	Member memberRow
	Roles  []string
	Error  string
}

// directory tells the page who somebody is, as far as the person who looks may know.
type directory struct {
	server *server
	caller account.Caller
	known  map[string]contact
}

type contact struct{ Name, Email string }

func (s *server) directory(caller account.Caller) directory {
	return directory{s, caller, map[string]contact{}}
}

func (d directory) find(ctx context.Context, userID string) (contact, error) {
	if c, ok := d.known[userID]; ok {
		return c, nil
	}
	user, err := d.server.app.Account.User(ctx, d.caller, userID)
	c := contact{user.Name, user.Display}
	switch {
	case userID == "":
		c, err = contact{Name: "nobody signed in"}, nil
	case errors.Is(err, account.ErrUserNotFound):
		c, err = contact{Name: "somebody who left"}, nil
	}
	d.known[userID] = c
	return c, err
}

func (d directory) row(ctx context.Context, o tenancy.Organization, m tenancy.Member) (memberRow, error) {
	c, err := d.find(ctx, m.UserID)
	return memberRow{
		Member: m, Organization: o.Name, Name: c.Name, Email: c.Email,
		Joined: day(d.server.app.DB.Now(), m.CreatedAt), Me: m.UserID == d.caller.Principal.UserID,
	}, err
}

// fillMembers reads a page of the members; from is how many came before.
func (s *server) fillMembers(ctx context.Context, names directory, from string, limit int, view *organizationPage) error {
	first, _ := strconv.Atoi(from) // what is no number is the first page
	query := tenancy.MemberQuery{OrganizationID: view.Organization.ID, Limit: limit, Offset: max(first, 0)}
	members, total, err := s.app.Organizations.Members(ctx, names.caller.Principal, query)
	if err != nil {
		return err
	}
	view.Alone = total == 1
	if next := query.Offset + len(members); len(members) > 0 && next < total {
		view.NextMembers, view.MoreMembers = next, total-next
	}
	for _, m := range members {
		row, err := names.row(ctx, view.Organization, m)
		if err != nil {
			return err
		}
		view.Members = append(view.Members, row)
	}
	return nil
}

// member finds the member of the form in the active organization, for whoever may do
// that to members.
func (s *server) member(r *http.Request, caller account.Caller, action string) (memberRow, error) {
	o, err := s.active(r, caller, "member", action)
	if err != nil {
		return memberRow{}, err
	}
	id := r.FormValue("id")
	if uuid.Validate(id) != nil {
		return memberRow{}, tenancy.ErrMemberNotFound
	}
	found, _, err := s.app.Organizations.Members(r.Context(), caller.Principal, tenancy.MemberQuery{
		OrganizationID: o.ID, Filter: tenancy.MemberID, Operator: tenancy.Equal, Values: []string{id},
	})
	switch {
	case err != nil:
		return memberRow{}, err
	case len(found) == 0:
		return memberRow{}, tenancy.ErrMemberNotFound
	case found[0].Role == tenancy.RoleOwner && action == "update":
		return memberRow{}, tenancy.ErrUseTransfer
	case found[0].Role == tenancy.RoleOwner:
		return memberRow{}, tenancy.ErrOnlyOwner
	}
	return s.directory(caller).row(r.Context(), o, found[0])
}

// roles lists what members can be, as far as the caller may know.
func (s *server) roles(ctx context.Context, who *principal.Principal, organizationID string) ([]string, error) {
	list := []string{tenancy.RoleMember, tenancy.RoleAdmin}
	if !who.Can("ac", "read") {
		return list, nil
	}
	own, err := s.app.Organizations.Roles(ctx, who, organizationID)
	for _, role := range own {
		list = append(list, role.Name)
	}
	return list, err
}

func (s *server) askRole(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	m, err := s.member(r, caller, "update")
	s.showRole(w, r, caller, http.StatusOK, rolePage{Member: m}, err)
}

func (s *server) showRole(w http.ResponseWriter, r *http.Request, caller account.Caller, status int, view rolePage, err error) {
	if err == nil {
		view.Roles, err = s.roles(r.Context(), caller.Principal, view.Member.OrganizationID)
	}
	if err != nil {
		s.finishOrganization(w, r, caller, "", organizationPage{ErrorIn: "members"}, err)
		return
	}
	if !slices.Contains(view.Roles, view.Member.Role) { // several at once
		view.Roles = append(view.Roles, view.Member.Role)
	}
	s.render(w, r, status, "role.html", view)
}

func (s *server) changeRole(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	m, err := s.member(r, caller, "update")
	if err != nil {
		s.showRole(w, r, caller, http.StatusOK, rolePage{}, err)
		return
	}
	_, err = s.app.Organizations.UpdateMemberRole(r.Context(), tenancy.UpdateMemberRoleParams{
		Caller: caller.Principal, OrganizationID: m.OrganizationID, MemberID: m.ID, Roles: strings.Split(r.PostFormValue("role"), ","),
	})
	if p, ok := errors.AsType[*problem.Error](err); ok && p.Kind != problem.Internal && p.Kind != problem.Unavailable {
		s.showRole(w, r, caller, p.Status(), rolePage{Member: m, Error: wordsFor(p)}, nil)
		return
	}
	s.finishOrganization(w, r, caller, "/organization?changed", organizationPage{ErrorIn: "members"}, err)
}

func (s *server) removeMember(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	m, err := s.member(r, caller, "delete")
	if err == nil {
		_, err = s.app.Organizations.RemoveMember(r.Context(), caller.Principal, m.OrganizationID, m.ID)
	}
	s.finishOrganization(w, r, caller, "/organization?removed", organizationPage{ErrorIn: "members"}, err)
}
