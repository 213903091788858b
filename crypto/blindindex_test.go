package crypto_test

import (
	"errors"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

var emails = crypto.Index{
	Column:     crypto.Column{Purpose: crypto.PurposeData, Table: "people", Column: "email"},
	Normalizer: crypto.NormalizeASCIILower(),
}

func TestBlindIndex(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	value := func(i crypto.Index, tenant, v string) string {
		got, err := b.IndexValue(t.Context(), i, tenant, v)
		assert.NoError(t, err)
		assert.Equal(t, len(got.MAC), 32)
		assert.Equal(t, got.KID, b.active(t, i.Purpose, "").ID)
		return string(got.MAC)
	}
	base := value(emails, "org-1", "Ada@Example.com")
	assert.Equal(t, value(emails, "org-2", "ada@example.COM"), base) // tenants share it unless they are told apart
	exact, perTenant, column, table, purpose := emails, emails, emails, emails, emails
	exact.Normalizer = crypto.NormalizeExact()
	perTenant.PerTenant = true
	column.Column.Column, table.Table, purpose.Purpose = "email2", "people2", crypto.PurposeToken
	seen := map[string]bool{base: true}
	for _, other := range []string{
		value(emails, "", "Ada@Example.con"), value(exact, "", "ada@example.com"), value(exact, "", "Ada@Example.com"),
		value(perTenant, "org-1", "ada@example.com"), value(perTenant, "org-2", "ada@example.com"),
		value(column, "", "ada@example.com"), value(table, "", "ada@example.com"), value(purpose, "", "ada@example.com"),
		value(emails, "", "\u212Aelvin@x.de"), value(emails, "", "kelvin@x.de"), // no Unicode case rules
	} {
		assert.False(t, seen[other], "two different values, one index")
		seen[other] = true
	}
}

func TestBlindIndexAcrossRotation(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	old, err := b.IndexValue(t.Context(), emails, "", "ada@example.com")
	assert.NoError(t, err)
	other := b.process(t)
	_, err = other.IndexLookup(t.Context(), emails, "", "ada@example.com")
	assert.NoError(t, err)
	_, err = b.RotateDEK(t.Context(), "data", "")
	assert.NoError(t, err)
	fresh, err := b.IndexValue(t.Context(), emails, "", "ada@example.com")
	assert.NoError(t, err)
	assert.NotEqual(t, fresh, old)
	for _, k := range []*crypto.Keyring{b.Keyring, other} { // at once, whatever their caches hold
		both, err := k.IndexLookup(t.Context(), emails, "", "ada@example.com")
		assert.NoError(t, err)
		assert.Equal(t, both, []crypto.IndexValue{fresh, old})
	}
	for range 8 { // wherever the active key stands among the ids
		kid, err := b.RotateDEK(t.Context(), "data", "")
		assert.NoError(t, err)
		all, err := b.IndexLookup(t.Context(), emails, "", "ada@example.com")
		assert.NoError(t, err)
		assert.Equal(t, all[0].KID, kid)
	}
}

func TestBlindIndexFailures(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	odd := errors.New("odd value")
	unnamed, perTenant, picky, sql, unknown := emails, emails, emails, emails, emails
	unnamed.Normalizer.Name = ""
	perTenant.PerTenant = true
	picky.Normalizer.Apply = func(string) (string, error) { return "", odd }
	sql.Table = "a.b"
	unknown.Purpose = "vault"
	for _, c := range []struct {
		index crypto.Index
		want  error
	}{
		{unnamed, crypto.ErrInvalid},
		{perTenant, crypto.ErrInvalid},
		{picky, odd},
		{sql, crypto.ErrInvalid},
		{unknown, crypto.ErrNoActiveKey},
	} {
		_, err := b.IndexValue(t.Context(), c.index, "", "x")
		assert.ErrorIs(t, err, c.want)
		_, err = b.IndexLookup(t.Context(), c.index, "", "x")
		assert.ErrorIs(t, err, c.want)
	}
	b.store.Fail(problem.ErrUnavailable)
	_, err := b.IndexLookup(t.Context(), emails, "", "x")
	assert.ErrorIs(t, err, problem.ErrUnavailable)
}
