// Package cursor makes the cursors of lists: the place after the last item of a page,
// which a client hands back to get the next one. A client cannot make or change one,
// nor use it for another list, another caller or other filters.
//
//	cursors := cursor.New(keyring, "notifications")
//	next, err := cursors.Encode(ctx, cursor.Scope{userID, "unread"}, createdAt, id)
//	…
//	position, err := cursors.Decode(ctx, cursor.Scope{userID, "unread"}, raw, 2)
//
// # Format
//
// A cursor is base64url without padding of: the version 1, the id of the key (8
// bytes), an HMAC-SHA256 cut to 16 bytes, and the position, each string of it after
// its length as an unsigned varint. The MAC covers a domain, the name of the list, how
// many strings the scope has, those of the scope, and those of the position, each
// after its length. The position is not secret: the client has seen the item.
//
// Keys are subkeys of crypto.PurposeToken that take their turn with it; a cursor of a
// key that was destroyed is not valid any more. Cursors do not expire otherwise: they
// permit nothing that their list does not.
package cursor

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/problem"
)

// ErrInvalid means that a cursor was not made here, or for another list, caller or
// filter.
var ErrInvalid = problem.New(problem.Invalid, "INVALID_CURSOR",
	"The cursor is not valid here. Use nextCursor of an answer with the same filters, or start without one.")

const (
	version = 1
	domain  = "tenon/cursor/v1"
	kidSize = 8
	macSize = 16
	head    = 1 + kidSize + macSize

	// MaxLength bounds the text of a cursor: use it as maxLength of the field.
	MaxLength = 1024
)

// Keys hands out the keys of the MACs; *crypto.Keyring is one.
type Keys interface {
	ActiveSubkey(ctx context.Context, purpose, label string) (kid string, key []byte, err error)
	Subkey(ctx context.Context, purpose, label, kid string) ([]byte, error)
}

// Scope is what a cursor belongs to besides its list: who lists, and by which
// filters. The order counts.
type Scope []string

// Codec makes and reads the cursors of one list. It is safe for concurrent use.
type Codec struct {
	keys Keys
	list string
}

// New returns the Codec of a list, whose name no other list has.
func New(keys Keys, list string) *Codec { return &Codec{keys: keys, list: list} }

func (c *Codec) label() string { return "cursor/" + c.list }

// Encode returns the cursor of a position, such as the time and the id of the last
// item of a page. It fails if the key cannot be had, and for a position that makes a
// cursor longer than MaxLength.
func (c *Codec) Encode(ctx context.Context, scope Scope, position ...string) (string, error) {
	kid, key, err := c.keys.ActiveSubkey(ctx, crypto.PurposeToken, c.label())
	if err != nil {
		return "", fmt.Errorf("cursor: encode: %w", err)
	}
	id, err := hex.DecodeString(kid)
	if err != nil || len(id) != kidSize {
		return "", errors.New("cursor: encode: an id of a key of another form")
	}
	raw := append([]byte{version}, id...)
	raw = append(raw, c.mac(key, scope, position)...)
	for _, s := range position {
		raw = appendString(raw, s)
	}
	if base64.RawURLEncoding.EncodedLen(len(raw)) > MaxLength {
		return "", errors.New("cursor: encode: the position is too long")
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Decode returns the position of a cursor, which has n strings. It returns ErrInvalid
// for whatever Encode did not make for this list and scope, and the error of the keys
// if these cannot be had.
func (c *Codec) Decode(ctx context.Context, scope Scope, text string, n int) ([]string, error) {
	if len(text) > MaxLength || strings.ContainsAny(text, "\r\n") { // which package base64 passes over
		return nil, ErrInvalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < head || raw[0] != version {
		return nil, ErrInvalid
	}
	position, ok := split(raw[head:], n)
	if !ok {
		return nil, ErrInvalid
	}
	key, err := c.keys.Subkey(ctx, crypto.PurposeToken, c.label(), hex.EncodeToString(raw[1:1+kidSize]))
	if errors.Is(err, crypto.ErrUnknownKey) {
		return nil, ErrInvalid.With(err)
	}
	if err != nil {
		return nil, fmt.Errorf("cursor: decode: %w", err)
	}
	if !hmac.Equal(raw[1+kidSize:head], c.mac(key, scope, position)) {
		return nil, ErrInvalid
	}
	return position, nil
}

func (c *Codec) mac(key []byte, scope Scope, position []string) []byte {
	message := appendString(appendString(nil, domain), c.list)
	message = binary.AppendUvarint(message, uint64(len(scope)))
	for _, s := range scope {
		message = appendString(message, s)
	}
	for _, s := range position {
		message = appendString(message, s)
	}
	sum := hmac.New(sha256.New, key)
	sum.Write(message)
	return sum.Sum(nil)[:macSize]
}

// appendString appends s after its length, so that no two lists of strings run into
// the same bytes.
func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// split reads exactly n strings.
func split(raw []byte, n int) ([]string, bool) {
	all := make([]string, 0, n)
	for range n {
		size, used := binary.Uvarint(raw)
		if used <= 0 || size > uint64(len(raw)-used) {
			return nil, false
		}
		end := used + int(size)
		all = append(all, string(raw[used:end]))
		raw = raw[end:]
	}
	return all, len(raw) == 0
}
