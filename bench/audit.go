package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

// audits measures what the trail costs (rule R30): one entry, sealed and signed, beside
// the bare insert of such a row; and a change with its entry, beside the same change
// where no trail is kept.
func audits(ctx context.Context, b *bench) ([]row, error) {
	w, err := b.onPostgres(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.addUsers(ctx, 1); err != nil {
		return nil, err
	}
	owners, err := w.owners(ctx)
	if err != nil {
		return nil, err
	}
	place := owners[0]
	entry, err := b.auditEntry(ctx, w, place)
	if err != nil {
		return nil, err
	}
	change, err := b.auditedChange(ctx, w, place)
	return []row{entry, change}, err
}

func (b *bench) auditEntry(ctx context.Context, w *world, place guest) (row, error) {
	pool, err := b.pool(ctx, w.dsn)
	if err != nil {
		return row{}, err
	}
	query := w.app.DB.Statement(bareAudit).String()
	sealed, hash, mac := make([]byte, 160), make([]byte, 32), make([]byte, 32)
	sides := []side{
		{"the same row", func(ctx context.Context, _ int) error {
			now := time.Now().UTC().Truncate(time.Microsecond)
			_, err := pool.Exec(ctx, query, newID(), place.organization, now, "Benchmarked", place.owner, place.owner, sealed, hash, mac)
			return err
		}},
		{"audit.Service.Record", func(ctx context.Context, _ int) error {
			return w.app.Audit.Record(ctx, audit.Entry{
				Action: "sensitive_update", Event: "Benchmarked", OrganizationID: place.organization, Actor: audit.Actor{UserID: place.owner},
				Target: audit.Target{Type: "organization", ID: place.organization}, UserAgent: userAgent,
				Before: map[string]any{"name": "Bench 1"}, After: map[string]any{"name": "Bench 2"},
			})
		}},
	}
	got, err := contest{rounds: b.rounds, turns: 100, turn: 10, callers: 1}.run(ctx, sides...)
	if err != nil {
		return row{}, err
	}
	return row{
		figure: "Audit entry, postgres",
		bare:   micros(got.per(0)) + ": insert of such a row over pgxpool",
		tenon:  micros(got.per(1)),
		ratio:  got.ratio(1, 0).String(),
	}, nil
}

// auditedChange gives an organization another name, over and over.
func (b *bench) auditedChange(ctx context.Context, w *world, place guest) (row, error) {
	cfg := w.cfg
	cfg.Audit = &tenon.AuditConfig{Off: true}
	silent, err := tenon.New(cfg)
	if err != nil {
		return row{}, err
	}
	caller := &principal.Principal{UserID: place.owner, SessionID: "bench", Assurance: 1}
	rename := func(app *tenon.App) func(context.Context, int) error {
		return func(ctx context.Context, i int) error {
			name := fmt.Sprintf("Bench %d", i)
			_, err := app.Organizations.Update(ctx, tenancy.UpdateParams{Caller: caller, OrganizationID: place.organization, Name: &name})
			return err
		}
	}
	if err := differsBy(ctx, w, rename(silent), 0); err != nil {
		return row{}, err
	}
	if err := differsBy(ctx, w, rename(w.app), 1); err != nil {
		return row{}, err
	}
	got, err := contest{rounds: b.rounds, turns: 50, turn: 10, callers: 1}.run(ctx,
		side{"no trail", rename(silent)}, side{"with its entry", rename(w.app)})
	if err != nil {
		return row{}, err
	}
	return row{
		figure: "Change with its audit entry, postgres",
		bare:   micros(got.per(0)) + ": the same change without a trail",
		tenon:  micros(got.per(1)),
		ratio:  got.ratio(1, 0).String(),
	}, nil
}

// differsBy checks how many entries a change leaves.
func differsBy(ctx context.Context, w *world, op func(context.Context, int) error, want int) error {
	before, err := w.sizes(ctx)
	if err == nil {
		err = op(ctx, -want)
	}
	if err != nil {
		return err
	}
	after, err := w.sizes(ctx)
	if err == nil && after[1]-before[1] != want {
		err = errors.New("the trail is not what the bench says")
	}
	return err
}
