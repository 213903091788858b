package cursor_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/cursor"
	"github.com/tenon-go/tenon/problem"
)

func TestACursorIsReadWhereItWasMade(t *testing.T) {
	t.Parallel()
	cursors := cursor.New(cryptotest.NewKeyring(t), "things")
	for _, position := range [][]string{{"1767225600000000", "0197-id"}, {"", ""}, {"\x00\xff", strings.Repeat("x", 300)}} {
		raw := assert.Must(cursors.Encode(t.Context(), cursor.Scope{"ada"}, position...))(t)
		assert.Equal(t, assert.Must(cursors.Decode(t.Context(), cursor.Scope{"ada"}, raw, len(position)))(t), position)
	}
	_, err := cursors.Encode(t.Context(), nil, strings.Repeat("x", cursor.MaxLength))
	assert.Error(t, err)
}

func TestACursorOfAnotherScopeIsNone(t *testing.T) {
	t.Parallel()
	keys := cryptotest.NewKeyring(t)
	cursors := cursor.New(keys, "things")
	raw := assert.Must(cursors.Encode(t.Context(), cursor.Scope{"ada", "unread"}, "1", "2"))(t)
	for name, scope := range map[string]cursor.Scope{
		"another caller": {"bob", "unread"}, "another filter": {"ada", ""}, "fewer": {"ada"}, "none": nil,
		"shifted": {"a", "daunread"}, "into the position": {"ada", "unread", "1"}, "swapped": {"unread", "ada"},
	} {
		if _, err := cursors.Decode(t.Context(), scope, raw, 2); !errors.Is(err, cursor.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	scope := cursor.Scope{"ada", "unread"}
	_, err := cursor.New(keys, "others").Decode(t.Context(), scope, raw, 2)
	assert.ErrorIs(t, err, cursor.ErrInvalid)
	_, err = cursor.New(cryptotest.NewKeyring(t), "things").Decode(t.Context(), scope, raw, 2)
	assert.ErrorIs(t, err, cursor.ErrInvalid)
	for _, n := range []int{0, 1, 3} {
		_, err := cursors.Decode(t.Context(), scope, raw, n)
		assert.ErrorIs(t, err, cursor.ErrInvalid)
	}
	assert.Equal(t, problem.KindOf(cursor.ErrInvalid), problem.Invalid)
}

func TestACursorCannotBeChanged(t *testing.T) {
	t.Parallel()
	cursors := cursor.New(cryptotest.NewKeyring(t), "things")
	raw := assert.Must(cursors.Encode(t.Context(), nil, "1", "2"))(t)
	bytes := assert.Must(base64.RawURLEncoding.DecodeString(raw))(t)
	forged := []string{"", "x", raw + "A", raw + "=", raw + "\n", " " + raw, strings.Repeat("A", cursor.MaxLength+1)}
	for i := range bytes {
		for _, bit := range []byte{1, 0x80} {
			changed := append([]byte(nil), bytes...)
			changed[i] ^= bit
			forged = append(forged, base64.RawURLEncoding.EncodeToString(changed))
		}
		forged = append(forged, base64.RawURLEncoding.EncodeToString(bytes[:i]))
	}
	// Base64 has spare bits at its end: no second spelling of one cursor.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", raw[len(raw)-1])
	if len(bytes)%3 != 0 {
		forged = append(forged, raw[:len(raw)-1]+string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1]))
	}
	for _, f := range forged {
		if _, err := cursors.Decode(t.Context(), nil, f, 2); !errors.Is(err, cursor.ErrInvalid) {
			t.Errorf("%q: %v", f, err)
		}
	}
}

func TestCursorsOutliveARotationAndEndWithTheirKey(t *testing.T) {
	t.Parallel()
	keys, store, _ := cryptotest.NewKeyringWith(t, crypto.Config{})
	cursors := cursor.New(keys, "things")
	raw := assert.Must(cursors.Encode(t.Context(), nil, "1"))(t)
	assert.Must(keys.RotateDEK(t.Context(), crypto.PurposeToken, ""))(t)
	assert.Equal(t, assert.Must(cursors.Decode(t.Context(), nil, raw, 1))(t), []string{"1"})
	store.Fail(problem.ErrUnavailable)
	_, err := cursors.Decode(t.Context(), nil, "AQ"+strings.Repeat("A", 32), 0) // of a key that must be asked for
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	store.Fail(nil)
	_, err = cursors.Decode(t.Context(), nil, "AQ"+strings.Repeat("B", 32), 0)
	assert.ErrorIs(t, err, cursor.ErrInvalid)
}

func FuzzDecode(f *testing.F) {
	cursors := cursor.New(cryptotest.NewKeyring(f), "things")
	raw, err := cursors.Encode(f.Context(), cursor.Scope{"ada"}, "1", "2")
	assert.NoError(f, err)
	f.Add(raw, 2)
	f.Add("AQ", 0)
	f.Fuzz(func(t *testing.T, text string, n int) {
		position, err := cursors.Decode(t.Context(), cursor.Scope{"ada"}, text, max(0, min(n, 9)))
		if err == nil && (text != raw || position[0] != "1") {
			t.Errorf("%q is a cursor", text)
		}
	})
}
