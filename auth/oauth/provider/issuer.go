package provider

import (
	"regexp"
	"strings"
)

const (
	tenantPart     = "{tenantid}"
	consumerTenant = "9188040d-6c67-4c5b-b112-36a304b66dad" // of all personal accounts, says Microsoft
)

var plainTenant = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// tenantIsKnown keeps out names of tenants, which tokens do not carry.
func (p Provider) tenantIsKnown() bool {
	return p.tenant == "common" || p.tenant == "organizations" || p.tenant == "consumers" || plainTenant.MatchString(p.tenant)
}

// issues reports whether iss is this provider's, for a token with those claims. Only Microsoft's depends on them: its
// issuer holds the tenant that the token names, and the configuration says which tenants may.
func (p Provider) issues(iss string, c claims) bool {
	if p.tenant == "" {
		return iss != "" && (iss == p.Issuer || iss == p.issuerAlias)
	}
	tid := c.text("tid")
	return p.admits(tid) && iss == strings.Replace(p.Issuer, tenantPart, tid, 1)
}

// admits reports whether people of the tenant may sign in.
func (p Provider) admits(tid string) bool {
	switch {
	case !plainTenant.MatchString(tid):
		return false
	case p.tenant == "common":
		return true
	case p.tenant == "organizations":
		return tid != consumerTenant
	case p.tenant == "consumers":
		return tid == consumerTenant
	}
	return tid == p.tenant
}

// issuerOf is the first half of the identity: the configured issuer, with the tenant for Microsoft.
func (p Provider) issuerOf(c claims) string {
	if p.tenant == "" {
		return p.Issuer
	}
	return strings.Replace(p.Issuer, tenantPart, c.text("tid"), 1)
}

// keyMaySign holds a key that is said to be a tenant's to tokens of that tenant.
func keyMaySign(keyIssuer string, c claims) bool {
	return keyIssuer == "" || strings.Replace(keyIssuer, tenantPart, c.text("tid"), 1) == c.text("iss")
}

// answers judges the iss of a callback (RFC 9207): it must be there if it was promised, and ours if it is there. An
// OAuth 2 provider that promised nothing may send what it likes, since its issuer is a name that we gave it.
func (p Provider) answers(iss string, promised bool) bool {
	switch {
	case iss == "":
		return !promised
	case !promised && !p.OpenIDConnect():
		return true
	case p.tenant == "":
		return iss == p.Issuer
	}
	before, after, _ := strings.Cut(p.Issuer, tenantPart)
	rest, ok := strings.CutPrefix(iss, before)
	tid, ok2 := strings.CutSuffix(rest, after)
	return ok && ok2 && p.admits(tid)
}
