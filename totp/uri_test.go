package totp_test

import (
	"bytes"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/totp"
)

func TestURIIsWhatAppsRead(t *testing.T) {
	t.Parallel()
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256, Digits: 8, Period: time.Minute}))(t)
	uri := assert.Must(scheme.URI(secretOf(t, digits20), "Big & Co", "ann+a@example.com"))(t).Reveal()
	assert.Equal(t, uri, "otpauth://totp/Big%20%26%20Co:ann%2Ba%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"+
		"&issuer=Big%20%26%20Co&algorithm=SHA256&digits=8&period=60")
}

func TestURIRefusesLabelsThatWouldBeReadDifferently(t *testing.T) {
	t.Parallel()
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(t)
	secret := secretOf(t, digits20)
	for _, bad := range []string{"", "a:b", "a\nb", "a\x00", "\xff", strings.Repeat("a", 255)} {
		_, err := scheme.URI(secret, "Acme", bad)
		assert.ErrorIs(t, err, totp.ErrLabel)
		_, err = scheme.URI(secret, bad, "ann@example.com")
		assert.ErrorIs(t, err, totp.ErrLabel)
	}
	_, err := scheme.URI(totp.Secret{}, "Acme", "ann@example.com")
	assert.ErrorIs(t, err, totp.ErrSecret)
}

// TestQRIsTheCodeWithItsBorder compares the picture with the modules it is made
// of; TestZbarReadsTheQR has it read.
func TestQRIsTheCodeWithItsBorder(t *testing.T) {
	t.Parallel()
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(t)
	uri := assert.Must(scheme.URI(secretOf(t, digits20), "Acme", "ann@example.com"))(t)
	raw := assert.Must(totp.QR(uri))(t)
	assert.True(t, len(raw) < 4096, "small")
	picture := assert.Must(png.Decode(bytes.NewReader(raw)))(t)
	code := assert.Must(qr.Encode(uri.Reveal(), qr.M, qr.Unicode))(t)
	modules, border := code.Bounds().Dx(), 0
	black := func(x, y int) bool { r, _, _, _ := picture.At(x, y).RGBA(); return r == 0 }
	for !black(border, border) {
		border++
	}
	scale := (picture.Bounds().Dx() - 2*border) / modules
	assert.True(t, border >= 4*scale && scale >= 3, "a border of four modules")
	for y := range modules {
		for x := range modules {
			gray, _, _, _ := code.At(x, y).RGBA()
			if black(border+x*scale+scale/2, border+y*scale+scale/2) != (gray == 0) {
				t.Fatalf("module %d, %d", x, y)
			}
		}
	}
}

func TestQRHoldsTheLongestURI(t *testing.T) {
	t.Parallel()
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA512, Digits: 8}))(t)
	uri := assert.Must(scheme.URI(assert.Must(scheme.NewSecret())(t), strings.Repeat("é", 32), strings.Repeat("é", 127)))(t)
	_, err := totp.QR(uri)
	assert.NoError(t, err)
	for _, bad := range []string{"", strings.Repeat("a", 2000)} {
		_, err := totp.QR(token.NewSecret(bad))
		assert.ErrorIs(t, err, totp.ErrURI)
	}
}

// FuzzURI reads every URI back with the library's own parser and with net/url.
func FuzzURI(f *testing.F) {
	f.Add("Acme", "ann@example.com", 0, 6)
	f.Add("Big & Co", "a+b@exämple.com", 1, 8)
	f.Add("a/b?c#d", "100%25", 2, 6)
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(f)
	secret := secretOf(f, digits20)
	f.Fuzz(func(t *testing.T, issuer, account string, algorithm, digits int) {
		scheme := scheme
		if made, err := totp.New(totp.Config{Algorithm: totp.Algorithm(algorithm), Digits: digits}); err == nil {
			scheme = made
		}
		uri, err := scheme.URI(secret, issuer, account)
		if err != nil {
			assert.ErrorIs(t, err, totp.ErrLabel)
			return
		}
		parsed := assert.Must(url.Parse(uri.Reveal()))(t)
		assert.Equal(t, parsed.Path, "/"+issuer+":"+account)
		assert.Equal(t, parsed.Query().Get("issuer"), issuer)
		key := assert.Must(otp.NewKeyFromURL(uri.Reveal()))(t)
		assert.Equal(t, key.Issuer(), issuer)
		assert.Equal(t, key.Secret(), secret.Reveal())
		assert.Equal(t, int(key.Digits()), scheme.Config().Digits)
		assert.Equal(t, int(key.Period()), 30)
		assert.Equal(t, key.Algorithm().String(), scheme.Config().Algorithm.String())
	})
}

// FuzzMatch shows that what matches is the code of the step that is answered,
// whatever was typed around it.
func FuzzMatch(f *testing.F) {
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(f)
	secret := secretOf(f, digits20)
	at := time.Unix(1_800_000_000, 0)
	code, _ := scheme.Code(secret, scheme.Step(at))
	for _, typed := range []string{code, " " + code + "\n", "１２３４５６", "", code[:3] + " " + code[3:]} {
		f.Add(typed, at.Unix())
	}
	f.Fuzz(func(t *testing.T, typed string, unix int64) {
		at := time.Unix(unix, 0)
		step, ok := scheme.Match(secret, typed, at)
		if !ok {
			return
		}
		want, _ := scheme.Code(secret, step)
		assert.Equal(t, strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(typed), want)
		assert.True(t, step >= scheme.Step(at)-1 && step <= scheme.Step(at)+1, "a step of the window")
	})
}

func BenchmarkMatch(b *testing.B) {
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(b)
	secret, at := secretOf(b, digits20), time.Unix(1_800_000_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		scheme.Match(secret, "000000", at)
	}
}

func BenchmarkQR(b *testing.B) {
	scheme := assert.Must(totp.New(totp.Config{Algorithm: totp.SHA256}))(b)
	uri := assert.Must(scheme.URI(secretOf(b, digits20), "Acme", "ann@example.com"))(b)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = totp.QR(uri)
	}
}
