package principal

import (
	"context"
	"log/slog"
	"slices"

	"github.com/tenon-go/tenon/problem"
)

// NewLogHandler returns a handler that adds user_id, organization_id,
// session_id, api_key_id, impersonator_id and request_id, those of them that the
// record's ctx has, and passes everything on to next. They stay at the top level
// even for a logger made by WithGroup. None of them opens anything.
func NewLogHandler(next slog.Handler) slog.Handler {
	return &logHandler{root: next, next: next}
}

// logHandler keeps the handler as it was before the first group was opened, and
// what was done to it since: an attribute can be put beside a group only before
// the group is opened.
type logHandler struct {
	root  slog.Handler
	since []func(slog.Handler) slog.Handler
	next  slog.Handler // root with since applied
}

// Enabled asks the handler behind.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes the record on with the ids that ctx carries.
func (h *logHandler) Handle(ctx context.Context, rec slog.Record) error {
	ids := idsOf(ctx)
	if len(ids) == 0 {
		return h.next.Handle(ctx, rec)
	}
	if len(h.since) == 0 {
		rec = rec.Clone()
		rec.AddAttrs(ids...)
		return h.next.Handle(ctx, rec)
	}
	next := h.root.WithAttrs(ids)
	for _, step := range h.since {
		next = step(next)
	}
	return next.Handle(ctx, rec)
}

// WithAttrs returns a handler that adds attrs to every record, inside the groups
// opened before.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	with := func(n slog.Handler) slog.Handler { return n.WithAttrs(attrs) }
	if len(h.since) == 0 {
		return NewLogHandler(with(h.root))
	}
	return h.then(with)
}

// WithGroup returns a handler that puts what follows into a group.
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.then(func(n slog.Handler) slog.Handler { return n.WithGroup(name) })
}

func (h *logHandler) then(step func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{
		root:  h.root,
		since: append(slices.Clip(h.since), step),
		next:  step(h.next),
	}
}

// idsOf returns the ids that ctx has, in a fixed order.
func idsOf(ctx context.Context) []slog.Attr {
	var ids []slog.Attr
	add := func(key, id string) {
		if id != "" {
			ids = append(ids, slog.String(key, id))
		}
	}
	if p := callerOf(ctx); p != nil {
		add("user_id", p.UserID)
		add("organization_id", p.OrganizationID)
		add("session_id", p.SessionID)
		add("api_key_id", p.APIKeyID)
		add("impersonator_id", p.ImpersonatorID)
	}
	add("request_id", problem.RequestID(ctx))
	return ids
}
