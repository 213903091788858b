package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
)

// fixedKeys hands out keys made of their ids: 32 bytes, SHA-256 of the id.
type fixedKeys struct{}

func (fixedKeys) Seal(context.Context, crypto.Field, []byte) ([]byte, error) { return []byte{1}, nil }
func (fixedKeys) Open(context.Context, crypto.Field, []byte) ([]byte, error) { return nil, nil }

func (k fixedKeys) ActiveSubkey(ctx context.Context, purpose, label string) (string, []byte, error) {
	const kid = "00112233445566ff"
	key, err := k.Subkey(ctx, purpose, label, kid)
	return kid, key, err
}

func (fixedKeys) Subkey(_ context.Context, purpose, label, kid string) ([]byte, error) {
	key := sha256.Sum256([]byte(purpose + "/" + label + "/" + kid))
	return key[:], nil
}

type noStore struct{ Store }

// TestVectors freezes the bytes that MACs and hashes cover: docs/audit.md describes
// them, testdata/vectors.json lists them, and rows that are stored depend on them.
func TestVectors(t *testing.T) {
	t.Parallel()
	s := &Service{store: noStore{}, cfg: Config{Keys: fixedKeys{}}}
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	ctx := t.Context()
	kid, key, err := s.key(ctx)
	assert.NoError(t, err)
	row := Row{
		ID: "019cb7a3-1c18-7020-8000-000000000001", OrganizationID: "org", At: at, Action: "authz_change", Event: "MemberJoined",
		Outcome: Success, Actor: Actor{UserID: "ada", ImpersonatorID: "root", APIKeyID: "key", SessionID: "ses"},
		Target: Target{"user", "bob"}, PersonalHash: hashPersonal(append(bytes.Repeat([]byte{0xaa}, blindSize), `{"ip":"192.0.2.1"}`...)), KID: kid,
	}
	row.MAC = sum(key, row.message())
	first := Link{ID: row.ID, Seq: 1, KID: kid}
	first.Link = sum(key, linkMessage("org", first, row.MAC))
	second := Link{ID: row.ID, Seq: 2, Prev: first.Link, KID: kid}
	second.Link = sum(key, linkMessage("org", second, row.MAC))
	head, err := s.sign(ctx, Head{OrganizationID: "org", Count: 2, Hash: second.Link, At: at}, domainHead)
	assert.NoError(t, err)
	checkpoint, err := s.sign(ctx, Head{OrganizationID: "org", Count: 2, Hash: second.Link, At: at}, domainCheckpoint)
	assert.NoError(t, err)
	got := map[string]string{
		"key":          hex.EncodeToString(key),
		"personalHash": hex.EncodeToString(row.PersonalHash),
		"rowMessage":   hex.EncodeToString(row.message()),
		"rowMAC":       hex.EncodeToString(row.MAC),
		"firstLink":    hex.EncodeToString(first.Link),
		"secondLink":   hex.EncodeToString(second.Link),
		"headMAC":      hex.EncodeToString(head.MAC),
		"head":         head.String(),
		"checkpoint":   hex.EncodeToString(checkpoint.MAC),
		"rosterMAC":    hex.EncodeToString(sum(key, Roster{Chains: 7, KID: kid}.message())),
		"firstID":      FirstID(at),
	}
	raw, err := os.ReadFile("testdata/vectors.json")
	assert.NoError(t, err)
	var want map[string]string
	assert.NoError(t, json.Unmarshal(raw, &want))
	for name, value := range got {
		if want[name] != value {
			t.Errorf("%q: %q,", name, value)
		}
	}
	assert.Equal(t, len(want), len(got))
}

// No two rows have the same message: each field counts, at its place.
func TestEveryFieldCounts(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	add := func(name string, r Row) {
		m := string(r.message())
		if seen[m] != "" {
			t.Errorf("%s is %s", name, seen[m])
		}
		seen[m] = name
	}
	at := time.Unix(0, 0)
	add("nothing", Row{At: at})
	for name, r := range map[string]Row{
		"kid": {KID: "x"}, "id": {ID: "x"}, "organization": {OrganizationID: "x"}, "action": {Action: "x"}, "event": {Event: "x"},
		"outcome": {Outcome: "x"}, "user": {Actor: Actor{UserID: "x"}}, "impersonator": {Actor: Actor{ImpersonatorID: "x"}},
		"key": {Actor: Actor{APIKeyID: "x"}}, "session": {Actor: Actor{SessionID: "x"}}, "type": {Target: Target{Type: "x"}},
		"target": {Target: Target{ID: "x"}}, "personal": {PersonalHash: []byte("x")},
	} {
		r.At = at
		add(name, r)
	}
	add("time", Row{At: at.Add(time.Microsecond)})
	add("shifted", Row{At: at, Action: "a", Event: "bc"})
	add("shifted back", Row{At: at, Action: "ab", Event: "c"})
}

// Ids sort as the clock does, to the microsecond, and are version 7.
func TestIDsFollowTheClock(t *testing.T) {
	t.Parallel()
	s := &Service{cfg: Config{Rand: bytes.NewReader(bytes.Repeat([]byte{0xff, 0, 0x3c, 0x81}, 64))}}
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	last := ""
	for _, step := range []time.Duration{0, 0, time.Microsecond, 999 * time.Microsecond, time.Millisecond, time.Second} {
		id, err := s.newID(at.Add(step))
		assert.NoError(t, err)
		parsed, err := uuid.Parse(id)
		assert.NoError(t, err)
		assert.True(t, parsed.Version() == 7 && parsed.Variant() == uuid.RFC4122, id)
		assert.True(t, id > last && id >= FirstID(at.Add(step)) && id < FirstID(at.Add(step+time.Microsecond)), id)
		last = id
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add(Head{OrganizationID: "org", Count: 3, Hash: []byte{1}, At: time.Unix(0, 0).UTC(), KID: "k", MAC: []byte{2}}.String())
	f.Add("")
	f.Add("!!!")
	f.Add("audit1::1::0::")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHead(text)
		if err == nil && h.String() != text {
			t.Errorf("%q reads as %v", text, h)
		}
	})
}
