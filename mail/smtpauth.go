package mail

import (
	"context"
	"net/smtp"
	"slices"
	"strings"
)

// authenticate uses PLAIN, or LOGIN where the server has only that. Both show
// the server the password; TLS and its verified name come before.
func (c *session) authenticate(ctx context.Context, s *SMTP) error {
	_, offered := c.client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	var auth smtp.Auth
	switch {
	case slices.Contains(mechanisms, "PLAIN"):
		auth = plainAuth{s.cfg.Username, s.cfg.Password.Reveal()}
	case slices.Contains(mechanisms, "LOGIN"):
		auth = &loginAuth{answers: []string{s.cfg.Username, s.cfg.Password.Reveal()}}
	default:
		return failure(ctx, "auth", errNoAuth)
	}
	if err := c.client.Auth(auth); err != nil {
		return failure(ctx, "auth", err)
	}
	return nil
}

// plainAuth is RFC 4616. Unlike net/smtp's it makes no exception for localhost.
type plainAuth struct{ username, password string }

func (a plainAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + a.username + "\x00" + a.password), nil
}

func (a plainAuth) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errPrompt
	}
	return nil, nil
}

// loginAuth answers the two prompts of LOGIN, whatever their words.
type loginAuth struct{ answers []string }

func (a *loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a *loginAuth) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	if len(a.answers) == 0 {
		return nil, errPrompt
	}
	next := a.answers[0]
	a.answers = a.answers[1:]
	return []byte(next), nil
}
