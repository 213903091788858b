package mail_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail"
)

func TestTemplatesOfTheOwnAccountAreAsReviewed(t *testing.T) {
	t.Parallel()
	tpl := templates(t, mail.TemplatesConfig{ProductName: "Acme & Söhne"})
	for kind, data := range map[string]mail.Data{
		"change-email": {
			Name: "Ann", Link: link, ExpiresIn: time.Hour, Extra: map[string]string{"NewEmail": "ann@new.example.com"},
		},
		"change-email-new":   {Link: link, ExpiresIn: time.Hour},
		"change-email-taken": {},
		"email-changed":      {Name: "Ann"},
		"password-set":       {Name: "Ann"},
		"passkey-added":      {Name: "Ann"},
		"passkey-removed":    {Name: "Ann"},
		"account-linked":     {Name: "Ann", Extra: map[string]string{"Provider": "Google"}},
		"account-unlinked":   {Name: "Ann", Extra: map[string]string{"Provider": "Google"}},
		"delete-user":        {Name: "Ann", Link: link, ExpiresIn: time.Hour},
		"user-deleted":       {Name: "Ann"},

		"two-factor-enabled":      {Name: "Ann"},
		"two-factor-changed":      {Name: "Ann"},
		"two-factor-disabled":     {Name: "Ann"},
		"two-factor-reset":        {Name: "Ann"},
		"recovery-codes-replaced": {Name: "Ann"},
		"recovery-code-used":      {Name: "Ann", Extra: map[string]string{"Left": "7"}},
		"recovery-codes-low":      {Name: "Ann", Extra: map[string]string{"Left": "3"}},
		"invitation": {
			Link: link, ExpiresIn: 48 * time.Hour, Extra: map[string]string{"Organization": "Acme, Inc. & Söhne", "Inviter": "Ann"},
		},
		"invitation-sign-in": {Link: link, Extra: map[string]string{"Organization": "Acme"}},
		"second-step-code":   {Code: "123456", ExpiresIn: 10 * time.Minute},
	} {
		m, err := tpl.Render("", kind, data)
		assert.NoError(t, err)
		m.To = "ann@example.com"
		assert.NoError(t, m.Validate())
		golden(t, kind+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
		golden(t, kind+".html", m.HTML)
	}
}

// A stranger chooses the names in an invitation, and it goes to somebody who knows
// nothing of them: what looks like an advertisement or an address is left out.
func TestAnInvitationCarriesNoAdvertisement(t *testing.T) {
	t.Parallel()
	tpl := templates(t, mail.TemplatesConfig{ProductName: "Acme"})
	for _, odd := range []string{
		"evil.example", "Win at http://evil", "buy <b>now</b>", "a@b", "Cheap\npills", "100 €", strings.Repeat("x", 61), "evil.example/win",
	} {
		m, err := tpl.Render("", "invitation", mail.Data{
			Link: link, ExpiresIn: time.Hour, Extra: map[string]string{"Organization": odd, "Inviter": odd},
		})
		assert.NoError(t, err)
		for _, text := range []string{m.Subject, m.Text, m.HTML} {
			assert.NotContains(t, text, odd)
		}
	}
	m, err := tpl.Render("", "invitation", mail.Data{Link: link, Extra: map[string]string{"Organization": "Söhne & Co. KG", "Inviter": "Ann O’Neill"}})
	assert.NoError(t, err)
	assert.Contains(t, m.Subject, "Söhne & Co. KG")
	assert.Contains(t, m.Text, "Ann O’Neill invited you")
}
