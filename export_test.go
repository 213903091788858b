package tenon

import (
	"context"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/ratelimit"
)

// FirstFactors returns the patterns that the table marks as first factors.
func (a *App) FirstFactors() map[string]bool {
	marked := map[string]bool{}
	for _, r := range a.routes() {
		if r.FirstFactor {
			marked[r.Pattern()] = true
		}
	}
	return marked
}

// LimitClasses returns the class of limits of each public route.
func (a *App) LimitClasses() map[string]string {
	classes := map[string]string{}
	for _, r := range a.routes() {
		if r.Access == route.Public {
			classes[r.Pattern()] = r.LimitClass()
		}
	}
	return classes
}

// PollSessionCache does what Run does every half second.
func (a *App) PollSessionCache(ctx context.Context) error { return a.sessionCache.Poll(ctx) }

// DeviceRule is what a known device may ask where its network has used up its part.
func DeviceRule() ratelimit.Rule { return deviceRule() }

// Routes returns the table of all routes.
func (a *App) Routes() route.Table { return a.routes() }

// AuditHooks are those that write the audit trail, by package.
func (a *App) AuditHooks() map[string]any {
	return map[string]any{
		"auth": a.auditAuth(), "session": a.auditSessions(), "tenancy": a.auditOrganizations(),
		"invitation": a.auditInvitations(), "team": a.auditTeams(),
	}
}
