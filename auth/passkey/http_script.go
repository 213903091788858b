package passkey

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"time"
)

// PathScript is where the script for pages is, relative to the mount.
const PathScript = "/passkey/script.js"

//go:embed script.js
var script []byte

// Script answers GET /passkey/script.js: what a page needs to use passkeys, for
// hosts that write their pages themselves. It has no other code in it and needs no
// inline script, so that the policy script-src 'self' suffices; its head says how a
// page marks its forms. Browsers ask every time whether it changed.
func (h *Handler) Script(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256(script)
	for name, value := range map[string]string{
		"Content-Type": "text/javascript; charset=utf-8", "X-Content-Type-Options": "nosniff",
		"Cache-Control": "no-cache", "Etag": `"` + hex.EncodeToString(sum[:16]) + `"`,
	} {
		w.Header().Set(name, value)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(script))
}
