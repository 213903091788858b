package jwt_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/token/jwt"
)

// FuzzVerify looks for text that Verify takes although the service did not mint it, for claims beside an error, for
// other errors than the one, and for panics. The signature of the golden token is right, so the fuzzer starts behind it.
func FuzzVerify(f *testing.F) {
	w := hostileWorld(f)
	for _, seed := range []string{
		goldenToken, goldenToken + ".", "..", ".", "", "a.b.c", strings.Repeat(".", 9000), forge(f, goodHeader, payload(f, nil)),
		forge(f, `{"alg":"none","kid":"`+rfcKID+`","typ":"at+jwt"}`, payload(f, nil)), forge(f, goodHeader, "{}"), forge(f, goodHeader+"x", "x"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		claims, err := w.Verify(t.Context(), raw)
		switch {
		case err == nil && raw != goldenToken && raw != forge(t, goodHeader, payload(t, nil)):
			t.Fatalf("accepted: %q", raw)
		case err != nil && (claims != (jwt.Claims{}) || !errors.Is(err, jwt.ErrInvalid)):
			t.Fatalf("%+v, %v", claims, err)
		}
	})
}

// FuzzClaims signs what the fuzzer writes, so that it reaches what is read behind the signature.
func FuzzClaims(f *testing.F) {
	w := hostileWorld(f)
	for _, seed := range []string{payload(f, nil), "{}", "[]", `{"exp":1e9}`, `{"exp":1,"exp":2}`, payload(f, map[string]any{"nbf": 1})} {
		f.Add(goodHeader, seed)
	}
	f.Add(`{"alg":"none"}`, payload(f, nil))
	f.Fuzz(func(t *testing.T, header, body string) {
		claims, err := w.Verify(t.Context(), forge(t, header, body))
		switch {
		case err != nil && (claims != (jwt.Claims{}) || !errors.Is(err, jwt.ErrInvalid)):
			t.Fatalf("%+v, %v", claims, err)
		case err == nil && (claims.Subject == "" || claims.SessionID == "" || claims.ID == "" || claims.Epoch < 0):
			t.Fatalf("accepted without a claim: %+v", claims)
		case err == nil && (!w.clock.Now().Before(claims.ExpiresAt) || claims.ExpiresAt.Sub(claims.IssuedAt) > jwt.MaxTTL+1e9):
			t.Fatalf("accepted out of its time: %+v", claims)
		}
	})
}
