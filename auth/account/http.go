package account

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// HandlerConfig configures a Handler. Fields without "Defaults to" are required.
type HandlerConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// ProductName stands on the pages. Defaults to nothing.
	ProductName string
	// RedirectTargets are further origins, and schemes of apps written like
	// myapp://, that a callbackURL may lead to. Defaults to the own site.
	RedirectTargets []string
	// Caller returns who sent a request. It returns problem.ErrUnauthenticated for
	// nobody, and an error of its own during an outage.
	Caller func(r *http.Request) (Caller, error)
	// SetSession makes the browser keep the new token of the session that it has, and
	// stay a known device of the user.
	SetSession func(w http.ResponseWriter, r *http.Request, grant auth.Grant)
	// ClearSession makes the client forget the session of a user who is gone.
	ClearSession func(w http.ResponseWriter, r *http.Request)
}

// Handler serves the package over HTTP. Each endpoint is a method, for hosts
// that route by themselves; Routes lists them. It is safe for concurrent use.
type Handler struct {
	svc  *Service
	cfg  HandlerConfig
	site link.Site
}

// NewHandler returns a Handler on svc. It does no I/O.
func NewHandler(svc *Service, cfg HandlerConfig) (*Handler, error) {
	if svc == nil || cfg.Caller == nil || cfg.SetSession == nil || cfg.ClearSession == nil {
		return nil, errors.New("account: handler: Service, Caller, SetSession and ClearSession are required")
	}
	site, err := link.NewSite(link.SiteConfig{BaseURL: cfg.BaseURL, ProductName: cfg.ProductName, RedirectTargets: cfg.RedirectTargets})
	if err != nil {
		return nil, fmt.Errorf("account: handler: %w", err)
	}
	return &Handler{svc: svc, cfg: cfg, site: site}, nil
}

// maxProfileBody leaves room for a picture in a data URL.
const maxProfileBody = 256 << 10

// Routes is the table of the package's routes, relative to its mount.
func (h *Handler) Routes() route.Table {
	return append(h.linkRoutes(), route.Table{
		{
			Method: http.MethodPost, Path: "/change-password", Access: route.User, Limit: route.LimitAccount,
			Summary: "Change the password; every other session ends",
			Request: changePasswordRequest{}, Response: changePasswordResponse{}, Handler: h.ChangePassword,
		},
		{
			Method: http.MethodPost, Path: "/set-password", Access: route.User, Fresh: h.svc.cfg.FreshFor, Limit: route.LimitAccount,
			Summary: "Give an account without a password its first one",
			Request: setPasswordRequest{}, Response: statusResponse{}, Handler: h.SetPassword,
		},
		{
			Method: http.MethodPost, Path: "/verify-password", Access: route.User, Limit: route.LimitAccount,
			Summary: "Check the password of who is signed in",
			Request: verifyPasswordRequest{}, Response: statusResponse{}, Handler: h.VerifyPassword,
		},
		{
			Method: http.MethodPost, Path: "/step-up", Access: route.User, Enrolment: true, Limit: route.LimitAccount,
			Summary: "Prove again who is signed in, for what needs a fresh proof",
			Request: stepUpRequest{}, Response: stepUpResponse{}, Handler: h.StepUp,
		},
		{
			Method: http.MethodPost, Path: "/change-email", Access: route.User, Fresh: h.svc.cfg.FreshFor, Limit: route.LimitAccount,
			Summary: "Mail the first of the two links that move the account to another address",
			Request: changeEmailRequest{}, Response: changeEmailResponse{}, Handler: h.ChangeEmail,
		},
		{
			Method: http.MethodPost, Path: "/update-user", Access: route.User, MaxBody: maxProfileBody,
			Summary: "Change the name or the picture",
			Request: updateUserRequest{}, Response: statusResponse{}, Handler: h.UpdateUser,
		},
		{
			Method: http.MethodGet, Path: "/list-accounts", Access: route.User,
			Summary: "The ways in which who is signed in can sign in",
			Request: empty{}, Response: []accountResponse{}, Handler: h.ListAccounts,
		},
		{
			Method: http.MethodGet, Path: "/user/get", Access: route.User,
			Summary: "A user whom the caller shares an organization with",
			Request: userQuery{}, Response: auth.UserResponse{}, Handler: h.GetUser,
		},
		{
			Method: http.MethodPost, Path: "/delete-user", Access: route.User, Fresh: h.svc.cfg.FreshFor, Limit: route.LimitAccount,
			Summary: "Delete the account by its password, or mail the link that does",
			Request: deleteUserRequest{}, Response: deleteUserResponse{}, Handler: h.DeleteUser,
		},
	}...)
}

// linkRoutes are the pages of mailed links, and what their buttons do.
func (h *Handler) linkRoutes() route.Table {
	var table route.Table
	for _, l := range []struct {
		path, show, act string
		page, post      http.HandlerFunc
		response        any
	}{
		{
			"/" + pathLeaveEmail, "Show the page of the link that went to the present address; it consumes nothing",
			"Confirm from the present address that the account may move", h.ConfirmEmailPage, h.ConfirmEmail,
			statusResponse{},
		},
		{
			"/" + pathEnterEmail, "Show the page of the link that went to the new address; it consumes nothing",
			"Prove the new address and move the account to it", h.VerifyEmailPage, h.VerifyEmail,
			verifyEmailResponse{},
		},
		{
			"/" + pathDeleteUser, "Show the page of the link that deletes an account; it consumes nothing",
			"Delete the account of who is signed in by the mailed link", h.DeleteUserPage, h.DeleteUserCallback,
			deleteUserResponse{},
		},
	} {
		table = append(table, route.Route{
			Method: http.MethodGet, Path: l.path, Access: route.Public,
			Summary: l.show, Request: linkQuery{}, Handler: l.page,
		}, route.Route{
			Method: http.MethodPost, Path: l.path, Access: route.Public, Guard: route.JSON | route.Form, Limit: route.LimitVerify,
			Summary: l.act, Request: linkRequest{}, Query: linkQuery{}, Response: l.response, Handler: l.post,
		})
	}
	return table
}

type empty struct{}

type statusResponse struct {
	Status bool `json:"status"`
}

// read decodes the body and finds the caller.
func (h *Handler) read(r *http.Request, body any) (Caller, error) {
	caller, err := h.cfg.Caller(r)
	if err != nil {
		return Caller{}, err
	}
	return caller, route.Decode(r, body)
}

// anybody is the caller where there need not be one.
func (h *Handler) anybody(r *http.Request) (Caller, error) {
	caller, err := h.cfg.Caller(r)
	switch problem.KindOf(err) {
	case problem.Unauthenticated, problem.PermissionDenied:
		return Caller{Client: auth.ClientOf(r)}, nil
	}
	return caller, err
}

// callback returns target if it may be redirected to, and "" for none.
func (h *Handler) callback(target string) (string, error) {
	if !h.site.Allows(target) {
		return "", auth.ErrInvalidCallbackURL
	}
	return target, nil
}
