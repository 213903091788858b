package audit

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/tenon-go/tenon/internal/cursor"
)

// The bounds of [Service.VerifyPage] and [Service.VerifyChain].
const (
	defaultChains = 10
	maxChains     = 100
	// maxVerified is how many rows one call looks at.
	maxVerified = 20_000
)

// positionParts is how many strings the position of a cursor has: an organization, and
// the number and the link of a [Place].
const positionParts = 3

// VerifyPage verifies some chains, 10 for a limit of 0 and 100 at most, in the order of
// the organizations, from the cursor on or, with an empty one, from the first. One call
// looks at 20,000 rows at most: the last report may be on a part of its chain, which the
// first of the next page goes on with. next is the cursor of the next page, empty on the
// last. Errors: cursor.ErrInvalid, those of Verify.
func (s *Service) VerifyPage(ctx context.Context, limit int, after string) (reports []Report, next string, err error) {
	if limit <= 0 {
		limit = defaultChains
	}
	limit = min(limit, maxChains)
	scope := cursor.Scope{"verify"}
	last, place, err := s.decodePlace(ctx, scope, after)
	if err != nil {
		return nil, "", err
	}
	var chains []Chain
	if place.Seq > 0 {
		chains = []Chain{{OrganizationID: last}}
	}
	further, err := s.store.Chains(ctx, last, after != "", limit+1-len(chains))
	if err != nil {
		return nil, "", fmt.Errorf("audit: verify: %w", err)
	}
	chains = append(chains, further...)
	more := len(chains) > limit
	chains = chains[:min(limit, len(chains))]
	left := s.verified
	for i, c := range chains {
		report, err := s.Verify(ctx, VerifyParams{OrganizationID: c.OrganizationID, From: place, Limit: left})
		if err != nil {
			return nil, "", err
		}
		reports, left, place = append(reports, report), left-report.Checked, report.Next
		more = more || i < len(chains)-1 && left <= 0
		if place.Seq > 0 || more && (left <= 0 || i == len(chains)-1) {
			next, err = s.encodePlace(ctx, scope, c.OrganizationID, place)
			return reports, next, err
		}
	}
	return reports, "", nil
}

// VerifyChain is Verify for one chain in parts of 20,000 rows at most, from the cursor
// on or, with an empty one, from the beginning; From and Limit of p are not used. next is
// the cursor of the next part, empty on the last. Errors: cursor.ErrInvalid, those of
// Verify.
func (s *Service) VerifyChain(ctx context.Context, p VerifyParams, after string) (report Report, next string, err error) {
	scope := cursor.Scope{"verify-chain", p.OrganizationID}
	if _, p.From, err = s.decodePlace(ctx, scope, after); err != nil {
		return Report{}, "", err
	}
	p.Limit = s.verified
	if report, err = s.Verify(ctx, p); err == nil && report.Next.Seq > 0 {
		next, err = s.encodePlace(ctx, scope, p.OrganizationID, report.Next)
	}
	return report, next, err
}

func (s *Service) encodePlace(ctx context.Context, scope cursor.Scope, organizationID string, p Place) (string, error) {
	text, err := s.cursors.Encode(ctx, scope, organizationID, strconv.FormatInt(p.Seq, 10), base64.RawStdEncoding.EncodeToString(p.Link))
	if err != nil {
		return "", fmt.Errorf("audit: verify: %w", err)
	}
	return text, nil
}

func (s *Service) decodePlace(ctx context.Context, scope cursor.Scope, text string) (organizationID string, p Place, err error) {
	if text == "" {
		return "", Place{}, nil
	}
	position, err := s.cursors.Decode(ctx, scope, text, positionParts)
	if err != nil {
		return "", Place{}, fmt.Errorf("audit: verify: %w", err)
	}
	p.Seq, err = strconv.ParseInt(position[1], 10, 64)
	if err == nil {
		p.Link, err = base64.RawStdEncoding.DecodeString(position[2])
	}
	if err != nil {
		return "", Place{}, cursor.ErrInvalid.With(err)
	}
	return position[0], p, nil
}
