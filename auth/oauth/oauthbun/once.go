package oauthbun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/bundb"
)

type attachmentModel struct {
	bun.BaseModel `bun:"table:tenon_oauth_attachments"`

	SignUpID  string    `bun:"sign_up_id,pk"`
	LinkID    string    `bun:"link_id"`
	Provider  string    `bun:"provider"`
	Issuer    string    `bun:"issuer"`
	Subject   string    `bun:"subject"`
	Email     string    `bun:"email"`
	CreatedAt time.Time `bun:"created_at"`
	ExpiresAt time.Time `bun:"expires_at"`
}

// AddAttachment implements oauth.AttachmentStore.
func (s *Store) AddAttachment(ctx context.Context, a oauth.Attachment) error {
	m := &attachmentModel{
		SignUpID: a.SignUpID, LinkID: a.LinkID, Provider: a.Provider, Issuer: a.Identity.Issuer, Subject: a.Identity.Subject,
		Email: a.Email, CreatedAt: a.CreatedAt.UTC(), ExpiresAt: a.ExpiresAt.UTC(),
	}
	_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(m).Exec(ctx)
	return bundb.Wrap("oauthbun: add an attachment", err)
}

// ClaimAttachment implements oauth.AttachmentStore.
func (s *Store) ClaimAttachment(ctx context.Context, signUpID string, now time.Time) (oauth.Attachment, error) {
	var a oauth.Attachment
	err := s.attachment.QueryRow(ctx, signUpID, now).Scan(&a.SignUpID, &a.LinkID, &a.Provider, &a.Identity.Issuer, &a.Identity.Subject,
		&a.Email, bundb.ScanTime(&a.CreatedAt), bundb.ScanTime(&a.ExpiresAt))
	if errors.Is(err, sql.ErrNoRows) {
		return oauth.Attachment{}, oauth.ErrNotFound
	}
	if err != nil {
		return oauth.Attachment{}, bundb.Wrap("oauthbun: claim an attachment", err)
	}
	return a, nil
}

// PruneAttachments implements oauth.AttachmentStore.
func (s *Store) PruneAttachments(ctx context.Context, now time.Time, limit int) (int, error) {
	n, err := s.prune(ctx, "tenon_oauth_attachments", "sign_up_id", now, limit)
	return n, bundb.Wrap("oauthbun: prune attachments", err)
}

// SpendIDToken implements oauth.IDTokenStore.
func (s *Store) SpendIDToken(ctx context.Context, hash []byte, expiresAt time.Time) error {
	n, err := affected(s.spend.Exec(ctx, hash, expiresAt))
	if err == nil && n == 0 {
		return oauth.ErrTokenSpent
	}
	return bundb.Wrap("oauthbun: spend an ID token", err)
}

// PruneIDTokens implements oauth.IDTokenStore.
func (s *Store) PruneIDTokens(ctx context.Context, now time.Time, limit int) (int, error) {
	n, err := s.prune(ctx, "tenon_oauth_id_tokens", "hash", now, limit)
	return n, bundb.Wrap("oauthbun: prune ID tokens", err)
}
