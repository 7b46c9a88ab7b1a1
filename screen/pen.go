package screen

import (
	"image"
	"image/draw"
	"math"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"bootllama/metal/vt"
)

// pen draws one picture. The zero value is ready for begin.
type pen struct {
	pix           []byte // coverage, rows of width
	width, height int
	size          size
	raster        vector.Rasterizer
}

func (p *pen) begin(pix []byte, width int, s size) {
	p.pix, p.width, p.height, p.size = pix, width, s.height, s
	p.raster.Reset(width, s.height)
}

// ink writes the paths that were added to the rasterizer.
func (p *pen) ink() {
	p.raster.DrawOp = draw.Src
	dst := image.Alpha{Pix: p.pix, Stride: p.width, Rect: image.Rect(0, 0, p.width, p.height)}
	p.raster.Draw(&dst, dst.Rect, image.Opaque, image.Point{})
}

// slant is how far italics lean: right by so much for 1 up.
const slant = 0.2

// glyph draws a face's character and reports whether there is one. It stands in the middle of its cells, narrower where it is
// too wide for them.
func (p *pen) glyph(f *face, r rune, style vt.Attr) bool {
	segments, advance, smear, err := f.outline(r, style)
	if err != nil {
		return false
	}
	if advance <= 0 {
		advance = f.advance // a mark that stands over others
	}
	scale := f.scale
	if advance*scale > float32(p.width)+0.5 {
		scale = float32(p.width) / advance
	}
	left := (float32(p.width) - advance*scale) / 2
	lean := float32(0)
	if style&vt.Italic != 0 {
		lean = slant
	}
	letters := r < 0x2000
	point := func(v fixed.Point26_6) (x, y float32) {
		y = f.y(float32(-v.Y), letters)
		x = left + float32(v.X)*scale + lean*(f.baseline-f.xHeight*f.vertical/2-y)
		const far = 1 << 12 // a font's coordinates may be anything
		return min(max(x, -far), far), min(max(y, -far), far)
	}
	open := false
	for _, s := range segments {
		x0, y0 := point(s.Args[0])
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if open {
				p.raster.ClosePath()
			}
			open = true
			p.raster.MoveTo(x0, y0)
		case sfnt.SegmentOpLineTo:
			p.raster.LineTo(x0, y0)
		case sfnt.SegmentOpQuadTo:
			x1, y1 := point(s.Args[1])
			p.raster.QuadTo(x0, y0, x1, y1)
		case sfnt.SegmentOpCubeTo:
			x1, y1 := point(s.Args[1])
			x2, y2 := point(s.Args[2])
			p.raster.CubeTo(x0, y0, x1, y1, x2, y2)
		}
	}
	if open {
		p.raster.ClosePath()
	}
	p.ink()
	if smear {
		p.smear(max(1, p.size.line/2))
	}
	return true
}

// smear makes strokes wider by n pixels.
func (p *pen) smear(n int) {
	for y := range p.height {
		row := p.pix[y*p.width:][:p.width]
		for x := p.width - 1; x > 0; x-- {
			for k := 1; k <= min(n, x); k++ {
				row[x] = max(row[x], row[x-k])
			}
		}
	}
}

// missing draws the box of a character that no font has.
func (p *pen) missing() {
	top, bottom := p.size.baseline()*1/4, p.size.baseline()
	inset := max(1, p.size.width/8)
	left, right := inset, p.width-inset
	line := max(1, p.size.line/2)
	p.rect(left, top, right, top+line, 255)
	p.rect(left, bottom-line, right, bottom, 255)
	p.rect(left, top, left+line, bottom, 255)
	p.rect(right-line, top, right, bottom, 255)
}

// rect covers a rectangle, what of it is inside the picture.
func (p *pen) rect(x0, y0, x1, y1 int, coverage byte) {
	x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, p.width), min(y1, p.height)
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			p.pix[y*p.width+x] = coverage
		}
	}
}

func hypot(x, y float32) float32 { return float32(math.Sqrt(float64(x*x) + float64(y*y))) }
