package token_test

import (
	"bytes"
	"database/sql/driver"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

type holder struct {
	Name   string
	Public token.Secret
	Token  token.Token
	inner  inner
}

type xmlHolder struct{ S token.Secret }

type inner struct {
	secret token.Secret
	token  token.Token
	ptr    *token.Secret
}

func TestASecretIsShownByRevealOnly(t *testing.T) {
	t.Parallel()
	const plain = "hunter2-hunter2"
	secret := token.NewSecret(plain)
	assert.Equal(t, secret.Reveal(), plain)
	tok, raw := generate(t, token.KindSession)
	h := holder{Name: "x", Public: secret, Token: tok, inner: inner{secret, tok, &secret}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08.3f", "%p", "%t", "%U"} {
		for _, v := range []any{secret, &secret, tok, &tok, h, &h, []any{secret, tok}, map[string]any{"a": secret, "b": h}, fmt.Errorf("x: %v %v", secret, tok)} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	fmt.Fprintln(&out, secret, tok, h, secret.String(), secret.GoString())
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("x", "secret", secret, "token", tok, "holder", h, "pointer", &h)
	}
	for _, v := range []any{secret, tok, h} {
		b, err := json.Marshal(v)
		assert.NoError(t, err)
		out.Write(b)
	}
	b, err := xml.Marshal(xmlHolder{secret})
	assert.NoError(t, err)
	out.Write(b)
	assert.NoError(t, gob.NewEncoder(&out).Encode(struct{ S token.Secret }{secret}))
	for _, leak := range []string{plain, raw, raw[24:56], fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprintf("%x", raw)} {
		assert.NotContains(t, out.String(), leak)
	}
	assert.Contains(t, out.String(), "[redacted]")
}

func TestADatabaseRefusesASecret(t *testing.T) {
	t.Parallel()
	_, err := driver.DefaultParameterConverter.ConvertValue(token.NewSecret("x"))
	assert.ErrorIs(t, err, token.ErrSecretAsValue)
}

func TestSecretsCompare(t *testing.T) {
	t.Parallel()
	a := token.NewSecret("abc")
	assert.True(t, a.Equal(token.NewSecret("abc")), "equal")
	for _, other := range []token.Secret{{}, token.NewSecret(""), token.NewSecret("abd"), token.NewSecret("abcd"), token.NewSecret("ab")} {
		assert.False(t, a.Equal(other), "equal to another")
	}
	assert.True(t, token.Secret{}.IsZero() && token.NewSecret("").IsZero() && !a.IsZero(), "IsZero")
	assert.Equal(t, token.Secret{}.Reveal(), "")
}

func TestATokenIsPrintedMasked(t *testing.T) {
	t.Parallel()
	tok, raw := generate(t, token.KindSession)
	assert.Equal(t, fmt.Sprint(tok), raw[:14]+"…")
	assert.Equal(t, fmt.Sprintf("%s %v %q", token.Token{}, token.Token{}, token.Token{}), "[redacted] [redacted] [redacted]")
	assert.Equal(t, token.Token{}.Selector(), "")
}
