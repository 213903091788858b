package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/crypto"
)

// What each MAC and hash covers begins with one of these. They are frozen with the
// format: see docs/audit.md.
const (
	domainRow        = "tenon/audit-row/v1"
	domainPersonal   = "tenon/audit-personal/v1"
	domainLink       = "tenon/audit-link/v1"
	domainHead       = "tenon/audit-head/v1"
	domainCheckpoint = "tenon/audit-checkpoint/v1"
	domainRoster     = "tenon/audit-roster/v1"
)

// Purpose is that of the keys under which the trail is sealed and authenticated: add
// it to crypto.Config.Purposes. labelMAC names the subkey of the MACs.
const (
	Purpose  = "audit"
	labelMAC = "audit-mac"
)

// appendPart appends part after its length as 4 bytes, so that no two lists of parts
// run into the same bytes.
func appendPart[T string | []byte](dst []byte, part T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)))
	return append(dst, part...)
}

func appendNumber(dst []byte, n int64) []byte {
	return appendPart(dst, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func appendTime(dst []byte, t time.Time) []byte { return appendNumber(dst, t.UnixMicro()) }

// message is what the MAC of a row covers.
func (r Row) message() []byte {
	m := appendPart(nil, domainRow)
	m = appendPart(m, r.KID)
	m = appendPart(m, r.ID)
	m = appendPart(m, r.OrganizationID)
	m = appendTime(m, r.At)
	for _, text := range []string{
		r.Action, r.Event, string(r.Outcome),
		r.Actor.UserID, r.Actor.ImpersonatorID, r.Actor.APIKeyID, r.Actor.SessionID,
		r.Target.Type, r.Target.ID,
	} {
		m = appendPart(m, text)
	}
	return appendPart(m, r.PersonalHash)
}

// linkMessage is what a link covers: the place of a row, and the row by its MAC.
func linkMessage(organizationID string, l Link, mac []byte) []byte {
	m := appendPart(nil, domainLink)
	m = appendPart(m, l.KID)
	m = appendPart(m, organizationID)
	m = appendNumber(m, l.Seq)
	m = appendPart(m, l.Prev)
	return appendPart(m, mac)
}

func (h Head) message(domain string) []byte {
	m := appendPart(nil, domain)
	m = appendPart(m, h.KID)
	m = appendPart(m, h.OrganizationID)
	m = appendNumber(m, h.Count)
	m = appendPart(m, h.Hash)
	return appendTime(m, h.At)
}

func (r Roster) message() []byte {
	m := appendPart(nil, domainRoster)
	m = appendPart(m, r.KID)
	return appendNumber(m, r.Chains)
}

// hashPersonal commits to the sealed part of a row. The plaintext begins with random
// bytes that are sealed along, so that after an erasure nobody can find out by trying
// what was hashed.
func hashPersonal(plaintext []byte) []byte {
	sum := sha256.Sum256(appendPart(appendPart(nil, domainPersonal), plaintext))
	return sum[:]
}

func sum(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// key returns the active key of MACs.
func (s *Service) key(ctx context.Context) (kid string, key []byte, err error) {
	kid, key, err = s.cfg.Keys.ActiveSubkey(ctx, Purpose, labelMAC)
	if err != nil {
		return "", nil, fmt.Errorf("audit: key: %w", err)
	}
	return kid, key, nil
}

// check reports whether a MAC was made here. A key that is not ours, or is destroyed,
// made nothing; a key that cannot be had now is an error.
func (s *Service) check(ctx context.Context, kid string, mac, message []byte) (bool, error) {
	key, err := s.cfg.Keys.Subkey(ctx, Purpose, labelMAC, kid)
	for _, none := range []error{crypto.ErrUnknownKey, crypto.ErrInvalid, crypto.ErrMalformed} {
		if errors.Is(err, none) {
			return false, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("audit: key of a MAC: %w", err)
	}
	return hmac.Equal(mac, sum(key, message)), nil
}

// newID makes a UUIDv7 whose order is that of the one clock, to the microsecond, and
// within one that in which this process made them (RFC 9562 §6.2, methods 3 and 1).
func (s *Service) newID(at time.Time) (string, error) {
	var id uuid.UUID
	if _, err := io.ReadFull(s.cfg.Rand, id[12:]); err != nil {
		return "", fmt.Errorf("audit: id: %w", err)
	}
	binary.BigEndian.PutUint32(id[8:12], s.made.Add(1))
	return idAt(at, id).String(), nil
}

// FirstID returns the smallest id that an entry of that time can have: rows from
// then on have one that is not smaller.
func FirstID(at time.Time) string { return idAt(at, uuid.UUID{}).String() }

// idAt puts the time into the front of an id.
func idAt(at time.Time, id uuid.UUID) uuid.UUID {
	const perMilli = 1000
	us := max(at.UnixMicro(), 0)
	binary.BigEndian.PutUint64(id[:8], uint64(us/perMilli)<<16|7<<12|uint64(us%perMilli)<<2)
	id[8] = id[8]&0x3f | 0x80
	return id
}
