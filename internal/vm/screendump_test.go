package vm

import (
	"image/color"
	"strings"
	"testing"
)

func TestReadPPM(t *testing.T) {
	p, err := readPPM(strings.NewReader("P6\n2 1\n255\n\x0a\x20\x30\x01\x02\x03"))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := p.RGBAAt(0, 0), p.RGBAAt(1, 0); a != (color.RGBA{10, 32, 48, 255}) || b != (color.RGBA{1, 2, 3, 255}) {
		t.Errorf("pixels %v, %v", a, b)
	}
	for _, bad := range []string{"", "P5\n2 1\n255\n......", "P6\n2 1\n65535\n............", "P6\n2 2\n255\n......", "P6\n99999 99999\n255\n", "P6\n-1 -1\n255\n"} {
		if _, err := readPPM(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken for a picture", bad)
		}
	}
}
