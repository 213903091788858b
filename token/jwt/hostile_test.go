package jwt_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token/jwt"
)

const goodHeader = `{"alg":"EdDSA","kid":"` + rfcKID + `","typ":"at+jwt"}`

// forge signs anything with the service's own key.
func forge(t testing.TB, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(unb64(t, rfcSeed)), []byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// payload is that of the golden token with changes: a nil takes a claim out, and
// json.RawMessage is written as it is.
func payload(t testing.TB, change map[string]any) string {
	t.Helper()
	c := goldenClaims()
	members := map[string]any{
		"iss": site, "aud": site, "sub": c.Subject, "sid": c.SessionID, "epoch": c.Epoch,
		"iat": c.IssuedAt.Unix(), "exp": c.ExpiresAt.Unix(), "jti": c.ID,
	}
	for name, value := range change {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	return string(assert.Must(json.Marshal(members))(t))
}

func hostileWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, fixedKey(t))
	assert.NoError(t, w.Init(t.Context()))
	_, err := w.Verify(t.Context(), forge(t, goodHeader, payload(t, nil)))
	assert.NoError(t, err) // what the tests change is good to begin with
	return w
}

// RFC 8725 §2.1, §3.1: none, HMAC under the public key, and every other name.
func TestRFC8725_AlgorithmConfusion(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	good := payload(t, nil)
	for _, alg := range []string{
		"none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES256K", "Ed25519", "Ed448",
		"eddsa", "EDDSA", "EdDSA ", " EdDSA", "EdDSA\x00", "dir", "RSA1_5", "PBES2-HS256+A128KW", "ML-DSA-65",
	} {
		header := fmt.Sprintf(`{"alg":%s,"kid":"%s","typ":"at+jwt"}`, assert.Must(json.Marshal(alg))(t), rfcKID)
		refused(t, w.Service, "signed, alg "+alg, forge(t, header, good))
		refused(t, w.Service, "unsigned, alg "+alg, b64(header)+"."+b64(good)+".")
	}
	for name, secret := range map[string][]byte{
		"the public key": unb64(t, rfcX), "its text": []byte(rfcX), "the key set": []byte(goldenJWKS), "the key id": []byte(rfcKID),
		"nothing": make([]byte, sha256.BlockSize), // what HMAC makes of no key, which FIPS 140 does not let us ask for
	} {
		for _, alg := range []string{"HS256", "EdDSA"} {
			input := b64(fmt.Sprintf(`{"alg":"%s","kid":"%s","typ":"at+jwt"}`, alg, rfcKID)) + "." + b64(good)
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(input))
			sum := mac.Sum(nil)
			refused(t, w.Service, alg+" under "+name, input+"."+base64.RawURLEncoding.EncodeToString(sum))
			refused(t, w.Service, alg+" under "+name+", twice as long", input+"."+base64.RawURLEncoding.EncodeToString(append(sum, sum...)))
		}
	}
}

// RFC 8725 §3.10: a token does not say which key verifies it, but by a name that we know.
func TestRFC8725_HeadersBeyondTheAllowList(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	attacker := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	x := base64.RawURLEncoding.EncodeToString(attacker.Public().(ed25519.PublicKey))
	for _, extra := range []string{
		`"jku":"https://evil.example/jwks"`, `"jwk":{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}`, `"x5u":"https://evil.example/x"`,
		`"x5c":["MIIB"]`, `"x5t":"x"`, `"x5t#S256":"x"`, `"crit":["exp"]`, `"crit":[]`, `"crit":["b64"],"b64":false`, `"b64":false`, `"b64":true`,
		`"zip":"DEF"`, `"cty":"JWT"`, `"p2c":2147483647`, `"p2s":"x"`, `"enc":"A256GCM"`, `"epk":{}`, `"iv":"x"`, `"tag":"x"`, `"nonce":"x"`,
		`"iss":"` + site + `"`, `"exp":9999999999`, `"url":"x"`, `"":""`, `"KID":"` + rfcKID + `"`, `"Alg":"EdDSA"`,
	} {
		header := `{"alg":"EdDSA","kid":"` + rfcKID + `","typ":"at+jwt",` + extra + `}`
		refused(t, w.Service, extra, forge(t, header, payload(t, nil)))
		input := b64(header) + "." + b64(payload(t, nil))
		refused(t, w.Service, extra+" by an attacker", input+"."+base64.RawURLEncoding.EncodeToString(ed25519.Sign(attacker, []byte(input))))
	}
}

func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	kid := `"kid":"` + rfcKID + `"`
	for name, header := range map[string]string{
		"nothing": `{}`, "array": `["alg","EdDSA"]`, "null": `null`, "string": `"EdDSA"`, "number": `1`, "not JSON": `{alg:EdDSA}`,
		"no alg": `{` + kid + `,"typ":"at+jwt"}`, "alg null": `{"alg":null,` + kid + `,"typ":"at+jwt"}`, "alg list": `{"alg":["EdDSA"],` + kid + `,"typ":"at+jwt"}`,
		"no typ": `{"alg":"EdDSA",` + kid + `}`, "typ JWT": `{"alg":"EdDSA",` + kid + `,"typ":"JWT"}`, "typ in capitals": `{"alg":"EdDSA",` + kid + `,"typ":"AT+JWT"}`,
		"long typ": `{"alg":"EdDSA",` + kid + `,"typ":"application/at+jwt"}`, "typ number": `{"alg":"EdDSA",` + kid + `,"typ":1}`, "id token": `{"alg":"EdDSA",` + kid + `,"typ":"id+jwt"}`,
		"no kid": `{"alg":"EdDSA","typ":"at+jwt"}`, "kid null": `{"alg":"EdDSA","kid":null,"typ":"at+jwt"}`, "kid number": `{"alg":"EdDSA","kid":0,"typ":"at+jwt"}`,
		"kid empty": `{"alg":"EdDSA","kid":"","typ":"at+jwt"}`, "kid list": `{"alg":"EdDSA","kid":["` + rfcKID + `"],"typ":"at+jwt"}`,
		"kid path": `{"alg":"EdDSA","kid":"../../../../dev/null","typ":"at+jwt"}`, "kid SQL": `{"alg":"EdDSA","kid":"' OR 1=1 --","typ":"at+jwt"}`,
		"kid with a space": `{"alg":"EdDSA","kid":"` + rfcKID + ` ","typ":"at+jwt"}`, "kid shorter": `{"alg":"EdDSA","kid":"` + rfcKID[:42] + `","typ":"at+jwt"}`,
		"kid with spare bits": `{"alg":"EdDSA","kid":"` + rfcKID[:42] + `5","typ":"at+jwt"}`, "kid NUL": `{"alg":"EdDSA","kid":"` + rfcKID[:42] + `\u0000","typ":"at+jwt"}`,
		"alg twice": `{"alg":"none","alg":"EdDSA",` + kid + `,"typ":"at+jwt"}`, "alg twice, other order": `{"alg":"EdDSA","alg":"none",` + kid + `,"typ":"at+jwt"}`,
		"the same twice": `{"alg":"EdDSA","alg":"EdDSA",` + kid + `,"typ":"at+jwt"}`, "twice by escapes": `{"alg":"EdDSA","\u0061lg":"EdDSA",` + kid + `,"typ":"at+jwt"}`,
		"names in capitals": `{"ALG":"EdDSA","KID":"` + rfcKID + `","TYP":"at+jwt"}`, "Kelvin sign": `{"alg":"EdDSA","` + "\u212a" + `id":"` + rfcKID + `","typ":"at+jwt"}`,
		"two objects": goodHeader + goodHeader, "something after it": goodHeader + "x", "a comma after it": goodHeader + ",", "byte order mark": "\ufeff" + goodHeader,
		"trailing comma": strings.Replace(goodHeader, "}", ",}", 1), "not UTF-8": strings.Replace(goodHeader, "at+jwt", "at+jwt\xff", 1), "NUL after it": goodHeader + "\x00",
		"too long": strings.Replace(goodHeader, "{", "{"+strings.Repeat(" ", 300), 1), "deep": `{"alg":` + strings.Repeat("[", 5000),
	} {
		refused(t, w.Service, name, forge(t, header, payload(t, nil)))
	}
}

func TestHostileClaims(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	now, raw := w.clock.Now().Unix(), func(s string) json.RawMessage { return json.RawMessage(s) }
	cases := map[string]map[string]any{
		"another issuer": {"iss": "https://evil.example"}, "issuer with a slash": {"iss": site + "/"}, "issuer in a list": {"iss": []string{site}},
		"another audience": {"aud": "https://api.example.com"}, "ours in a list": {"aud": []string{site}}, "ours among others": {"aud": []string{site, "https://evil.example"}},
		"audience object": {"aud": map[string]any{site: true}}, "audience in capitals": {"aud": strings.ToUpper(site)},
		"expired": {"exp": now - 1}, "expires now": {"exp": now, "iat": now - 60}, "text as exp": {"exp": fmt.Sprint(now + 60)}, "fraction": {"exp": raw(fmt.Sprint(now+60) + ".5")},
		"zero fraction": {"exp": raw(fmt.Sprint(now+60) + ".0")}, "exponent": {"exp": raw("2e9")}, "negative": {"exp": -1}, "huge": {"exp": raw("99999999999999999999")},
		"beyond exact": {"exp": 1 << 53}, "milliseconds": {"exp": (now + 60) * 1000}, "exp before iat": {"iat": now + 3, "exp": now + 2}, "no life": {"iat": now + 2, "exp": now + 2},
		"life of two hours": {"exp": now + 7200}, "life of an hour and two seconds": {"iat": now, "exp": now + 3602}, "long ago": {"iat": 0},
		"made in the future": {"iat": now + 6, "exp": now + 60}, "negative iat": {"iat": -5}, "minus zero": {"iat": raw("-0")}, "not yet": {"nbf": now + 6},
		"nbf text": {"nbf": "0"}, "nbf null": {"nbf": raw("null")}, "nbf list": {"nbf": []int{0}},
		"negative epoch": {"epoch": -1}, "text as epoch": {"epoch": "7"}, "epoch fraction": {"epoch": raw("7.0")}, "epoch true": {"epoch": true}, "epoch too large": {"epoch": 1 << 53},
		"sub number": {"sub": 1}, "sub too long": {"sub": strings.Repeat("a", 256)}, "sub list": {"sub": []string{"a"}}, "sid object": {"sid": map[string]any{}}, "jti number": {"jti": 1},
	}
	for _, name := range []string{"iss", "aud", "sub", "sid", "epoch", "iat", "exp", "jti"} {
		cases[name+" missing"], cases[name+" null"] = map[string]any{name: nil}, map[string]any{name: raw("null")}
		cases[name+" empty"], cases[name+" false"] = map[string]any{name: ""}, map[string]any{name: false}
	}
	for name, change := range cases {
		refused(t, w.Service, name, forge(t, goodHeader, payload(t, change)))
	}
	good := payload(t, nil)
	for name, body := range map[string]string{
		"array": "[" + good + "]", "null": "null", "text": `"x"`, "nothing": "", "two": good + good, "junk after it": good + "x", "byte order mark": "\ufeff" + good,
		"comma": strings.Replace(good, "}", ",}", 1), "not UTF-8": strings.Replace(good, "https", "http\xff", 1), "subject not UTF-8": strings.Replace(good, `"sub":"`, `"sub":"`+"\xff", 1), "unknown claim not UTF-8": `{"x":"` + "\xff" + `",` + good[1:], "exp in capitals": strings.Replace(good, `"exp"`, `"EXP"`, 1),
		"cut": good[:len(good)-1], "deep": `{"x":` + strings.Repeat("[", 5000) + "}", "NUL": good + "\x00", "long s": strings.Replace(good, `"sub"`, `"`+"\u017f"+`ub"`, 1),
	} {
		refused(t, w.Service, name, forge(t, goodHeader, body))
	}
}

// RFC 7519 §4: a name that is there twice is read differently by different readers.
func TestDuplicateClaims(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	good := payload(t, nil)
	var members map[string]json.RawMessage
	assert.NoError(t, json.Unmarshal([]byte(good), &members))
	assert.Equal(t, len(members), 8)
	for name, value := range members {
		for _, twice := range []string{
			fmt.Sprintf(`{"%s":%s,%s`, name, value, good[1:]), fmt.Sprintf(`{"%s":null,%s`, name, good[1:]),
			fmt.Sprintf(`%s,"%s":%s}`, good[:len(good)-1], name, value), fmt.Sprintf(`{"\u00%x%s":%s,%s`, name[0], name[1:], value, good[1:]),
		} {
			assert.True(t, json.Valid([]byte(twice)), twice)
			refused(t, w.Service, twice, forge(t, goodHeader, twice))
		}
	}
	refused(t, w.Service, "an unknown one", forge(t, goodHeader, `{"x":1,"x":1,`+good[1:]))
}

// What is at the edge of the rules, and inside.
func TestWhatIsStillAccepted(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	now := w.clock.Now().Unix()
	for name, change := range map[string]map[string]any{
		"expires in a second": {"exp": now + 1}, "made five seconds ahead": {"iat": now + 5}, "nbf five seconds ahead": {"nbf": now + 5},
		"a claim of a later version": {"scope": "x", "act": map[string]any{"sub": "a", "list": []int{1}}}, "epoch 0": {"epoch": 0}, "epoch at its largest": {"epoch": 1<<53 - 1},
		"an hour": {"iat": now, "exp": now + 3600}, "255 bytes": {"sub": strings.Repeat("a", 255)}, "time zero claims nothing": {"nbf": 0},
	} {
		if _, err := w.Verify(t.Context(), forge(t, goodHeader, payload(t, change))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.clock.Advance(goldenClaims().ExpiresAt.Sub(w.clock.Now()) - time.Microsecond)
	_, err := w.Verify(t.Context(), goldenToken)
	assert.NoError(t, err)
	w.clock.Advance(time.Microsecond)
	refused(t, w.Service, "at its end, to the microsecond", goldenToken)
}

func TestEveryTruncationAndExtension(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	for i := range len(goldenToken) {
		refused(t, w.Service, fmt.Sprintf("the first %d", i), goldenToken[:i])
		refused(t, w.Service, fmt.Sprintf("from %d", i+1), goldenToken[i+1:])
		refused(t, w.Service, fmt.Sprintf("without %d", i), goldenToken[:i]+goldenToken[i+1:])
	}
	for _, s := range []string{"A", "=", ".", "\n", " ", "\x00", "==", ".A", "%20"} {
		refused(t, w.Service, fmt.Sprintf("with %q after it", s), goldenToken+s)
		refused(t, w.Service, fmt.Sprintf("with %q before it", s), s+goldenToken)
	}
}

func TestEveryBitOfTheTokenCounts(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	for i := range goldenToken {
		for bit := range 8 {
			changed := []byte(goldenToken)
			changed[i] ^= 1 << bit
			refused(t, w.Service, fmt.Sprintf("bit %d of character %d", bit, i), string(changed))
		}
	}
	parts := strings.Split(goldenToken, ".")
	signature := unb64(t, parts[2])
	for i := range signature {
		for bit := range 8 {
			changed := slices.Clone(signature)
			changed[i] ^= 1 << bit
			refused(t, w.Service, fmt.Sprintf("bit %d of byte %d of the signature", bit, i), parts[0]+"."+parts[1]+"."+base64.RawURLEncoding.EncodeToString(changed))
		}
	}
}

// Wycheproof's classes for Ed25519: a scalar of another form, and degenerate values.
func TestSignatureMalleability(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	parts := strings.Split(goldenToken, ".")
	signature := unb64(t, parts[2])
	order, ok := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	assert.True(t, ok, "the order of the group")
	little := slices.Clone(signature[32:])
	slices.Reverse(little)
	for i := range 15 {
		s := new(big.Int).Add(new(big.Int).SetBytes(little), new(big.Int).Mul(order, big.NewInt(int64(i+1))))
		if s.BitLen() > 256 {
			break
		}
		forged := make([]byte, 32)
		s.FillBytes(forged)
		slices.Reverse(forged)
		refused(t, w.Service, fmt.Sprintf("S + %d L", i+1), parts[0]+"."+parts[1]+"."+base64.RawURLEncoding.EncodeToString(append(slices.Clone(signature[:32]), forged...)))
	}
	identity := append([]byte{1}, make([]byte, 63)...)
	for name, forged := range map[string][]byte{
		"zeros": make([]byte, 64), "R is the identity, S is 0": identity, "halves swapped": append(slices.Clone(signature[32:]), signature[:32]...),
		"R alone": append(slices.Clone(signature[:32]), make([]byte, 32)...), "S alone": append(make([]byte, 32), signature[32:]...),
		"63 bytes": signature[:63], "65 bytes": append(slices.Clone(signature), 0), "128 bytes": append(slices.Clone(signature), signature...),
	} {
		refused(t, w.Service, name, parts[0]+"."+parts[1]+"."+base64.RawURLEncoding.EncodeToString(forged))
	}
	other := strings.Split(forge(t, goodHeader, payload(t, map[string]any{"sub": "b"})), ".")
	refused(t, w.Service, "the signature of another token", parts[0]+"."+parts[1]+"."+other[2])
	refused(t, w.Service, "the payload of another token", parts[0]+"."+other[1]+"."+parts[2])
}

// One token has one text: no second spelling gets past a list of revoked ones.
func TestBase64HasOneSpelling(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	parts := strings.Split(forge(t, goodHeader, payload(t, map[string]any{"sub": "\u07ff??>>~~", "x": "1"})), ".")
	joined := func(i int, part string) string {
		changed := slices.Clone(parts)
		changed[i] = part
		return strings.Join(changed, ".")
	}
	for i, part := range parts {
		for n, c := range alphabet { // the last character: spare bits
			if last := part[:len(part)-1] + alphabet[n:n+1]; last != part {
				refused(t, w.Service, fmt.Sprintf("part %d ends in %c", i, c), joined(i, last))
			}
		}
		for _, gap := range []string{"\n", "\r", "\r\n", " ", "\t", "=", "\x00"} {
			for _, at := range []int{0, 1, len(part) / 2, len(part)} {
				refused(t, w.Service, fmt.Sprintf("part %d with %q at %d", i, gap, at), joined(i, part[:at]+gap+part[at:]))
			}
		}
		padded := base64.URLEncoding.EncodeToString(unb64(t, part))
		if padded != part {
			refused(t, w.Service, fmt.Sprintf("part %d padded", i), joined(i, padded))
		}
		if standard := base64.RawStdEncoding.EncodeToString(unb64(t, part)); standard != part {
			refused(t, w.Service, fmt.Sprintf("part %d in the other alphabet", i), joined(i, standard))
		}
		refused(t, w.Service, fmt.Sprintf("part %d missing", i), joined(i, ""))
	}
	_, err := w.Verify(t.Context(), strings.Join(parts, "."))
	assert.NoError(t, err)
}

// RFC 7515 has other forms; a library that guesses the form accepts them all.
func TestOtherSerializations(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	parts := strings.Split(goldenToken, ".")
	flattened := fmt.Sprintf(`{"protected":"%s","payload":"%s","signature":"%s"}`, parts[0], parts[1], parts[2])
	for name, raw := range map[string]string{
		"flattened JSON": flattened, "general JSON": fmt.Sprintf(`{"payload":"%s","signatures":[{"protected":"%s","signature":"%s"}]}`, parts[1], parts[0], parts[2]),
		"detached": parts[0] + ".." + parts[2], "two parts": parts[0] + "." + parts[1], "four parts": goldenToken + "." + parts[2], "five parts": goldenToken + ".A.A",
		"one part": parts[0], "nothing": "", "dots": "..", "three dots": "...", "scheme": "Bearer " + goldenToken, "quotes": `"` + goldenToken + `"`,
		"twice": goldenToken + goldenToken, "list": goldenToken + "," + goldenToken, "as bytes": string(unb64(t, parts[0])) + "." + string(unb64(t, parts[1])) + "." + parts[2],
		"opaque token": "tnn_ses_3rT0aQ8mWb5Kx1YzNnC4dE7fGh2JkLmPqRsTuVwXyZ01234567AbCd",
	} {
		refused(t, w.Service, name, raw)
	}
}

func TestTheLongestToken(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	at := func(size int) string {
		for n := size / 2; ; n++ {
			if raw := forge(t, goodHeader, payload(t, map[string]any{"pad": strings.Repeat("a", n)})); len(raw) >= size {
				return raw
			}
		}
	}
	fits := at(jwt.MaxSize - 1)
	assert.True(t, len(fits) <= jwt.MaxSize, "the padding hits the limit")
	_, err := w.Verify(t.Context(), fits)
	assert.NoError(t, err)
	refused(t, w.Service, "one more", at(jwt.MaxSize+1))
	longest := mint(t, w.Service, jwt.Claims{Subject: strings.Repeat("\x01", 255), SessionID: strings.Repeat("<", 255), ID: strings.Repeat("\u2028", 85)})
	_, err = w.Verify(t.Context(), longest)
	assert.NoError(t, err)
}

// CVE-2025-30204, CVE-2025-22868, CVE-2025-27144: a megabyte of dots must cost nothing.
func TestCVE202530204_DotsCostNoMemory(t *testing.T) {
	w := hostileWorld(t) // measures the process: not parallel
	for name, raw := range map[string]string{
		"a megabyte of dots": strings.Repeat(".", 1<<20), "8 KiB of dots": strings.Repeat(".", jwt.MaxSize), "a megabyte of letters": strings.Repeat("A", 1<<20),
		"two dots in a megabyte": "a.b." + strings.Repeat("A", 1<<20), "a token and a megabyte of dots": goldenToken + strings.Repeat(".", 1<<20),
	} {
		const runs = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			refused(t, w.Service, name, raw)
		}
		runtime.ReadMemStats(&after)
		if perRun := (after.TotalAlloc - before.TotalAlloc) / runs; perRun > 4096 {
			t.Errorf("%s: %d bytes a token", name, perRun)
		}
	}
}

// CVE-2024-51744: an expired token with a wrong signature is not "only expired", and no claims come with any error.
func TestCVE202451744_NoClaimsBesideAnError(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	expired := forge(t, goodHeader, payload(t, map[string]any{"iat": 1, "exp": 2}))
	refused(t, w.Service, "expired", expired)
	refused(t, w.Service, "expired and forged", expired[:len(expired)-4]+"AAAA")
	w.store.Fail(problem.ErrUnavailable)
	w.clock.Advance(time.Hour)
	claims, err := w.Verify(t.Context(), goldenToken)
	assert.Error(t, err)
	assert.Equal(t, claims, jwt.Claims{})
}

func TestR16_TokensOfThirdPartiesAreNotOurs(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	raw := assert.Must(w.MintFor(t.Context(), "https://api.example.org", "user-1"))(t).Reveal()
	refused(t, w.Service, "as it is", raw)
	parts := strings.Split(raw, ".")
	assert.Equal(t, string(unb64(t, parts[0])), `{"alg":"EdDSA","kid":"`+rfcKID+`","typ":"JWT"}`)
	body := string(unb64(t, parts[1]))
	for _, name := range []string{"sid", "epoch"} {
		assert.NotContains(t, body, name)
	}
	// Each wall stands alone.
	refused(t, w.Service, "with our type", forge(t, goodHeader, body))
	refused(t, w.Service, "with our type and claims", forge(t, goodHeader, payload(t, map[string]any{"aud": "https://api.example.org"})))
	refused(t, w.Service, "with our audience", forge(t, strings.Replace(goodHeader, "at+jwt", "JWT", 1), payload(t, nil)))
	for _, audience := range []string{site, "", "a b", "\"", strings.Repeat("a", 256), "é"} {
		_, err := w.MintFor(t.Context(), audience, "user-1")
		assert.ErrorIs(t, err, jwt.ErrClaims)
	}
}

// A token of another installation names a key that we do not have.
func TestTokensOfAnotherInstallation(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	raw := mint(t, other.Service, other.claims())
	refused(t, w.Service, "before there is a key", raw)
	mint(t, w.Service, w.claims())
	w.clock.Advance(time.Minute)
	refused(t, w.Service, "with keys of our own", raw)
}
