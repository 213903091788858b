package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/tenon-go/tenon/crypto"
)

const (
	blindSize   = 32
	maxPersonal = 64 << 10
)

// personal is the sealed part of an entry.
type personal struct {
	IP        string         `json:"ip,omitempty"`
	UserAgent string         `json:"userAgent,omitempty"`
	Before    map[string]any `json:"before,omitempty"`
	After     map[string]any `json:"after,omitempty"`
}

// SealedColumn is the column of the personal fields, for crypto.Config.Sealed.
func SealedColumn() crypto.SealedColumn {
	return crypto.SealedColumn{
		Column:       crypto.Column{Purpose: Purpose, Table: "tenon_audit_entries", Column: "personal"},
		TenantColumn: "organization_id",
	}
}

// seal puts the personal part of e into r.
func (s *Service) seal(ctx context.Context, r *Row, e Entry) error {
	p := personal{UserAgent: e.UserAgent, Before: e.Before, After: e.After}
	if e.IP.IsValid() {
		p.IP = e.IP.String()
	}
	text, err := json.Marshal(p)
	if err != nil || len(text) > maxPersonal {
		return ErrInvalidEntry.With(err)
	}
	if string(text) == "{}" {
		return nil
	}
	plain := make([]byte, blindSize, blindSize+len(text))
	if _, err := io.ReadFull(s.cfg.Rand, plain); err != nil {
		return fmt.Errorf("audit: randomness: %w", err)
	}
	plain = append(plain, text...)
	r.PersonalHash = hashPersonal(plain)
	r.Personal, err = s.cfg.Keys.Seal(ctx, SealedColumn().Field(r.ID, r.OrganizationID), plain)
	if err != nil {
		return fmt.Errorf("audit: seal: %w", err)
	}
	return nil
}

// open returns the personal part of r, and false for one that is not what was sealed.
func (s *Service) open(ctx context.Context, r Row) (p personal, genuine bool, err error) {
	if len(r.Personal) == 0 {
		return p, true, nil
	}
	plain, err := s.cfg.Keys.Open(ctx, SealedColumn().Field(r.ID, r.OrganizationID), r.Personal)
	for _, damage := range []error{crypto.ErrMalformed, crypto.ErrUnknownKey, crypto.ErrCommitment, crypto.ErrAuthentication, crypto.ErrInvalid} {
		if errors.Is(err, damage) {
			return p, false, nil
		}
	}
	if err != nil {
		return p, false, fmt.Errorf("audit: open: %w", err)
	}
	if len(plain) < blindSize || !hmac.Equal(r.PersonalHash, hashPersonal(plain)) {
		return p, false, nil
	}
	// Numbers stay as they were written.
	decoder := json.NewDecoder(bytes.NewReader(plain[blindSize:]))
	decoder.UseNumber()
	return p, decoder.Decode(&p) == nil, nil
}

// genuine reports whether a row is what was recorded, and returns it readable.
func (s *Service) genuine(ctx context.Context, r Row) (Record, error) {
	p, whole, err := s.open(ctx, r)
	if err != nil {
		return Record{}, err
	}
	signed, err := s.check(ctx, r.KID, r.MAC, r.message())
	if err != nil {
		return Record{}, err
	}
	ip, _ := netip.ParseAddr(p.IP) // empty where it was not known
	return Record{
		Entry: Entry{
			Action: r.Action, Event: r.Event, OrganizationID: r.OrganizationID, Actor: r.Actor, Target: r.Target, Outcome: r.Outcome,
			IP: ip, UserAgent: p.UserAgent, Before: p.Before, After: p.After,
		},
		ID: r.ID, At: r.At, Seq: r.Seq, Link: r.Link,
		Erased:  len(r.Personal) == 0 && len(r.PersonalHash) > 0,
		Damaged: !whole || !signed,
	}, nil
}
