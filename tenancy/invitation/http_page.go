package invitation

import (
	"net/http"

	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// show says who is invited to what, and what whoever is signed in can do about it, with
// what went wrong, if anything. The page is the same whether the invited address has an
// account or not (rule R7): it depends on the secret and on the session alone.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, query linkQuery, failure *problem.Error) {
	offer, err := h.svc.Peek(r.Context(), h.links.Secret(r))
	if err != nil {
		h.dead(w, r, query, err)
		return
	}
	card := page.Card{
		Title: "Join " + offer.Organization.Name, Text: []string{
			offer.Inviter.Name + " invited " + offer.Invitation.Address.Display + " to join " + offer.Organization.Name + ".",
		},
		RedirectTo: query.CallbackURL,
	}
	status := http.StatusOK
	if failure != nil {
		status, card.Tone, card.Notice = failure.Status(), page.Failure, failure.Message
	}
	caller, ok := principal.FromContext(r.Context())
	if ok && caller.UserID != "" {
		err = h.forUser(r, &card, offer, caller)
	} else {
		h.forStranger(&card, offer)
	}
	if err != nil {
		h.dead(w, r, query, err)
		return
	}
	nonce := h.site.Nonces.Issue(w, r)
	shown := page.Hidden{Name: "shown", Value: offer.Invitation.ID}
	if card.Form != nil {
		card.Form.Action, card.Form.Nonce, card.Form.Hidden = here(query), nonce, append(card.Form.Hidden, shown)
	}
	card.Leave = &page.Form{Action: "reject-invitation", Nonce: nonce, Hidden: []page.Hidden{shown}, Submit: "Decline the invitation"}
	h.site.Pages.Write(w, r, status, card)
}

// forUser names the signed-in user, and both addresses where they differ (rule R21).
func (h *Handler) forUser(r *http.Request, card *page.Card, offer Offer, caller *principal.Principal) error {
	user, err := h.svc.cfg.People.ByID(r.Context(), caller.UserID)
	if err != nil {
		return err
	}
	invited, own := offer.Invitation.Address, user.Address
	switch {
	case own.Key == invited.Key:
		card.Text = append(card.Text, "You are signed in as "+own.Display+".")
		card.Form = &page.Form{Submit: "Join " + offer.Organization.Name}
	case offer.OtherAddresses:
		card.Text = append(card.Text, "The invitation was sent to "+invited.Display+". You are signed in as "+own.Display+
			". If you go on, "+own.Display+" joins, and those who invited you are told so.")
		card.Form = &page.Form{Submit: "Join as " + own.Display, Hidden: []page.Hidden{{Name: "as", Value: user.ID}}}
	default:
		card.Text = append(card.Text, "The invitation was sent to "+invited.Display+", and you are signed in as "+own.Display+
			". Sign out, open the link of the mail again and go on with that address.")
	}
	return nil
}

// forStranger offers to sign up to whoever is not signed in.
func (h *Handler) forStranger(card *page.Card, offer Offer) {
	if h.cfg.Newcomers == nil {
		card.Text = append(card.Text, "Sign in as "+offer.Invitation.Address.Display+", and open the link of the mail again.")
		return
	}
	card.Text = append(card.Text, "If you have an account with this address, sign in first, and open the link of the mail again. "+
		"Otherwise make one here.")
	if err := h.svc.Admits(offer.Organization); err != nil {
		card.Text = append(card.Text, offer.Organization.Name+" wants its members to have a second factor: "+
			"sign up, set one up, and open the link of the mail again.")
		return
	}
	card.Form = &page.Form{
		Username: offer.Invitation.Address.Display, Submit: "Make an account and join",
		Fields: []page.Field{
			{Name: "name", Label: "Your name", Autocomplete: "name", MaxLength: 128},
			{
				Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password", MaxLength: 256,
				Hint: "You may leave it empty and sign in by mail.",
			},
		},
	}
}
