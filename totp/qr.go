package totp

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"github.com/boombuler/barcode/qr"

	"github.com/tenon-go/tenon/token"
)

// The picture: pixels per module, and the white border that ISO/IEC 18004 asks
// for, without which a camera fails on a dark page.
const (
	qrScale = 5
	qrQuiet = 4
)

// QR draws a URI as a PNG, black on white, about 300 pixels wide and 1 kB large.
// It takes milliseconds of CPU. It fails with ErrURI for texts over 1.5 kB,
// which URI never makes.
func QR(uri token.Secret) ([]byte, error) {
	text := uri.Reveal()
	if text == "" || len(text) > 1536 {
		return nil, ErrURI
	}
	code, err := qr.Encode(text, qr.M, qr.Unicode)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURI, err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, enlarge(code)); err != nil {
		return nil, fmt.Errorf("totp: encode the picture: %w", err)
	}
	return out.Bytes(), nil
}

// enlarge draws each module as a square, with the border around them.
func enlarge(code image.Image) image.Image {
	modules := code.Bounds().Dx()
	side := (modules + 2*qrQuiet) * qrScale
	out := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range modules * qrScale {
		for x := range modules * qrScale {
			if gray, _, _, _ := code.At(x/qrScale, y/qrScale).RGBA(); gray == 0 {
				out.SetColorIndex(x+qrQuiet*qrScale, y+qrQuiet*qrScale, 1)
			}
		}
	}
	return out
}
