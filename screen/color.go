package screen

import "bootllama/metal/vt"

// The colours of a terminal that nobody has given others: light text on a dark ground, in which each of the first 16 but black
// can be read (a test has the contrast).
const (
	background  = 0x12161C
	foreground  = 0xD7DCE2
	cursorColor = 0xE6B450
)

var first16 = [16]uint32{
	0x2A313B, 0xE5686E, 0x8FBF6A, 0xE0B15E, 0x6CA6F0, 0xC58AE0, 0x56B6C2, 0xBAC2CC,
	0x77818E, 0xFF8A8F, 0xAEDC8B, 0xFFD07A, 0x93C2FF, 0xDDA9F5, 0x7FD8E2, 0xFFFFFF,
}

// rgb returns a terminal's colour as 0xRRGGBB: xterm's 256 colours are 16, a cube of 6x6x6, and 24 greys.
func rgb(c vt.Color, own uint32) uint32 {
	switch {
	case c&vt.RGB != 0:
		return uint32(c) & 0xFFFFFF
	case c >= 256: // Default
		return own
	case c < 16:
		return first16[c]
	case c < 232:
		c -= 16
		return level(c/36)<<16 | level(c/6%6)<<8 | level(c%6)
	}
	return (8 + 10*uint32(c-232)) * 0x010101
}

// level is the n-th brightness of the cube.
func level(n vt.Color) uint32 {
	if n == 0 {
		return 0
	}
	return 55 + 40*uint32(n)
}

// look returns the colours that a cell is drawn in.
func look(c vt.Cell) (fg, bg uint32) {
	fg, bg = rgb(c.Fg, foreground), rgb(c.Bg, background)
	if c.Attr&vt.Reverse != 0 {
		fg, bg = bg, fg
	}
	if c.Attr&vt.Dim != 0 {
		fg = mix(fg, bg, 96)
	}
	if c.Attr&cursor != 0 {
		fg, bg = bg, cursorColor
		if contrast(fg, bg) < 3 {
			fg = background
		}
	}
	return fg, bg
}

// mix returns the colour that is part/255 of the way from a to b.
func mix(a, b, part uint32) uint32 {
	var c uint32
	for shift := 0; shift < 24; shift += 8 {
		x, y := a>>shift&0xFF, b>>shift&0xFF
		c |= (x*(255-part) + y*part + 127) / 255 << shift
	}
	return c
}

// contrast is that of WCAG 2, 1 to 21, with 2 for the exponent of sRGB.
func contrast(a, b uint32) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c uint32) float64 {
	channel := func(shift int) float64 {
		v := float64(c>>shift&0xFF) / 255
		return v * v
	}
	return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
}

// colors makes and keeps, for each pair of text's and ground's colour, the pixels of all 256 degrees of coverage.
type colors struct {
	fb     *Framebuffer
	tables [][256]uint32
	index  map[[2]uint32]int // of tables
	next   int               // table that is made next: when all are used, all are made again
}

const manyTables = 256 // of 1 KiB

func (s *colors) init(fb *Framebuffer) {
	*s = colors{fb: fb, tables: make([][256]uint32, manyTables), index: make(map[[2]uint32]int, manyTables)}
}

// table returns the pixels for a cell. It allocates nothing.
func (s *colors) table(c vt.Cell) *[256]uint32 {
	fg, bg := look(c)
	i, ok := s.index[[2]uint32{fg, bg}]
	if ok {
		return &s.tables[i]
	}
	if s.next == manyTables {
		clear(s.index)
		s.next = 0
	}
	i = s.next
	s.next++
	s.index[[2]uint32{fg, bg}] = i
	for coverage := range s.tables[i] {
		s.tables[i][coverage] = s.fb.pixel(blend(fg, bg, uint32(coverage)))
	}
	return &s.tables[i]
}

// blend mixes text into ground. Light adds up in linear space, where a value is about the square of what a pixel has;
// strokes of light text on a dark ground look too thin without that, and too bold with it: it is done half.
func blend(fg, bg, coverage uint32) uint32 {
	var c uint32
	for shift := 0; shift < 24; shift += 8 {
		f, b := fg>>shift&0xFF, bg>>shift&0xFF
		plain := f*coverage + b*(255-coverage) // 255 times the value
		light := root(f*f*coverage*255 + b*b*(255-coverage)*255)
		c |= (plain + light + 255) / 510 << shift
	}
	return c
}

// root returns the square root of a number below 2^32, rounded down.
func root(n uint32) uint32 {
	var r uint32
	for bit := uint32(1) << 15; bit != 0; bit >>= 1 {
		if t := r | bit; t*t <= n {
			r = t
		}
	}
	return r
}
