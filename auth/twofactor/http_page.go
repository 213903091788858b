package twofactor

import (
	"errors"
	"net/http"
	"slices"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/link"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

type pageQuery struct {
	Method string `json:"method" enum:"totp,otp,backup_code,passkey" description:"Which way to go on. Defaults to the first that there is."`
	Sent   string `json:"sent" maxLength:"1" description:"A code was mailed"`

	trust bool // what was ticked in a form that was refused
}

type pageRequest struct {
	Method      string `json:"method" required:"true" enum:"totp,otp,backup_code" description:"What the code is"`
	Code        string `json:"code" maxLength:"100" description:"The code, as it is read"`
	Send        string `json:"send" maxLength:"1" description:"Mails a code first"`
	Leave       string `json:"leave" maxLength:"1" description:"Forgets the sign-in, so that somebody else can begin one"`
	TrustDevice string `json:"trustDevice" maxLength:"4" description:"Asks not to be asked again in this browser"`
}

// tab is one way to go on, as the page shows it. fix says what to do about a code
// that was refused.
type tab struct{ method, title, text, label, link, fix string }

func tabs() []tab {
	return []tab{
		{
			auth.MethodTOTP, "Enter the code of your app", "Open your authenticator app and type the code that it shows for this site.",
			"Code", "Use the code of your authenticator app",
			"Type the code that the app shows now. If it is refused again, check that the clock of your device is right.",
		},
		{
			auth.MethodPasskey, "Use your passkey", "Your device asks for your finger, your face or its PIN.",
			"", "Use a passkey", "",
		},
		{
			auth.MethodMailCode, "Enter the code that we mail you", "We mail a code of six digits to your address.",
			"Code", "Use a code by mail",
			"Type the six digits of the newest mail, or ask for another one.",
		},
		{
			auth.MethodRecovery, "Enter a recovery code", "Type one of the codes that you kept when you turned the second factor on. It works once.",
			"Recovery code", "Use a recovery code",
			"Compare it with what you kept, letter by letter. It has 25 of them; hyphens and spaces do not count.",
		},
	}
}

// ChallengePage answers GET /two-factor/challenge.
func (h *Handler) ChallengePage(w http.ResponseWriter, r *http.Request) {
	var query pageQuery
	if err := route.DecodeQuery(r, &query); err != nil {
		h.site.Pages.WriteProblem(w, r, err)
		return
	}
	h.show(w, r, query, http.StatusOK, nil)
}

// MeetByPage answers POST /two-factor/challenge, the page's form.
func (h *Handler) MeetByPage(w http.ResponseWriter, r *http.Request) {
	var body pageRequest
	err := route.Decode(r, &body)
	if err == nil && body.Leave != "" {
		h.cfg.Auth.LeaveChallenge(w)
		link.SeeOther(w, "/")
		return
	}
	var challenge auth.Challenge
	if err == nil {
		challenge, _, err = h.cfg.Auth.Challenge(r, "")
	}
	if err == nil && body.Send != "" {
		err = h.svc.SendCode(r.Context(), challenge, auth.ClientOf(r))
		if err == nil {
			link.SeeOther(w, "challenge?method=otp&sent=1")
			return
		}
	}
	var met Met
	if err == nil {
		met, err = h.svc.Meet(r.Context(), challenge, MeetParams{
			Method: body.Method, Code: body.Code, TrustDevice: body.TrustDevice != "", Device: h.cfg.Auth.Device(r), Client: auth.ClientOf(r),
		})
	}
	if err != nil {
		h.refuse(w, r, pageQuery{Method: body.Method, Sent: "1", trust: body.TrustDevice != ""}, err)
		return
	}
	h.cfg.Auth.LeaveChallenge(w)
	h.cfg.Auth.Answer(w, r, auth.Answer{User: met.User, Outcome: met.Outcome, Page: true})
}

// refuse shows the page again with what was wrong.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, query pageQuery, err error) {
	failure, ok := errors.AsType[*problem.Error](err)
	switch {
	case errors.Is(err, auth.ErrNoChallenge):
		h.over(w, r)
	case !ok || failure.Kind == problem.Internal || failure.Kind == problem.Unavailable:
		h.site.Pages.WriteProblem(w, r, err)
	default:
		h.show(w, r, query, failure.Status(), failure)
	}
}

// over answers where no sign-in waits for a second step, as after the back button of
// a browser.
func (h *Handler) over(w http.ResponseWriter, r *http.Request) {
	card := page.Card{
		Title: "This sign-in is over", Tone: page.Failure, Notice: "It waited too long, or too many codes were tried.",
		Links: []page.Link{{Href: "/", Text: "Sign in again"}},
	}
	if _, err := h.cfg.Caller(r); err == nil {
		card = page.Card{
			Title: "You are signed in", Text: []string{"No sign-in waits for its second step here."},
			Links: []page.Link{{Href: "/", Text: "Go on"}},
		}
	}
	h.site.Pages.Write(w, r, auth.ErrNoChallenge.Status(), card)
}

// show writes the page of the challenge that the browser has.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, query pageQuery, status int, failure *problem.Error) {
	challenge, methods, err := h.cfg.Auth.Challenge(r, "")
	if errors.Is(err, auth.ErrNoChallenge) {
		h.over(w, r)
		return
	}
	if err != nil {
		h.site.Pages.WriteProblem(w, r, err)
		return
	}
	card := h.card(query, methods)
	card.RedirectTo = challenge.CallbackURL
	if failure != nil {
		card.Tone, card.Notice = page.Failure, failure.Message
		if card.Form != nil && failure.Kind == problem.Unauthenticated && len(card.Form.Fields) > 0 {
			card.Form.Fields[0].Error = fixOf(query.Method)
		}
	}
	// In another's hands the browser must be able to forget whose sign-in waits.
	card.Leave = &page.Form{
		Action: "challenge", Nonce: h.site.Nonces.Issue(w, r), Submit: "Sign in as somebody else",
		Hidden: []page.Hidden{{Name: "method", Value: auth.MethodTOTP}, {Name: "leave", Value: "1"}},
	}
	if card.Form != nil {
		card.Form.Nonce = card.Leave.Nonce
	}
	h.site.Pages.Write(w, r, status, card)
}

// fixOf returns what to do about a code that was refused.
func fixOf(method string) string {
	all := tabs()
	i := slices.IndexFunc(all, func(t tab) bool { return t.method == method })
	if i < 0 {
		return ""
	}
	return all[i].fix
}

// card is one of the ways to go on, with links to the others.
func (h *Handler) card(query pageQuery, methods []string) page.Card {
	script := h.passkeyScript()
	offered := slices.DeleteFunc(tabs(), func(t tab) bool {
		return !slices.Contains(methods, t.method) || t.method == auth.MethodPasskey && script == ""
	})
	if len(offered) == 0 {
		return page.Card{
			Title: "One more step", Tone: page.Failure,
			Notice: "None of your second factors can be proven on this page. Go back and sign in with a passkey.",
			Links:  []page.Link{{Href: "/", Text: "Go back"}},
		}
	}
	shown := max(0, slices.IndexFunc(offered, func(t tab) bool { return t.method == query.Method }))
	card := page.Card{Title: offered[shown].title, Text: []string{offered[shown].text}}
	if offered[shown].method == auth.MethodPasskey {
		card.Passkey = &page.Passkey{
			Script: script, Next: "/", Fields: []page.Field{trustField(false)}, Submit: "Use your passkey", Missing: noPasskeys,
		}
	} else {
		card.Form = h.form(offered[shown], query)
	}
	if card.Form != nil && query.Sent != "" && offered[shown].method == auth.MethodMailCode {
		card.Text = []string{"We mailed a code of six digits to your address. It works for this sign-in alone."}
	}
	for i, t := range offered {
		if i != shown {
			card.Links = append(card.Links, page.Link{Href: "challenge?method=" + t.method, Text: t.link})
		}
	}
	if offered[shown].method == auth.MethodMailCode && query.Sent != "" {
		card.Links = append(card.Links, page.Link{Href: "challenge?method=" + auth.MethodMailCode, Text: "Mail another code"})
	}
	return card
}

const noPasskeys = "This browser cannot use passkeys: they need JavaScript and a browser that knows them. Go on another way, or use another browser."

func (h *Handler) passkeyScript() string {
	if h.cfg.PasskeyScript == nil {
		return ""
	}
	return h.cfg.PasskeyScript()
}

// form asks for the code, or offers to mail one.
func (h *Handler) form(t tab, query pageQuery) *page.Form {
	form := &page.Form{Action: "challenge", Hidden: []page.Hidden{{Name: "method", Value: t.method}}, Submit: "Continue"}
	if t.method == auth.MethodMailCode && query.Sent == "" {
		form.Hidden = append(form.Hidden, page.Hidden{Name: "send", Value: "1"})
		form.Submit = "Mail me a code"
		return form
	}
	field := page.Field{Name: "code", Label: t.label, Autocomplete: "one-time-code", InputMode: "numeric", MaxLength: 100, Required: true, Autofocus: true}
	if t.method == auth.MethodRecovery {
		field.Autocomplete, field.InputMode = "off", ""
	}
	form.Fields = []page.Field{field}
	if t.method != auth.MethodMailCode {
		form.Fields = append(form.Fields, trustField(query.trust))
	}
	return form
}

func trustField(checked bool) page.Field {
	return page.Field{
		Name: "trustDevice", Label: "Do not ask again in this browser for 30 days", Type: "checkbox", Value: "true", Checked: checked,
	}
}
