package principal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/slogtest"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

func TestLogHandlerIsASlogHandler(t *testing.T) {
	var buf bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		buf.Reset()
		return principal.NewLogHandler(slog.NewJSONHandler(&buf, nil))
	}, func(t *testing.T) map[string]any { return decode(t, buf.Bytes()) })
}

// callerContext has every id.
func callerContext(ctx context.Context) context.Context {
	return problem.NewRequestIDContext(principal.NewContext(ctx, &principal.Principal{
		UserID: "u", OrganizationID: "o", SessionID: "s", APIKeyID: "k", ImpersonatorID: "i",
	}), "r")
}

// TestLogHandlerWithIDsIsASlogHandler runs slogtest with a caller in every ctx.
func TestLogHandlerWithIDsIsASlogHandler(t *testing.T) {
	var buf bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		buf.Reset()
		return inContext{principal.NewLogHandler(slog.NewJSONHandler(&buf, nil))}
	}, func(t *testing.T) map[string]any {
		line := decode(t, buf.Bytes())
		assert.Equal(t, line["user_id"], any("u"))
		return line
	})
}

// inContext logs everything in the caller's context.
type inContext struct{ slog.Handler }

func (h inContext) Handle(ctx context.Context, r slog.Record) error {
	return h.Handler.Handle(callerContext(ctx), r)
}

func (h inContext) WithAttrs(a []slog.Attr) slog.Handler { return inContext{h.Handler.WithAttrs(a)} }

func (h inContext) WithGroup(n string) slog.Handler { return inContext{h.Handler.WithGroup(n)} }

func TestLogHandlerKeepsIDsAtTheTopLevel(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	ctx := callerContext(t.Context())
	base := slog.New(principal.NewLogHandler(slog.NewJSONHandler(&buf, nil))).With("a", 1)
	logger := base.WithGroup("g").With("b", 2).WithGroup("h")
	for want, l := range map[string]*slog.Logger{
		`"g":{"b":2,"h":{"c":3}}`: logger,
		`"a":1,"c":3,"user_id":`:  base,
	} {
		buf.Reset()
		l.InfoContext(ctx, "text", "c", 3)
		line := decode(t, buf.Bytes())
		for key, id := range map[string]string{
			"user_id": "u", "organization_id": "o", "session_id": "s", "api_key_id": "k", "impersonator_id": "i", "request_id": "r",
		} {
			assert.Equal(t, line[key], any(id))
		}
		assert.Equal(t, line["a"], any(1.0))
		assert.Contains(t, buf.String(), want)
	}
}

func TestLogHandlerLeavesOutWhatIsNotThere(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	logger := slog.New(principal.NewLogHandler(slog.NewJSONHandler(&buf, &slog.HandlerOptions{Level: slog.LevelWarn})))
	logger.InfoContext(t.Context(), "below the level")
	assert.Equal(t, buf.String(), "")
	logger.WarnContext(principal.NewContext(t.Context(), &principal.Principal{UserID: "u"}), "text")
	line := decode(t, buf.Bytes())
	assert.Equal(t, len(line), 4) // time, level, msg, user_id
}

func TestLogHandlerSiblingsShareNothing(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	parent := slog.New(principal.NewLogHandler(slog.NewJSONHandler(&buf, nil))).WithGroup("g").With("a", 1)
	left, right := parent.With("left", 1), parent.With("right", 1)
	ctx := callerContext(t.Context())
	left.InfoContext(ctx, "text")
	assert.NotContains(t, buf.String(), "right")
	buf.Reset()
	right.InfoContext(ctx, "text")
	assert.NotContains(t, buf.String(), "left")
}

func decode(t *testing.T, line []byte) map[string]any {
	t.Helper()
	var m map[string]any
	assert.NoError(t, json.Unmarshal(line, &m))
	return m
}
