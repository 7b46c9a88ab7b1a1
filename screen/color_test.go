package screen

import (
	"math"
	"testing"

	"bootllama/metal/vt"
)

// TestContrast: WCAG 2 wants 4.5 for text that can be read, 7 for text that is easy to read, and 3 for signs.
func TestContrast(t *testing.T) {
	// The exact luminance, which contrast approximates.
	exact := func(a, b uint32) float64 {
		luminance := func(c uint32) (l float64) {
			for i, part := range []float64{0.2126, 0.7152, 0.0722} {
				v := float64(c>>(16-8*i)&0xFF) / 255
				if v <= 0.04045 {
					l += part * v / 12.92
				} else {
					l += part * math.Pow((v+0.055)/1.055, 2.4)
				}
			}
			return l
		}
		return (max(luminance(a), luminance(b)) + 0.05) / (min(luminance(a), luminance(b)) + 0.05)
	}
	check := func(what string, c vt.Cell, least float64) {
		t.Helper()
		fg, bg := look(c)
		if got := exact(fg, bg); got < least {
			t.Errorf("%s: contrast %.1f, want %v", what, got, least)
		}
	}
	check("text", plain, 12)
	check("dim text", vt.Cell{Fg: vt.Default, Bg: vt.Default, Attr: vt.Dim}, 4.5)
	check("reverse", vt.Cell{Fg: vt.Default, Bg: vt.Default, Attr: vt.Reverse}, 12)
	check("text below the cursor", vt.Cell{Fg: vt.Default, Bg: vt.Default, Attr: cursor}, 7)
	check("text below the cursor on its colour", vt.Cell{Fg: vt.Default, Bg: vt.RGB | cursorColor, Attr: cursor}, 7)
	for i := vt.Color(1); i < 16; i++ {
		least := 5.0
		if i == 8 {
			least = 4.5 // grey, for what is less important
		}
		check("a colour on the ground", vt.Cell{Fg: i, Bg: vt.Default}, least)
		check("the ground's on a colour", vt.Cell{Fg: i, Bg: vt.Default, Attr: vt.Reverse}, least-0.5)
	}
	check("text on black", vt.Cell{Fg: vt.Default, Bg: 0}, 7)
	if got := exact(cursorColor, background); got < 7 {
		t.Errorf("the cursor's contrast is %.1f", got)
	}
}

// TestRGB has the numbers of xterm's 256 colours.
func TestRGB(t *testing.T) {
	for c, want := range map[vt.Color]uint32{
		16: 0x000000, 17: 0x00005F, 21: 0x0000FF, 46: 0x00FF00, 196: 0xFF0000, 208: 0xFF8700, 231: 0xFFFFFF, 232: 0x080808, 255: 0xEEEEEE,
		vt.RGB | 0x123456: 0x123456, vt.Default: 0xABCDEF, 1: first16[1], 15: 0xFFFFFF,
	} {
		if got := rgb(c, 0xABCDEF); got != want {
			t.Errorf("colour %#x is %06X, want %06X", uint32(c), got, want)
		}
	}
}

// TestBlend: no and full coverage are ground and text to the bit, and between them nothing goes back.
func TestBlend(t *testing.T) {
	for _, c := range [][2]uint32{{foreground, background}, {background, foreground}, {0, 0xFFFFFF}, {0xFFFFFF, 0}, {0xFF0080, 0x00FF80}} {
		if a, b := blend(c[0], c[1], 255), blend(c[0], c[1], 0); a != c[0] || b != c[1] {
			t.Errorf("%06X on %06X: full coverage %06X, none %06X", c[0], c[1], a, b)
		}
		for shift := 0; shift < 24; shift += 8 {
			rises := c[0]>>shift&0xFF >= c[1]>>shift&0xFF
			for coverage := uint32(1); coverage < 256; coverage++ {
				a, b := blend(c[0], c[1], coverage-1)>>shift&0xFF, blend(c[0], c[1], coverage)>>shift&0xFF
				if rises && b < a || !rises && b > a {
					t.Errorf("%06X on %06X: coverage %d goes from %d to %d", c[0], c[1], coverage, a, b)
				}
			}
		}
	}
}

// TestManyColors: more pairs of colours than tables.
func TestManyColors(t *testing.T) {
	fb := RAM(1, 1)
	var s colors
	s.init(&fb)
	for i := range vt.Color(3 * manyTables) {
		c := vt.Cell{Fg: vt.RGB | i, Bg: vt.RGB | i<<8}
		if table := s.table(c); table[255] != uint32(i) || table[0] != uint32(i<<8) {
			t.Fatalf("colour %d: %06X on %06X", i, table[255], table[0])
		}
	}
	if len(s.index) > manyTables {
		t.Errorf("%d tables", len(s.index))
	}
}
