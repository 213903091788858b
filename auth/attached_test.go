package auth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
)

// attached signs Ada up with something that is no password, and returns what the browser
// keeps and where the proofs of such sign-ups are told.
func attached(t *testing.T, change func(*auth.Config)) (*world, auth.SignUpResult, *[]auth.SignUpProven, *[]string) {
	t.Helper()
	proven, ids := new([]auth.SignUpProven), new([]string)
	w := newWorld(t, func(c *auth.Config) {
		c.Hooks.SignUpProven = func(_ context.Context, e auth.SignUpProven) error {
			*proven = append(*proven, e)
			return nil
		}
		if change != nil {
			change(c)
		}
	})
	result, err := w.SignUpWith(t.Context(), auth.SignUpParams{Name: "Ada", Email: adaEmail, Client: client()}, func(_ context.Context, s auth.SignUp) error {
		*ids = append(*ids, s.ID)
		return nil
	})
	assert.NoError(t, err)
	return w, result, proven, ids
}

func TestR5_WhatIsAttachedToASignUpStaysInItsBrowserOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params func(browser string) auth.VerifyEmailParams
		kept   bool
		err    error
	}{
		"the browser that signed up":      {func(b string) auth.VerifyEmailParams { return auth.VerifyEmailParams{Browser: b} }, true, nil},
		"another browser":                 {func(string) auth.VerifyEmailParams { return auth.VerifyEmailParams{} }, false, auth.ErrSignUpProofRequired},
		"a password that was never given": {func(string) auth.VerifyEmailParams { return auth.VerifyEmailParams{Password: adaPassword} }, false, auth.ErrSignUpProofRequired},
		"a new password":                  {func(string) auth.VerifyEmailParams { return auth.VerifyEmailParams{NewPassword: "another horse"} }, false, nil},
		"a new password in that browser": {func(b string) auth.VerifyEmailParams {
			return auth.VerifyEmailParams{Browser: b, NewPassword: "another horse"}
		}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, result, proven, ids := attached(t, nil)
			p := c.params(result.Browser.Reveal())
			p.Token, p.Client = w.link(t), client()
			user, err := w.VerifyEmail(t.Context(), p)
			assert.ErrorIs(t, err, c.err)
			if c.err != nil {
				assert.Len(t, *proven, 0)
				return
			}
			assert.Equal(t, *proven, []auth.SignUpProven{{SignUpID: (*ids)[0], User: user, Kept: c.kept, Client: client()}})
			assert.Equal(t, user.EmailProof, auth.ProofMail)
		})
	}
}

func TestAnAttachmentThatFailsLeavesNoSignUp(t *testing.T) {
	t.Parallel()
	w, no := newWorld(t), errors.New("no")
	_, err := w.SignUpWith(t.Context(), auth.SignUpParams{Name: "Ada", Email: adaEmail}, func(context.Context, auth.SignUp) error { return no })
	assert.ErrorIs(t, err, no)
	_, err = w.store.NewestSignUp(t.Context(), adaKey, w.clock.Now())
	assert.ErrorIs(t, err, auth.ErrSignUpNotFound)
}

// What the attacker brings does not change that the owner of the address is told, and
// nobody else (rule R4).
func TestR4_ASignUpWithAnAttachmentForATakenAddressTellsItsOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	before := len(w.mailbox.Messages())
	result, err := w.SignUpWith(t.Context(), auth.SignUpParams{Name: "M", Email: adaEmail}, func(context.Context, auth.SignUp) error { return nil })
	assert.NoError(t, err)
	assert.False(t, result.Browser.IsZero(), "the browser is remembered all the same")
	mails := w.mailbox.Messages()[before:]
	assert.Len(t, mails, 1)
	assert.NotContains(t, mails[0].Text, "verify-email")
}

// The configured superuser proves the address by our mail and by nothing else (R33).
func TestR19_AnotherSystemsWordMakesNoSuperuser(t *testing.T) {
	t.Parallel()
	for proof, want := range map[string]bool{auth.ProofMail: true, "provider:acme": false} {
		w := newWorld(t, func(c *auth.Config) { c.Superuser = adaKey })
		address, err := auth.ParseAddress(adaEmail)
		assert.NoError(t, err)
		assert.True(t, w.IsReserved(address), "the address is reserved")
		var user auth.User
		assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) (err error) {
			user, err = w.CreateProven(ctx, auth.NewUser{Email: adaEmail}, proof)
			return err
		}))
		assert.Equal(t, user.Superuser, want)
		assert.Equal(t, user.EmailProof, proof)
	}
	address, err := auth.ParseAddress("bob@example.com")
	assert.NoError(t, err)
	assert.False(t, newWorld(t).IsReserved(address), "nothing is reserved")
}
