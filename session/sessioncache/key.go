package sessioncache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/token"
)

// key names what was asked for: a hash, so that the cache holds no token. What is
// hashed begins with its kind and has fields of fixed width, so that no two
// questions have one key (CVE-2026-33496).
type key [sha256.Size]byte

// Kinds of keys.
const (
	ofToken   = 't'
	ofSession = 's'
)

const (
	// tokenStart is how every session token begins. All the rest is hashed.
	tokenStart  = token.Brand + "_" + string(session.Kind) + "_"
	tokenRest   = token.Length - len(tokenStart)
	epochLength = 8
	idLength    = 36 // a UUID's
)

// question is what a lookup asks: by a token, or else by a session's id.
type question struct {
	raw   string
	id    string
	epoch int64
}

// byToken returns the key of a token, and false for what cannot be one. Its 55
// bytes fit into one block of SHA-256.
func byToken(raw string) (key, bool) {
	if len(raw) != token.Length || raw[:len(tokenStart)] != tokenStart {
		return key{}, false
	}
	var text [1 + tokenRest]byte
	text[0] = ofToken
	copy(text[1:], raw[len(tokenStart):])
	return sha256.Sum256(text[:]), true
}

// bySession returns the key of a session under an epoch, and false for what
// cannot be a session's id.
func bySession(id string, epoch int64) (key, bool) {
	if len(id) != idLength {
		return key{}, false
	}
	var text [1 + epochLength + idLength]byte
	text[0] = ofSession
	binary.BigEndian.PutUint64(text[1:], uint64(epoch))
	copy(text[1+epochLength:], id)
	return sha256.Sum256(text[:]), true
}

// ask puts the question to the database.
func (q question) ask(ctx context.Context, svc *session.Service) (*session.Identity, error) {
	if q.raw != "" {
		return svc.Lookup(ctx, q.raw)
	}
	return svc.LookupSession(ctx, q.id, q.epoch)
}
