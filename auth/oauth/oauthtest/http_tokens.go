package oauthtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// flow is what a code was made for.
type flow struct {
	account            Account
	redirect, nonce    string
	challenge          string
	scopes             []string
	authenticatedAt    time.Time
	spent, wantsMaxAge bool
}

// grant is what was granted by one code.
type grant struct {
	flow    flow
	refresh string // the one that is good
	ended   bool
}

// secret makes a code or token. It is called with p locked.
func (p *Provider) secret(kind string) string {
	s := "provider-" + kind + "-" + rand.Text()
	p.secrets = append(p.secrets, s)
	return s
}

// formPost is the page that posts the answer of a provider to its client (OAuth 2.0 Form
// Post Response Mode).
const formPost = `<!doctype html><form method="post" action="{{.To}}">
{{range $name, $values := .Values}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">{{end}}{{end}}
<button>Go on</button></form><script>document.forms[0].submit()</script>`

func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request, knobs Knobs) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("redirect_uri") == "" || q.Get("response_type") != "code" {
		http.Error(w, "no client of this provider, or not its redirect URI", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}, "iss": {p.URL}}
	p.mu.Lock()
	if p.denied != "" {
		back.Set("error", p.denied)
	} else {
		code := p.secret("code")
		back.Set("code", code)
		p.codes[code] = flow{
			account: p.account, redirect: q.Get("redirect_uri"), nonce: q.Get("nonce"), challenge: q.Get("code_challenge"),
			scopes: strings.Fields(q.Get("scope")), wantsMaxAge: q.Has("max_age"), authenticatedAt: p.now(),
		}
	}
	p.mu.Unlock()
	if knobs.Callback != nil {
		knobs.Callback(back)
	}
	if q.Get("response_mode") == "form_post" {
		page, err := template.New("").Parse(formPost)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, map[string]any{"To": q.Get("redirect_uri"), "Values": back})
		return
	}
	to := q.Get("redirect_uri")
	http.Redirect(w, r, to+map[bool]string{true: "&", false: "?"}[strings.Contains(to, "?")]+back.Encode(), http.StatusFound)
}

// serveToken checks the client, the code and PKCE as a provider has to.
func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request, knobs Knobs) {
	_ = r.ParseForm()
	p.mu.Lock()
	p.forms = append(p.forms, r.PostForm)
	p.mu.Unlock()
	if !isClient(r) {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	g := p.grantFor(r.PostForm, knobs)
	if g == nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "secret words"})
		return
	}
	reply(w, http.StatusOK, bent(p.answer(g, knobs), knobs.Answer))
}

func isClient(r *http.Request) bool {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if name, pass, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(name)
		secret, _ = url.QueryUnescape(pass)
	}
	return id == ClientID && secret == ClientSecret
}

// grantFor returns what the form has a right to, nil for nothing.
func (p *Provider) grantFor(form url.Values, knobs Knobs) *grant {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch form.Get("grant_type") {
	case "authorization_code":
		code := form.Get("code")
		f, ok := p.codes[code]
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if !ok || f.spent || f.redirect != form.Get("redirect_uri") || f.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
			return nil
		}
		spent := f
		spent.spent = !knobs.CodesForEver
		p.codes[code] = spent
		return &grant{flow: f}
	case "refresh_token":
		g := p.grants[form.Get("refresh_token")]
		if g == nil || g.ended {
			return nil
		}
		if knobs.Rotate && g.refresh != form.Get("refresh_token") {
			g.ended = true
			return nil
		}
		return g
	}
	return nil
}

// answer issues tokens.
func (p *Provider) answer(g *grant, knobs Knobs) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	access := p.secret("access-token")
	p.access[access] = g
	if g.refresh == "" || knobs.Rotate {
		g.refresh = p.secret("refresh-token")
		p.grants[g.refresh] = g
	}
	id := p.idToken(g.flow, access, knobs)
	p.secrets = append(p.secrets, id)
	doc := map[string]any{
		"access_token": access, "token_type": "Bearer", "refresh_token": g.refresh, "expires_in": 3600,
		"scope": strings.Join(g.flow.scopes, " "), "id_token": id,
	}
	switch {
	case knobs.AccessFor < 0:
		delete(doc, "expires_in")
	case knobs.AccessFor > 0:
		doc["expires_in"] = int64(knobs.AccessFor / time.Second)
	}
	return doc
}

// IDToken returns an ID token of the account, as an app gets it from the provider's own
// library: for that nonce, and without an access token.
func (p *Provider) IDToken(nonce string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.idToken(flow{account: p.account, nonce: nonce}, "", p.knobs)
	p.secrets = append(p.secrets, id)
	return id
}

func (p *Provider) idToken(f flow, access string, knobs Knobs) string {
	now := p.now()
	claims := map[string]any{
		"iss": p.URL, "sub": f.account.Subject, "aud": ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"email": f.account.Email, "email_verified": f.account.Verified, "name": f.account.Name,
	}
	if f.nonce != "" {
		claims["nonce"] = f.nonce
	}
	if access != "" {
		claims["at_hash"] = AccessTokenHash(access)
	}
	if f.wantsMaxAge {
		claims["auth_time"] = f.authenticatedAt.Unix()
	}
	payload, err := json.Marshal(bent(claims, knobs.Claims))
	if err != nil {
		return "unmarshalable"
	}
	if knobs.Sign != nil {
		return knobs.Sign(payload)
	}
	return Signed(p.key, p.alg, p.kid, knobs.Header, payload)
}

// AccessTokenHash is the claim at_hash of ID tokens that are signed with SHA-256 (OpenID
// Connect Core section 3.1.3.6).
func AccessTokenHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
}

// Signed returns the payload as a compact JWS, or what is wrong with the key.
func Signed(key any, alg jose.SignatureAlgorithm, kid string, header map[string]any, payload []byte) string {
	options := new(jose.SignerOptions)
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options.WithHeader("kid", kid))
	if err != nil {
		return err.Error()
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return err.Error()
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		return err.Error()
	}
	return text
}

func (p *Provider) serveUserInfo(w http.ResponseWriter, r *http.Request, knobs Knobs) {
	p.mu.Lock()
	g := p.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	allowed := g != nil && !g.ended
	p.mu.Unlock()
	if !allowed {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
		return
	}
	a := g.flow.account
	reply(w, http.StatusOK, bent(map[string]any{
		"sub": a.Subject, "email": a.Email, "email_verified": a.Verified, "name": a.Name,
	}, knobs.UserInfo))
}

func (p *Provider) serveRevoke(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, issued := range []map[string]*grant{p.grants, p.access} {
		if g := issued[r.PostForm.Get("token")]; g != nil {
			g.ended = true
		}
	}
	w.WriteHeader(http.StatusOK)
}
