package token

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

const (
	maxTTL     = 90 * 24 * time.Hour
	maxPayload = 2048
)

// IssueParams says what a token is for. Purpose, Subject and TTL are required.
type IssueParams struct {
	Purpose         Purpose
	Subject         string
	Tenant          string
	SecurityVersion int64
	TTL             time.Duration   // 1 s to 90 days
	Payload         json.RawMessage // at most 2 KiB, returned by Peek and Consume
}

func (p IssueParams) validate() error {
	switch {
	case !p.Purpose.Valid():
		return errPurpose
	case p.Subject == "" || !validText(p.Subject) || !validText(p.Tenant):
		return errSubject
	case p.TTL < time.Second || p.TTL > maxTTL:
		return errTTL
	case len(p.Payload) > maxPayload || !utf8.Valid(p.Payload) || (len(p.Payload) > 0 && !json.Valid(p.Payload)):
		return errPayload
	}
	return nil
}

// Issue makes a token in the transaction in ctx. Its plaintext is the returned
// Secret and exists nowhere else. Earlier tokens of the subject stay valid: who
// asks for a second mail may still use the first (R6).
func (s *Service) Issue(ctx context.Context, p IssueParams) (OneTime, Secret, error) {
	if err := p.validate(); err != nil {
		return OneTime{}, Secret{}, err
	}
	t, err := Generate(s.rand, p.Purpose.Kind())
	if err != nil {
		return OneTime{}, Secret{}, err
	}
	row, err := s.newRow(ctx, t, p)
	if err != nil {
		return OneTime{}, Secret{}, err
	}
	if err := s.store.AddToken(ctx, row, s.maxLive); err != nil {
		return OneTime{}, Secret{}, fmt.Errorf("token: issue: %w", err)
	}
	return row.OneTime, t.Secret(), nil
}

func (s *Service) newRow(ctx context.Context, t Token, p IssueParams) (Row, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Row{}, fmt.Errorf("token: issue: %w", err)
	}
	now := s.now()
	one := OneTime{
		ID: id.String(), Purpose: p.Purpose, Subject: p.Subject, Tenant: p.Tenant,
		SecurityVersion: p.SecurityVersion, CreatedAt: now, ExpiresAt: now.Add(p.TTL).Truncate(time.Microsecond), Payload: p.Payload,
	}
	v, err := s.hasher.Hash(ctx, t, one.binding())
	if err != nil {
		return Row{}, err
	}
	return Row{OneTime: one, Selector: t.Selector(), Verifier: v}, nil
}

func appendVersion(dst []byte, version int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(version))
}
