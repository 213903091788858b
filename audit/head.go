package audit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// String returns the head as text that [ParseHead] reads: base64url of its JSON.
func (h Head) String() string {
	// Every field has a JSON form.
	raw, _ := json.Marshal(h)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// maxHead bounds the text of a head.
const maxHead = 2048

// ParseHead reads what [Head.String] wrote. It returns ErrInvalidHead for anything
// else; whether the head was made here, [Service.Verify] finds out.
func ParseHead(text string) (h Head, err error) {
	if len(text) > maxHead {
		return Head{}, ErrInvalidHead
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &h)
	}
	if err != nil {
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
