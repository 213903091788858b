package jwt_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token/jwt"
)

func cut(raw string) (header, payload, signature string) {
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	return header, payload, signature
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	good := newWorld(t)
	for name, change := range map[string]func(*jwt.Config){
		"no sealer": func(c *jwt.Config) { c.Sealer = nil }, "no clock": func(c *jwt.Config) { c.Now = nil },
		"no issuer": func(c *jwt.Config) { c.Issuer = "" }, "issuer with a space": func(c *jwt.Config) { c.Issuer = "a b" },
		"no audience": func(c *jwt.Config) { c.Audience = "" }, "audience not ASCII": func(c *jwt.Config) { c.Audience = "é" },
		"TTL of two hours": func(c *jwt.Config) { c.TTL = 2 * time.Hour }, "negative TTL": func(c *jwt.Config) { c.TTL = -1 },
		"leeway of an hour": func(c *jwt.Config) { c.Leeway = time.Hour }, "negative leeway": func(c *jwt.Config) { c.Leeway = -1 },
		"published too late": func(c *jwt.Config) { c.PublishAhead = 15 * time.Minute }, "rotated before it is published": func(c *jwt.Config) { c.RotateEvery = day },
		"key set without age": func(c *jwt.Config) { c.JWKSMaxAge = -1 }, "cache of a day": func(c *jwt.Config) { c.CacheFor = day },
	} {
		cfg := good.cfg
		change(&cfg)
		_, err := jwt.New(good.store, cfg)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		assert.ErrorIs(t, err, jwt.ErrConfig)
	}
	_, err := jwt.New(nil, good.cfg)
	assert.ErrorIs(t, err, jwt.ErrConfig)
	for _, audience := range []string{site, "a b"} {
		_, err = jwt.NewHandler(good.Service, jwt.HandlerConfig{ThirdPartyAudience: audience})
		assert.ErrorIs(t, err, jwt.ErrConfig)
	}
	_, err = jwt.NewHandler(nil, jwt.HandlerConfig{})
	assert.ErrorIs(t, err, jwt.ErrConfig)
}

// Mint refuses what Verify would: a mistake shows where it is made.
func TestMintRefusesWhatVerifyWould(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.Now()
	for name, change := range map[string]func(*jwt.Claims){
		"no subject": func(c *jwt.Claims) { c.Subject = "" }, "long subject": func(c *jwt.Claims) { c.Subject = strings.Repeat("a", 256) },
		"subject not UTF-8": func(c *jwt.Claims) { c.Subject = "\xff" }, "no session": func(c *jwt.Claims) { c.SessionID = "" }, "long session": func(c *jwt.Claims) { c.SessionID = strings.Repeat("a", 256) },
		"long id": func(c *jwt.Claims) { c.ID = strings.Repeat("a", 256) }, "negative epoch": func(c *jwt.Claims) { c.Epoch = -1 }, "epoch beyond exact": func(c *jwt.Claims) { c.Epoch = 1 << 53 },
		"in the future": func(c *jwt.Claims) { c.IssuedAt = now.Add(time.Minute) }, "over already": func(c *jwt.Claims) { c.IssuedAt = now.Add(-time.Hour); c.ExpiresAt = now.Add(-time.Minute) },
		"two hours": func(c *jwt.Claims) { c.ExpiresAt = now.Add(2 * time.Hour) }, "backwards": func(c *jwt.Claims) { c.ExpiresAt = now.Add(-time.Minute) },
	} {
		c := w.claims()
		change(&c)
		secret, err := w.Mint(t.Context(), c)
		if err == nil || !secret.IsZero() {
			t.Errorf("%s: accepted", name)
			continue
		}
		assert.ErrorIs(t, err, jwt.ErrClaims)
		assert.Equal(t, problem.KindOf(err), problem.Internal)
	}
	_, err := w.MintFor(t.Context(), "https://api.example.org", "")
	assert.ErrorIs(t, err, jwt.ErrClaims)
	// A session that ends within this second still gets a token.
	c := w.claims()
	c.ExpiresAt = now.Add(time.Millisecond)
	_, err = w.Verify(t.Context(), mint(t, w.Service, c))
	assert.NoError(t, err)
}
