package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// headText begins the text of a head.
const headText = "audit1"

// String returns the head as text that [ParseHead] reads: its fields, with colons
// between them, in the form that docs/audit.md describes.
func (h Head) String() string {
	encode := base64.RawURLEncoding.EncodeToString
	return strings.Join([]string{
		headText, encode([]byte(h.OrganizationID)), strconv.FormatInt(h.Count, 10), encode(h.Hash),
		strconv.FormatInt(h.At.UnixMicro(), 10), encode([]byte(h.KID)), encode(h.MAC),
	}, ":")
}

// maxHead bounds the text of a head, and headFields is how many it has.
const (
	maxHead    = 2048
	headFields = 7
)

// ParseHead reads what [Head.String] wrote. It returns ErrInvalidHead for anything
// else; whether the head was made here, [Service.Verify] finds out.
func ParseHead(text string) (Head, error) {
	fields := strings.Split(text, ":")
	if len(text) > maxHead || len(fields) != headFields || fields[0] != headText {
		return Head{}, ErrInvalidHead
	}
	count, countErr := strconv.ParseInt(fields[2], 10, 64)
	at, atErr := strconv.ParseInt(fields[4], 10, 64)
	errs := []error{countErr, atErr}
	var raw [4][]byte
	for i, n := range []int{1, 3, 5, 6} {
		b, err := base64.RawURLEncoding.Strict().DecodeString(fields[n])
		raw[i], errs = b, append(errs, err)
	}
	h := Head{OrganizationID: string(raw[0]), Count: count, Hash: raw[1], At: time.UnixMicro(at).UTC(), KID: string(raw[2]), MAC: raw[3]}
	if err := errors.Join(errs...); err != nil || h.String() != text {
		return Head{}, ErrInvalidHead.With(err)
	}
	return h, nil
}

// sign makes the MAC of a head.
func (s *Service) sign(ctx context.Context, h Head, domain string) (Head, error) {
	kid, key, err := s.key(ctx)
	if err != nil {
		return Head{}, err
	}
	h.KID = kid
	h.MAC = sum(key, h.message(domain))
	return h, nil
}

// signed reports whether a head of a chain was made here. The beginning of a chain
// needs no signature.
func (s *Service) signed(ctx context.Context, organizationID string, h Head, domain string) (bool, error) {
	if domain == domainCheckpoint && h.Count == 0 && len(h.Hash) == 0 {
		return true, nil
	}
	if h.OrganizationID != organizationID {
		return false, nil
	}
	return s.check(ctx, h.KID, h.MAC, h.message(domain))
}

// trust returns ErrTampered unless both ends of a chain were made here: whoever goes
// on from a forged one would sign it.
func (s *Service) trust(ctx context.Context, c Chain) error {
	for domain, h := range map[string]Head{domainHead: c.Head, domainCheckpoint: c.Base} {
		genuine, err := s.signed(ctx, c.OrganizationID, h, domain)
		if err != nil {
			return err
		}
		if !genuine {
			return fmt.Errorf("audit: %s of a chain: %w", domain, ErrTampered)
		}
	}
	return nil
}

// trustRoster is trust for the roster.
func (s *Service) trustRoster(ctx context.Context, r Roster) error {
	if r.Chains == 0 && r.KID == "" {
		return nil
	}
	genuine, err := s.check(ctx, r.KID, r.MAC, r.message())
	if err == nil && !genuine {
		err = fmt.Errorf("audit: roster: %w", ErrTampered)
	}
	return err
}
