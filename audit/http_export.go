package audit

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// ContentTypeLines is the media type of an export.
const ContentTypeLines = "application/x-ndjson"

// endOfExport is the last line: an export without it broke off.
type endOfExport struct {
	End endCount `json:"end"`
}

type endCount struct {
	Items int64 `json:"items"`
}

// stallFor is how long a client may take to read what was written before the rest is
// written.
const stallFor = 30 * time.Second

// Export answers GET audit/export: a line of JSON for each entry, and a last one,
// {"end":{"items":n}}, which says that it is all there. What is in memory does not
// grow with it.
func (h *Handler) Export(w http.ResponseWriter, r *http.Request) {
	var query exportQuery
	err := route.DecodeQuery(r, &query)
	var s scope
	if err == nil {
		s, err = h.scope(r, query.OrganizationID, true)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	lines := &lineWriter{w: w}
	// However long all of it takes: the server's limit is for answers, not for streams.
	// Whoever does not read is hung up on instead.
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // what cannot, has none
	lines.stalled = time.AfterFunc(h.stallFor, func() { _ = control.SetWriteDeadline(time.Unix(1, 0)) })
	defer lines.stalled.Stop()
	lines.stallFor = h.stallFor
	n, err := h.svc.Export(s.context(r.Context()), query.query(s), func(record Record) error { return lines.write(newEntryResponse(record)) })
	if err == nil {
		err = lines.write(endOfExport{endCount{n}})
	}
	if err == nil {
		err = lines.buffer.Flush()
	}
	if err != nil && lines.buffer == nil {
		problem.Write(w, r, err)
	} else if err != nil {
		h.cfg.Logger.WarnContext(r.Context(), "audit: an export broke off", slog.Int64("items", n), slog.Any("error", err))
	}
}

// lineWriter begins the answer with its first line, so that until then an error is an
// answer of its own.
type lineWriter struct {
	w        http.ResponseWriter
	buffer   *bufio.Writer
	encoder  *json.Encoder
	stalled  *time.Timer
	stallFor time.Duration
}

func (l *lineWriter) write(v any) error {
	if l.buffer == nil {
		header := l.w.Header()
		header.Set("Content-Type", ContentTypeLines)
		header.Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		l.buffer = bufio.NewWriter(l.w)
		l.encoder = json.NewEncoder(l.buffer)
	}
	l.stalled.Reset(l.stallFor)
	return l.encoder.Encode(v)
}
