package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tenon-go/tenon/notify"
)

// notifications measures Send, in a transaction of its own that holds the recipients and
// asks what they want to hear of, beside one bare insert of the same rows.
func notifications(ctx context.Context, b *bench) ([]row, error) {
	w, err := b.onPostgres(ctx)
	if err != nil {
		return nil, err
	}
	guests, err := w.inviteGuests(ctx, 1000, 1)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, n := range []int{1, 100} {
		r, err := b.notification(ctx, w, guests, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (b *bench) notification(ctx context.Context, w *world, guests []guest, n int) (row, error) {
	pool, err := b.pool(ctx, w.dsn)
	if err != nil {
		return row{}, err
	}
	query := w.app.DB.Statement(`INSERT INTO tenon_notifications
  (id, user_id, category, type, organization_id, dedupe_key, title, body, link, data, in_app, created_at, read_at)
VALUES (` + strings.Repeat("?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), (", n-1) + `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (user_id, organization_id, dedupe_key) DO NOTHING RETURNING id`).String()
	const title, body, link = "Somebody answered you", "What they said is long enough to be cut in a list, and short enough to be read.", "/posts/42"
	groups := len(guests) / n
	sides := []side{
		{"the same rows", func(ctx context.Context, i int) error {
			now := time.Now().UTC().Truncate(time.Microsecond)
			args := make([]any, 0, 13*n)
			for _, g := range guests[i%groups*n : (i%groups+1)*n] {
				id := newID()
				args = append(args, id, g.id, notify.CategoryOrganization, "bench.sent", g.organization, id, title, body, link, "{}", true, now, nil)
			}
			tag, err := pool.Exec(ctx, query, args...)
			if err == nil && tag.RowsAffected() != int64(n) {
				err = fmt.Errorf("%d rows for %d recipients", tag.RowsAffected(), n)
			}
			return err
		}},
		{"notify.Service.Send", func(ctx context.Context, i int) error {
			to := make([]string, 0, n)
			for _, g := range guests[i%groups*n : (i%groups+1)*n] {
				to = append(to, g.id)
			}
			return w.app.Notifications.Send(ctx, notify.Notification{
				Category: notify.CategoryOrganization, Type: "bench.sent", OrganizationID: guests[0].organization, Recipients: to,
				Title: title, Body: body, Link: link, Data: map[string]any{},
			})
		}},
	}
	got, err := contest{rounds: b.rounds, turns: 40, turn: max(1, 20/n), callers: 1}.run(ctx, sides...)
	if err != nil {
		return row{}, err
	}
	return row{
		figure: "Notification of " + plural(n, "recipient") + ", postgres",
		bare:   micros(got.per(0)) + ": one insert over pgxpool",
		tenon:  micros(got.per(1)) + ", five round trips",
		ratio:  got.ratio(1, 0).String(),
	}, nil
}
