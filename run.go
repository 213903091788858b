package tenon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// maintainEvery is how often Run deletes what has run out.
const maintainEvery = time.Hour

// Run does the work behind the requests until ctx ends: it sends mail, seals the audit trail, renews
// cached keys, lets the keys of access tokens take their turn and deletes what has run out. It returns at once if the keys of
// the database can't be opened or its row security would not hold, and nil after ctx has ended and the mail at hand
// is sent. Run it beside the server, in one process or in many.
func (a *App) Run(ctx context.Context) error {
	err := a.checkSecured(ctx)
	if err == nil {
		err = a.initKeys(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("tenon: run: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.queue.Run(ctx) })
	group.Go(func() error { return a.Keys.Run(ctx) })
	group.Go(func() error { return a.maintainLoop(ctx) })
	group.Go(func() error { return a.runSessionCache(ctx) })
	group.Go(func() error { return a.runAudit(a.DB.AsSystem(ctx)) })
	return group.Wait()
}

func (a *App) maintainLoop(ctx context.Context) error {
	ticker := time.NewTicker(maintainEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := a.Maintain(ctx); err != nil && ctx.Err() == nil {
				a.cfg.Logger.ErrorContext(ctx, "tenon: maintenance failed and is tried again later", "error", err)
			}
		}
	}
}

// Drain does what is due now, sends mail and seals the audit trail, and returns. Hosts without a
// place for Run call it after requests; tests call it to be done with mail.
func (a *App) Drain(ctx context.Context) error {
	if err := errors.Join(a.queue.Drain(ctx), a.drainAudit(a.DB.AsSystem(ctx))); err != nil {
		return fmt.Errorf("tenon: drain: %w", err)
	}
	return nil
}

// Maintain deletes what has run out, in batches, and lets the next key of access
// tokens take its turn. Run calls it every hour.
func (a *App) Maintain(ctx context.Context) error {
	ctx = a.DB.AsSystem(ctx)
	for _, maintain := range []func(context.Context) error{
		a.Auth.Maintain, a.Passwordless.Maintain, a.TwoFactor.Maintain, a.Sessions.Maintain, a.tokens.Maintain, a.Keys.Maintain, a.AccessTokens.Maintain, a.Notifications.Maintain, a.maintainAudit, a.features.maintain,
	} {
		if err := maintain(ctx); err != nil {
			return fmt.Errorf("tenon: maintain: %w", err)
		}
	}
	return nil
}
