package passwordless

import (
	"cmp"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

type sendCodeRequest struct {
	Email     string `json:"email" required:"true" maxLength:"254" description:"The address that gets the code"`
	Type      string `json:"type" required:"true" enum:"email-verification,sign-in,forget-password,change-email,step-up" description:"What the code is for; step-up is for the signed-in user"`
	FlowToken string `json:"flowToken" maxLength:"200" description:"The flow of an earlier request, for clients without cookies"`
}

// sendCodeResponse has the flow only for clients that ask for tokens in the body.
type sendCodeResponse struct {
	Success   bool    `json:"success"`
	FlowToken *string `json:"flowToken,omitempty" description:"With X-Token-Mode: bearer, to be sent with the code; others get a cookie"`
}

type successResponse struct {
	Success bool `json:"success"`
}

// SendCode answers POST /email-otp/send-verification-otp: always alike.
func (h *Handler) SendCode(w http.ResponseWriter, r *http.Request) {
	var body sendCodeRequest
	if err := route.Decode(r, &body); err != nil {
		problem.Write(w, r, err)
		return
	}
	if Purpose(body.Type) == PurposeStepUp {
		h.sendStepUp(w, r, body.Email)
		return
	}
	h.send(w, r, SendCodeParams{Email: body.Email, Purpose: Purpose(body.Type), Flow: body.FlowToken})
}

type askResetRequest struct {
	Email     string `json:"email" required:"true" maxLength:"254" description:"The address of the account"`
	FlowToken string `json:"flowToken" maxLength:"200" description:"The flow of an earlier request, for clients without cookies"`
}

// AskReset answers POST /email-otp/request-password-reset: always alike.
func (h *Handler) AskReset(w http.ResponseWriter, r *http.Request) {
	var body askResetRequest
	if err := route.Decode(r, &body); err != nil {
		problem.Write(w, r, err)
		return
	}
	h.send(w, r, SendCodeParams{Email: body.Email, Purpose: PurposeReset, Flow: body.FlowToken})
}

// send mails a code and hands the flow out: as a cookie, or in the body to clients
// that may have tokens there.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, p SendCodeParams) {
	tokens, err := h.auth.WantsTokens(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	p.Flow, p.Client = h.flowOf(r, p.Flow), auth.ClientOf(r)
	flow, err := h.svc.SendCode(r.Context(), p)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	response := sendCodeResponse{Success: true}
	if tokens {
		raw := flow.Reveal()
		response.FlowToken = &raw
	} else {
		h.KeepFlow(w, flow)
	}
	route.WriteJSON(w, r, http.StatusOK, response)
}

// flowOf returns the flow in the body, else the browser's.
func (h *Handler) flowOf(r *http.Request, inBody string) string { return cmp.Or(inBody, h.Flow(r)) }

type checkCodeRequest struct {
	Email     string `json:"email" required:"true" maxLength:"254" description:"The address that got the code"`
	Type      string `json:"type" required:"true" enum:"email-verification,sign-in,forget-password,change-email" description:"What the code is for"`
	OTP       string `json:"otp" required:"true" maxLength:"32" description:"The code"`
	FlowToken string `json:"flowToken" maxLength:"200" description:"What the request for the code answered, for clients without cookies"`
}

// CheckCode answers POST /email-otp/check-verification-otp.
func (h *Handler) CheckCode(w http.ResponseWriter, r *http.Request) {
	var body checkCodeRequest
	err := route.Decode(r, &body)
	if err == nil {
		err = h.svc.Check(r.Context(), Purpose(body.Type), h.params(r, body.Email, body.OTP, body.FlowToken))
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, successResponse{Success: true})
}

func (h *Handler) params(r *http.Request, email, otp, flow string) CodeParams {
	return CodeParams{Email: email, Code: otp, Flow: h.flowOf(r, flow), Client: auth.ClientOf(r)}
}

type codeRequest struct {
	Email     string `json:"email" required:"true" maxLength:"254" description:"The address that got the code"`
	OTP       string `json:"otp" required:"true" maxLength:"32" description:"The code"`
	FlowToken string `json:"flowToken" maxLength:"200" description:"What the request for the code answered, for clients without cookies"`
}

type verifyResponse struct {
	Status bool              `json:"status"`
	Token  *string           `json:"token"`
	User   auth.UserResponse `json:"user"`
}

// VerifyEmail answers POST /email-otp/verify-email.
func (h *Handler) VerifyEmail(w http.ResponseWriter, r *http.Request) {
	var body codeRequest
	if err := route.Decode(r, &body); err != nil {
		problem.Write(w, r, err)
		return
	}
	user, err := h.svc.VerifyEmail(r.Context(), VerifyEmailParams{
		CodeParams: h.params(r, body.Email, body.OTP, body.FlowToken), Browser: h.auth.Browser(r),
	})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, verifyResponse{Status: true, User: auth.NewUserResponse(user)})
}

type signInRequest struct {
	Email      string `json:"email" required:"true" maxLength:"254" description:"The address that got the code"`
	OTP        string `json:"otp" required:"true" maxLength:"32" description:"The code"`
	Name       string `json:"name" maxLength:"128" description:"What a new user is called"`
	Image      string `json:"image" maxLength:"2048" description:"The http or https address of a new user's picture"`
	RememberMe *bool  `json:"rememberMe" description:"false makes a session that ends with the browser. Defaults to true."`
	FlowToken  string `json:"flowToken" maxLength:"200" description:"What the request for the code answered, for clients without cookies"`
}

// SignIn answers POST /sign-in/email-otp.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request) {
	var body signInRequest
	tokens, err := h.auth.WantsTokens(r)
	if err == nil {
		err = route.Decode(r, &body)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	result, err := h.svc.SignIn(r.Context(), SignInParams{
		CodeParams: h.params(r, body.Email, body.OTP, body.FlowToken), Name: body.Name, Image: body.Image,
		Attempt: auth.AttemptParams{
			BrowserOnly: body.RememberMe != nil && !*body.RememberMe, Bearer: tokens, TrustedDevice: h.auth.TrustedDevice(r),
		},
	})
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.auth.Answer(w, r, auth.Answer{User: result.User, Outcome: result.Outcome})
}

type resetRequest struct {
	Email     string `json:"email" required:"true" maxLength:"254" description:"The address that got the code"`
	OTP       string `json:"otp" required:"true" maxLength:"32" description:"The code"`
	Password  string `json:"password" required:"true" maxLength:"1024" description:"The new password"`
	FlowToken string `json:"flowToken" maxLength:"200" description:"What the request for the code answered, for clients without cookies"`
}

// ResetPassword answers POST /email-otp/reset-password.
func (h *Handler) ResetPassword(w http.ResponseWriter, r *http.Request) {
	var body resetRequest
	err := route.Decode(r, &body)
	if err == nil {
		err = h.svc.ResetPassword(r.Context(), h.params(r, body.Email, body.OTP, body.FlowToken), body.Password)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, successResponse{Success: true})
}
