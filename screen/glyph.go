package screen

import (
	"unicode"

	"bootllama/metal/vt"
)

// glyphs makes and keeps the pictures of characters: the coverage of each pixel of a cell, or of two.
type glyphs struct {
	size  size
	faces []*face // in the order in which they are asked
	pen   pen
	index map[glyphKey]int // of the first of the picture's slots
	slots [][]byte         // chunks of slotsInChunk pictures of one cell
	many  int              // slots that there may be
	next  int              // the first that is free: when all are used, all are made again
}

type glyphKey struct {
	rune  rune
	style vt.Attr // of Bold and Italic
	wide  bool
}

const (
	slotsInChunk = 256
	mostPictures = 8 << 20 // bytes: at 3840x2160, two screens full of Chinese without a repeated character
)

func (g *glyphs) init(faces []*face, s size) {
	for _, f := range faces {
		f.fit(s)
	}
	n := max(1, mostPictures/(s.width*s.height*slotsInChunk)) * slotsInChunk
	*g = glyphs{size: s, faces: faces, many: n, index: map[glyphKey]int{}}
}

// get returns the picture of a character. Of one that it has made before, it allocates nothing.
func (g *glyphs) get(r rune, style vt.Attr, wide bool) []byte {
	key := glyphKey{r, style, wide}
	width, need := g.size.width, 1
	if wide {
		width, need = 2*width, 2
	}
	bytes := g.size.width * g.size.height
	slot, ok := g.index[key]
	if !ok {
		if g.next%slotsInChunk+need > slotsInChunk {
			g.next++ // a picture is in one chunk
		}
		if g.next+need > g.many {
			clear(g.index)
			g.next = 0
		}
		if g.next/slotsInChunk == len(g.slots) {
			g.slots = append(g.slots, make([]byte, slotsInChunk*bytes))
		}
		slot = g.next
		g.next += need
		g.index[key] = slot
	}
	pix := g.slots[slot/slotsInChunk][slot%slotsInChunk*bytes:][:width*g.size.height]
	if !ok {
		clear(pix)
		g.draw(pix, width, key)
	}
	return pix
}

// draw makes a picture: by rule, or of the first face that has the character, or of one that looks the same, or else a box.
func (g *glyphs) draw(pix []byte, width int, k glyphKey) {
	g.pen.begin(pix, width, g.size)
	if g.pen.shape(k.rune) {
		return
	}
	for _, r := range [...]rune{k.rune, alike(k.rune)} {
		if r == ' ' {
			return
		}
		for _, f := range g.faces {
			if g.pen.glyph(f, r, k.style) {
				return
			}
		}
	}
	g.pen.missing()
}

// alike returns a character that stands for another which fonts rarely have, or the same: other widths of blanks and hyphens,
// primes, signs of calculation, marks that assistants like.
func alike(r rune) rune {
	switch r {
	case 0x2010, 0x2011, 0x00AD, 0xFE63, 0xFF0D:
		return '-'
	case 0x2012, 0x2212:
		return '–'
	case 0x2015, 0x2E3A:
		return '—'
	case 0x2032, 0x02B9, 0x02BC, 0x201B:
		return '’'
	case 0x2033:
		return '”'
	case 0x2217:
		return '*'
	case 0x2223:
		return '|'
	case 0x2236:
		return ':'
	case 0x2215, 0x2044:
		return '/'
	case 0x2219, 0x22C5, 0x2022, 0x2027, 0x30FB:
		return '·'
	case 0x2023:
		return '►'
	case 0x25B6:
		return '►'
	case 0x25C0:
		return '◄'
	case 0x25FC, 0x2B1B:
		return '■'
	case 0x2B1C:
		return '□'
	case 0x2B24, 0x26AB:
		return '●'
	case 0x2208:
		return 'ϵ'
	case 0x0192:
		return 'f'
	}
	if unicode.Is(unicode.Zs, r) {
		return ' '
	}
	if r >= 0xFF01 && r <= 0xFF5E {
		return r - 0xFF01 + '!' // full width
	}
	return r
}
