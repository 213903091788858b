package oauth

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

func (h *Handler) accessRoutes() route.Table {
	return route.Table{
		{
			Method: http.MethodPost, Path: "/get-access-token", Access: route.User, InPerson: true,
			Summary: "A token for the API of the provider of an account of one's own",
			Request: accountSelection{}, Response: accessTokenResponse{}, Handler: h.GetAccessToken,
		},
		{
			Method: http.MethodPost, Path: "/refresh-token", Access: route.User, InPerson: true, Limit: route.LimitAccount,
			Summary: "The same, made anew because the provider's API did not accept the last one",
			Request: accountSelection{}, Response: refreshTokenResponse{}, Handler: h.RefreshToken,
		},
		{
			Method: http.MethodGet, Path: "/account-info", Access: route.User, InPerson: true, Limit: route.LimitAccount,
			Summary: "What the provider says about an account of one's own; it renews no token",
			Request: accountSelection{}, Response: accountInfoResponse{}, Handler: h.AccountInfo,
		},
	}
}

// accountSelection is the official client's: one of the first two.
type accountSelection struct {
	AccountID        string `json:"accountId" maxLength:"64" description:"The id in list-accounts, not the account's id at the provider"`
	UseAccountCookie bool   `json:"useAccountCookie" description:"Accepted; there is no such cookie, and so no such account"`
	UserID           string `json:"userId" maxLength:"64" description:"Whose the account is. Defaults to, and must be, who is signed in."`
}

// of returns the link that the person who is signed in chose.
func (b accountSelection) of(userID string) (linkID string, err error) {
	switch {
	case b.UserID != "" && b.UserID != userID, b.AccountID == "" && b.UseAccountCookie:
		return "", ErrNotFound
	case b.AccountID == "":
		return "", problem.ErrValidation.WithFields(problem.FieldError{Field: "accountId", Code: "REQUIRED", Message: "is required"})
	}
	return b.AccountID, nil
}

// selection returns the user and the link of a request, decoded by decode.
func (h *Handler) selection(r *http.Request, decode func(r *http.Request, body *accountSelection) error) (userID, linkID string, err error) {
	caller, err := h.cfg.Caller(r)
	if err != nil {
		return "", "", err
	}
	if userID, err = caller.Person(); err != nil {
		return "", "", err
	}
	var body accountSelection
	if err := decode(r, &body); err != nil {
		return "", "", err
	}
	linkID, err = body.of(userID)
	return userID, linkID, err
}

func inBody(r *http.Request, body *accountSelection) error { return route.Decode(r, body) }

func inQuery(r *http.Request, body *accountSelection) error { return route.DecodeQuery(r, body) }

type accessTokenResponse struct {
	TokenType            string      `json:"tokenType"`
	AccessToken          string      `json:"accessToken"`
	AccessTokenExpiresAt *route.Time `json:"accessTokenExpiresAt" description:"null where the provider does not say"`
	Scopes               []string    `json:"scopes"`
	IDToken              *string     `json:"idToken" description:"Always null: ID tokens are not kept"`
}

// endsAt is null where the provider does not say.
func (a Access) endsAt() *route.Time {
	if a.EndsAt.IsZero() {
		return nil
	}
	at := route.NewTime(a.EndsAt)
	return &at
}

const tokenType = "Bearer"

// GetAccessToken answers POST /get-access-token.
func (h *Handler) GetAccessToken(w http.ResponseWriter, r *http.Request) {
	var a Access
	userID, linkID, err := h.selection(r, inBody)
	if err == nil {
		a, err = h.svc.AccessToken(r.Context(), userID, linkID)
	}
	route.Respond(w, r, accessTokenResponse{
		TokenType: tokenType, AccessToken: a.Token.Reveal(), AccessTokenExpiresAt: a.endsAt(), Scopes: append([]string{}, a.Scopes...),
	}, err)
}

type refreshTokenResponse struct {
	TokenType             string      `json:"tokenType"`
	AccessToken           string      `json:"accessToken"`
	AccessTokenExpiresAt  *route.Time `json:"accessTokenExpiresAt" description:"null where the provider does not say"`
	RefreshToken          *string     `json:"refreshToken" description:"Always null: it does not leave the server"`
	RefreshTokenExpiresAt *route.Time `json:"refreshTokenExpiresAt" description:"Always null"`
	Scope                 string      `json:"scope" description:"The scopes, separated by commas"`
	IDToken               *string     `json:"idToken" description:"Always null: ID tokens are not kept"`
	ProviderID            string      `json:"providerId"`
	AccountID             string      `json:"accountId" description:"The id in list-accounts"`
}

// RefreshToken answers POST /refresh-token.
func (h *Handler) RefreshToken(w http.ResponseWriter, r *http.Request) {
	var a Access
	userID, linkID, err := h.selection(r, inBody)
	if err == nil {
		a, err = h.svc.RefreshAccess(r.Context(), userID, linkID)
	}
	route.Respond(w, r, refreshTokenResponse{
		TokenType: tokenType, AccessToken: a.Token.Reveal(), AccessTokenExpiresAt: a.endsAt(), Scope: strings.Join(a.Scopes, ","),
		ProviderID: a.Link.Provider, AccountID: a.Link.ID,
	}, err)
}

type accountInfoResponse struct {
	User    providerUser               `json:"user"`
	Account providerAccount            `json:"account"`
	Data    map[string]json.RawMessage `json:"data" description:"What the provider sent, as it is"`
}

type providerUser struct {
	ID            string  `json:"id" description:"The account's id at the provider"`
	Name          string  `json:"name"`
	Email         *string `json:"email"`
	Image         *string `json:"image"`
	EmailVerified bool    `json:"emailVerified" description:"Whether the provider proves the address"`
}

type providerAccount struct {
	ID         string `json:"id" description:"The id in list-accounts"`
	ProviderID string `json:"providerId"`
	AccountID  string `json:"accountId" description:"The account's id at the provider"`
}

// AccountInfo answers GET /account-info.
func (h *Handler) AccountInfo(w http.ResponseWriter, r *http.Request) {
	var i Info
	userID, linkID, err := h.selection(r, inQuery)
	if err == nil {
		i, err = h.svc.Info(r.Context(), userID, linkID)
	}
	route.Respond(w, r, accountInfoResponse{
		User: providerUser{
			ID: i.Identity.Subject, Name: i.Identity.Name, Email: route.OrNull(i.Identity.Email), Image: route.OrNull(i.Identity.Picture),
			EmailVerified: i.Identity.EmailProven,
		},
		Account: providerAccount{ID: i.Link.ID, ProviderID: i.Link.Provider, AccountID: i.Link.Identity.Subject},
		Data:    i.Profile,
	}, err)
}
