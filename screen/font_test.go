package screen

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gomono"

	"bootllama/internal/heap"
	"bootllama/metal/vt"
)

// makeFont makes a TrueType font of 1000 units with square characters: A is 500 units wide, 中 is 1000.
func makeFont() []byte {
	var be = binary.BigEndian
	u16 := func(v ...int) (b []byte) {
		for _, n := range v {
			b = be.AppendUint16(b, uint16(n))
		}
		return b
	}
	square := func(right, bottom, top int) []byte { // contours, bounds, the last point, no instructions
		b := u16(1, 50, bottom, right, top, 3, 0)
		b = append(b, 1, 1, 1, 1) // on the curve, coordinates of two bytes
		return append(b, u16(50, 0, right-50, 0, bottom, top-bottom, 0, bottom-top)...)
	}
	latin, wide := square(450, 0, 700), square(950, -110, 850)
	glyf := append(append([]byte{}, latin...), wide...)
	cmap := u16(0, 1, 3, 1, 0, 12) // one table, for Windows, Unicode
	const segments = 3
	cmap = append(cmap, u16(4, 16+8*segments, 0, 2*segments, 4, 1, 2)...)
	cmap = append(cmap, u16('A', '中', 0xFFFF, 0)...)
	cmap = append(cmap, u16('A', '中', 0xFFFF, 1-'A', 2-'中', 1, 0, 0, 0)...)
	head := make([]byte, 54)
	copy(head, u16(1, 0))
	copy(head[18:], u16(1000))
	copy(head[36:], u16(0, 0, 1000, 1000))
	hhea := make([]byte, 36)
	copy(hhea, u16(1, 0, 850, -150))
	copy(hhea[34:], u16(3))
	maxp := make([]byte, 32)
	copy(maxp, u16(1, 0, 3))
	tables := []struct {
		tag  string
		data []byte
	}{
		{"cmap", cmap}, {"glyf", glyf}, {"head", head}, {"hhea", hhea},
		{"hmtx", u16(500, 0, 500, 50, 1000, 50)}, {"loca", u16(0, 0, len(latin)/2, len(glyf)/2)}, {"maxp", maxp}, {"post", append([]byte{0, 3, 0, 0}, make([]byte, 28)...)},
	}
	font := append([]byte{0, 1, 0, 0}, u16(len(tables), 0, 0, 0)...)
	place := len(font) + 16*len(tables)
	var data []byte
	for _, x := range tables {
		font = append(font, x.tag...)
		font = be.AppendUint32(font, 0)
		font = be.AppendUint32(font, uint32(place+len(data)))
		font = be.AppendUint32(font, uint32(len(x.data)))
		data = append(data, x.data...)
		data = append(data, 0) // tables at odd places
	}
	return append(font, data...)
}

// TestFont: a person's font precedes Go Mono, which has what that one lacks; an ideograph fills two cells.
func TestFont(t *testing.T) {
	const size = 24
	own := newDisplay(t, 2000, 1000, Options{FontSize: size, Font: makeFont()})
	g := &own.glyphs
	w, h := g.size.width, g.size.height
	solid := func(what string, pix []byte, width, least, most int) {
		t.Helper()
		if n := bytes.Count(pix, []byte{255}); n < least || n > most || pieces(pix, width) != 1 {
			t.Errorf("%s: %d of %d pixels in %d pieces, want %d to %d in one", what, n, len(pix), pieces(pix, width), least, most)
		}
	}
	solid("A", g.get('A', 0, false), w, w*h/3, w*h*3/4)
	solid("bold A", g.get('A', vt.Bold, false), w, bytes.Count(g.get('A', 0, false), []byte{255})+1, w*h*3/4)
	solid("中", g.get('中', 0, true), 2*w, w*h, 2*w*h*9/10)
	if most(column(g.get('中', 0, true), 2*w, w)) != 255 {
		t.Error("中 does not go from its left cell into the right one")
	}
	mono := newDisplay(t, 2000, 1000, Options{FontSize: size})
	if mono.size.width != w { // a ratio near Go Mono's, or the next line compares nothing
		t.Fatalf("cells are %d pixels wide, with Go Mono %d", w, mono.size.width)
	}
	if a, b := bytes.Clone(g.get('B', 0, false)), mono.glyphs.get('B', 0, false); !bytes.Equal(a, b) {
		t.Error("B is not Go Mono's")
	}
	if a, b := g.get('A', 0, false), mono.glyphs.get('A', 0, false); bytes.Equal(a, b) {
		t.Error("A is Go Mono's")
	}
	// On the screen, with what follows it.
	f := blankFrame(own)
	f.write(0, 0, "中B", plain)
	own.Draw(f)
	if own.shown[1].Rune != 0 || own.shown[2].Rune != 'B' {
		t.Error("中 does not take two cells")
	}
}

// TestBadFont: a file that is no font, or a damaged one, is an error that says so, and never a panic.
func TestBadFont(t *testing.T) {
	small := makeFont()
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"a text":         {[]byte("This is a text and not a font."), "neither TrueType nor OpenType"},
		"a byte":         {[]byte{0}, "cut short"},
		"half":           {gomono.TTF[:len(gomono.TTF)/2], "cut short"},
		"far collection": {[]byte("ttcf\x00\x01\x00\x00\x00\x00\x00\x01\xFF\xFF\xFF\xFF"), "cut short"},
		"too large":      {make([]byte, MaxFont+1), "more than"},
		"no tables":      {[]byte("\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "screen: the font: "},
	} {
		if _, err := New(RAM(640, 480), Options{Font: c.data}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	fine := 0
	for i := range small {
		for _, bit := range []byte{1, 0x80, 0xFF} {
			data := bytes.Clone(small)
			data[i] ^= bit
			d, err := New(RAM(64, 64), Options{Font: data, FontSize: 12})
			if err != nil {
				continue
			}
			fine++
			for _, wide := range []bool{false, true} {
				for _, r := range "A中B" {
					d.glyphs.get(r, vt.Bold, wide)
				}
			}
		}
	}
	if fine == 0 {
		t.Error("every damaged font was refused: the pictures of none were made")
	}
	for n := range small {
		if _, err := New(RAM(64, 64), Options{Font: small[:n]}); err == nil && n > 0 && n < len(small)-1 {
			t.Errorf("%d of %d bytes are a font", n, len(small))
		}
	}
}

// TestRescue: a fault of a file that package sfnt does not foresee is an error, not the end of the session.
func TestRescue(t *testing.T) {
	read := func() (err error) {
		defer rescue(&err)
		return []error{nil}[len(makeFont())]
	}
	if err := read(); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
}

// FuzzFont: any file is a font or an error, and takes no memory beyond it and the points of a character.
func FuzzFont(f *testing.F) {
	f.Add(makeFont())
	f.Fuzz(func(t *testing.T, data []byte) {
		const glyph = 16 << 20 // the most points of a character may be a few bytes of the file: their flags repeat
		heap.Check(t, glyph+16*len(data), 1, func() {
			d, err := New(RAM(64, 64), Options{Font: data, FontSize: 12})
			if err != nil {
				return
			}
			for _, r := range "A中x" {
				d.glyphs.get(r, 0, false)
			}
		})
	})
}
