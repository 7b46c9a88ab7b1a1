package screen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"bootllama/metal/vt"
)

// A face is a font, in its own units, and how it is fitted into the cells of a display.
type face struct {
	font, bold  *sfnt.Font // bold: nil when the font has none, and strokes are made thicker
	buf         sfnt.Buffer
	unit        fixed.Int26_6 // size at which the font's coordinates are its own units
	advance     float32       // of a cell
	top, bottom float32       // of what is inked, from the base line
	xHeight     float32
	capHeight   float32
	ascender    float32
	ratio       float64 // height of a cell / width

	scale    float32 // pixels of a unit, horizontally
	vertical float32 // and vertically
	heights  [4]height
	baseline float32
}

// height is a height above the base line, in units and in whole pixels.
type height struct{ units, pixels float32 }

// newFaces returns the faces that characters are looked for in: the person's font, if there is one, and Go Mono.
func newFaces(own []byte) ([]*face, error) {
	var faces []*face
	if len(own) > 0 {
		f, err := parseFace(own)
		if err != nil {
			return nil, fmt.Errorf("screen: the font: %w", err)
		}
		faces = append(faces, f)
	}
	mono, err := parseFace(gomono.TTF)
	if err == nil {
		mono.bold, err = sfnt.Parse(gomonobold.TTF)
	}
	if err != nil {
		panic("screen: Go Mono: " + err.Error())
	}
	return append(faces, mono), nil
}

// parseFace reads a font and measures it.
func parseFace(data []byte) (f *face, err error) {
	if len(data) > MaxFont {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(data), MaxFont)
	}
	defer rescue(&err)
	if data, err = outlines(data); err != nil {
		return nil, err
	}
	f = &face{}
	if f.font, err = sfnt.Parse(data); err != nil {
		return nil, err
	}
	if f.unit = fixed.Int26_6(f.font.UnitsPerEm()); f.unit < 16 {
		return nil, errors.New("it has no units")
	}
	return f, f.measure()
}

// outlines returns a font with the tables that outlines of characters need, of a file or of the first font of a collection.
// Package sfnt refuses fonts with tables at odd places, which every other program takes (WenQuanYi Micro Hei is one), and
// kerning is of no use in cells.
func outlines(data []byte) ([]byte, error) {
	const head, record = 12, 16 // bytes: https://learn.microsoft.com/typography/opentype/spec/otff
	short := errors.New("it is cut short")
	at := uint64(0)
	if len(data) >= 16 && string(data[:4]) == "ttcf" {
		at = uint64(binary.BigEndian.Uint32(data[12:]))
	}
	if at+head > uint64(len(data)) {
		return nil, short
	}
	kind := string(data[at : at+4])
	if kind != "\x00\x01\x00\x00" && kind != "OTTO" && kind != "true" {
		return nil, errors.New("it is neither TrueType nor OpenType")
	}
	n := uint64(binary.BigEndian.Uint16(data[at+4:]))
	if at+head+n*record > uint64(len(data)) {
		return nil, short
	}
	var records, tables []byte
	var taken uint64
	for i := range n {
		r := data[at+head+i*record:][:record]
		switch string(r[:4]) {
		case "cmap", "glyf", "loca", "head", "hhea", "hmtx", "maxp", "OS/2", "post", "CFF ":
		default:
			continue
		}
		from, size := uint64(binary.BigEndian.Uint32(r[8:])), uint64(binary.BigEndian.Uint32(r[12:]))
		if taken += size; from+size > uint64(len(data)) || taken > uint64(len(data)) {
			return nil, fmt.Errorf("its table %q is cut short", r[:4])
		}
		records = append(records, r...)
		tables = append(append(tables, data[from:from+size]...), make([]byte, -size&3)...)
	}
	result := append([]byte(kind), 0, byte(len(records)/record), 0, 0, 0, 0, 0, 0)
	place := uint32(head + len(records))
	for r := records; len(r) > 0; r = r[record:] {
		binary.BigEndian.PutUint32(r[8:], place)
		place += (binary.BigEndian.Uint32(r[12:]) + 3) &^ 3
	}
	return append(append(result, records...), tables...), nil
}

// rescue makes an error of a panic: package sfnt means to find every fault of a file, and a file that it does not foresee must
// not end the session.
func rescue(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("it is damaged: %v", p)
	}
}

// measure finds the size of the font's cells. Where all characters are as wide, it is that; otherwise half an ideograph,
// as in Chinese, Japanese and Korean fonts, or a digit. What a font says about its height is often room for lines that need none,
// so the highest and lowest of the usual characters are looked at.
func (f *face) measure() error {
	i, m := f.advanceOf('i'), f.advanceOf('M')
	f.advance = m
	if i != m || m == 0 {
		f.advance = f.advanceOf('0')
		for _, r := range "中一あ한" {
			if a := f.advanceOf(r); a > 0 {
				f.advance = a / 2
				break
			}
		}
	}
	for _, r := range "ÅÉ|bgjpqy中国鬱あ한" {
		if low, high, ok := f.ink(r); ok {
			f.bottom, f.top = max(f.bottom, -low), max(f.top, high)
		}
	}
	_, f.xHeight, _ = f.ink('x')
	_, f.capHeight, _ = f.ink('H')
	_, f.ascender, _ = f.ink('b')
	if f.top <= 0 || f.advance <= 0 {
		return errors.New("it has neither Latin letters nor digits nor ideographs")
	}
	f.ratio = min(max(float64((f.top+f.bottom)/f.advance), 1.75), 2.4)
	return nil
}

// advanceOf returns how wide a character is, 0 if there is none.
func (f *face) advanceOf(r rune) float32 {
	i, err := f.font.GlyphIndex(&f.buf, r)
	if err != nil || i == 0 {
		return 0
	}
	a, err := f.font.GlyphAdvance(&f.buf, i, f.unit, font.HintingNone)
	if err != nil {
		return 0
	}
	return float32(a)
}

// ink returns how far a character goes, up from the base line.
func (f *face) ink(r rune) (low, high float32, ok bool) {
	i, err := f.font.GlyphIndex(&f.buf, r)
	if err != nil || i == 0 {
		return 0, 0, false
	}
	b, _, err := f.font.GlyphBounds(&f.buf, i, f.unit, font.HintingNone)
	return float32(-b.Max.Y), float32(-b.Min.Y), err == nil
}

// fit fits the face into cells. All faces have one base line, Go Mono's. The heights of letters become whole pixels, so that
// their horizontal strokes are sharp; a font's own instructions for that are not executed.
func (f *face) fit(s size) {
	f.baseline = float32(s.baseline())
	f.scale = float32(s.width) / f.advance
	f.vertical = min(f.baseline/f.top, f.scale*1.2)
	if f.bottom > 0 {
		f.vertical = min(f.vertical, (float32(s.height)-f.baseline)/f.bottom)
	}
	n := 0
	for _, units := range [...]float32{f.xHeight, f.capHeight, f.ascender, f.top} {
		h := height{units, min(round(units*f.vertical), f.baseline)}
		if units > 0 && h.pixels > 0 && (n == 0 || units > f.heights[n-1].units && h.pixels > f.heights[n-1].pixels) {
			f.heights[n] = h
			n++
		}
	}
	clear(f.heights[n:])
}

// y returns the row of a height above the base line.
func (f *face) y(units float32, letters bool) float32 {
	low := height{}
	if letters && units > 0 {
		for _, h := range f.heights {
			if h.units == 0 {
				break
			}
			if units <= h.units {
				return f.baseline - (low.pixels + (units-low.units)*(h.pixels-low.pixels)/(h.units-low.units))
			}
			low = h
		}
	}
	return f.baseline - (low.pixels + (units-low.units)*f.vertical)
}

func round(v float32) float32 { return float32(math.Round(float64(v))) }

// outline returns a character's outline, in units, and its advance; smear says that it has to be made bold. No segments: it has
// no ink. The outline is valid until the next call.
func (f *face) outline(r rune, style vt.Attr) (outline sfnt.Segments, advance float32, smear bool, err error) {
	defer rescue(&err)
	own := f.font
	if style&vt.Bold != 0 {
		if smear = f.bold == nil; !smear {
			own = f.bold
		}
	}
	i, err := own.GlyphIndex(&f.buf, r)
	if err != nil {
		return nil, 0, false, err
	}
	if i == 0 {
		return nil, 0, false, errAbsent
	}
	a, err := own.GlyphAdvance(&f.buf, i, f.unit, font.HintingNone)
	if err != nil {
		return nil, 0, false, err
	}
	outline, err = own.LoadGlyph(&f.buf, i, f.unit, nil)
	return outline, float32(a), smear, err
}

var errAbsent = errors.New("the font has no such character")
