package screen

import (
	"fmt"
	"image"
	"unsafe"

	"bootllama/metal/vt"
)

// A Framebuffer is memory of pixels of 32 bits, each in the processor's byte order. It is only written, never read: reading
// a graphics card's memory takes a hundred times as long.
type Framebuffer struct {
	Pix           []byte // row after row from the top; as long as Height rows of Stride bytes, the last of Width pixels
	Width, Height int    // in pixels
	Stride        int    // bytes from a row to the next
	Red           Field
	Green         Field
	Blue          Field
}

// A Field is where a colour stands in a pixel, as in Linux's struct fb_bitfield.
type Field struct{ Offset, Length uint32 }

// RAM returns a framebuffer in memory of the program, with the pixels that most firmware has: 0x00RRGGBB.
func RAM(width, height int) Framebuffer {
	return Framebuffer{
		Pix: make([]byte, width*height*4), Width: width, Height: height, Stride: width * 4,
		Red: Field{16, 8}, Green: Field{8, 8}, Blue: Field{0, 8},
	}
}

// check returns what is wrong with a framebuffer.
func (fb *Framebuffer) check() error {
	const limit = 1 << 16 // pixels in a row, rows: the products below fit into an int
	switch {
	case fb.Width < 1 || fb.Height < 1 || fb.Width > limit || fb.Height > limit:
		return fmt.Errorf("screen: a framebuffer of %d x %d pixels", fb.Width, fb.Height)
	case fb.Stride < fb.Width*4 || fb.Stride > 4*limit*4:
		return fmt.Errorf("screen: rows of %d bytes for %d pixels of 4 bytes", fb.Stride, fb.Width)
	case len(fb.Pix) < fb.Stride*(fb.Height-1)+fb.Width*4:
		return fmt.Errorf("screen: %d bytes for %d rows of %d bytes", len(fb.Pix), fb.Height, fb.Stride)
	}
	for _, f := range []Field{fb.Red, fb.Green, fb.Blue} {
		if f.Length < 1 || f.Length > 16 || f.Offset > 32-f.Length {
			return fmt.Errorf("screen: a colour of %d bits from bit %d of a pixel", f.Length, f.Offset)
		}
	}
	return nil
}

// pixel returns a colour, 0xRRGGBB, as the framebuffer has it.
func (fb *Framebuffer) pixel(c uint32) uint32 {
	return fb.Red.place(c>>16) | fb.Green.place(c>>8) | fb.Blue.place(c)
}

// place puts the low 8 bits of a colour where the field is.
func (f Field) place(c uint32) uint32 {
	c = c & 0xFF * 0x0101 // 16 bits, of which the highest are the field's
	return c >> (16 - f.Length) << f.Offset
}

// A Frame is what a terminal shows: what a read of /dev/vcs returns.
type Frame struct {
	Cols, Rows       int
	Cells            []vt.Cell // Rows*Cols
	CursorX, CursorY int
	CursorVisible    bool
}

// A Display draws frames on a framebuffer. It knows what it has drawn, so that it draws what has changed. Its methods are for
// one goroutine at a time.
type Display struct {
	fb     Framebuffer
	size   size
	glyphs glyphs
	colors colors
	shown  []vt.Cell // size.cols*size.rows; a rune of -1 is nothing yet
	strip  []uint32  // pixels of one line of text, size.cols*size.width wide
}

// cursor marks, in Attr of a shown cell, that the cursor stands on it.
const cursor vt.Attr = 1 << 31

// New makes a Display and clears the framebuffer.
func New(fb Framebuffer, o Options) (*Display, error) {
	if err := fb.check(); err != nil {
		return nil, err
	}
	faces, err := newFaces(o.Font)
	if err != nil {
		return nil, err
	}
	s, err := chooseSize(fb.Width, fb.Height, o.FontSize, faces[0].ratio)
	if err != nil {
		return nil, err
	}
	d := &Display{fb: fb, size: s, shown: make([]vt.Cell, s.cols*s.rows), strip: make([]uint32, s.cols*s.width*s.height)}
	d.glyphs.init(faces, s)
	d.colors.init(&d.fb)
	d.Clear()
	return d, nil
}

// Size returns how many characters are in a line, and how many lines there are.
func (d *Display) Size() (cols, rows int) { return d.size.cols, d.size.rows }

// CellAt returns the pixels of a cell.
func (d *Display) CellAt(x, y int) image.Rectangle {
	s := d.size
	return image.Rect(0, 0, s.width, s.height).Add(image.Pt(s.left+x*s.width, s.top+y*s.height))
}

// Clear fills the whole framebuffer with the ground's colour; the next Draw draws all of its frame.
func (d *Display) Clear() {
	row := d.strip[:min(len(d.strip), d.fb.Width)]
	fill(row, d.fb.pixel(background))
	for y := range d.fb.Height {
		for x := 0; x < d.fb.Width; x += len(row) {
			d.put(x, y, row[:min(len(row), d.fb.Width-x)])
		}
	}
	for i := range d.shown {
		d.shown[i] = vt.Cell{Rune: -1}
	}
}

// Draw draws what is different in f from what is shown, and returns the pixels that it wrote, none (Empty) or a rectangle
// around them. Cells beyond the display are not drawn, and where f has none it is empty.
func (d *Display) Draw(f *Frame) (damage image.Rectangle) {
	if f.Cols < 0 || f.Rows < 0 || len(f.Cells) < f.Cols*f.Rows {
		panic("screen: a Frame has fewer cells than Rows*Cols")
	}
	for y := range d.size.rows {
		if first, last := d.changed(f, y); first <= last {
			damage = damage.Union(d.drawCells(y, first, last))
		}
	}
	return damage
}

// changed takes line y of a frame into shown and returns the first and the last cell that have to be drawn.
func (d *Display) changed(f *Frame, y int) (first, last int) {
	first, last = d.size.cols, -1
	shown := d.shown[y*d.size.cols:][:d.size.cols]
	for x := range shown {
		c := f.cell(x, y)
		if c == shown[x] {
			continue
		}
		begin := x
		if x > 0 && (c.Rune == 0 || shown[x].Rune == 0) {
			begin-- // the left half of a wide character, of this frame or the last
		}
		first, last = min(first, begin), x
		shown[x] = c
	}
	if last >= 0 && last+1 < len(shown) && f.cell(last+1, y).Rune == 0 {
		last++ // the right half is drawn with the left
	}
	return first, last
}

// cell returns what stands at (x, y), with the cursor.
func (f *Frame) cell(x, y int) vt.Cell {
	c := vt.Cell{Rune: ' ', Fg: vt.Default, Bg: vt.Default}
	if x < f.Cols && y < f.Rows {
		c = f.Cells[y*f.Cols+x]
	}
	c.Attr &^= cursor
	if f.CursorVisible && x == f.CursorX && y == f.CursorY {
		c.Attr |= cursor
	}
	return c
}

// drawCells draws cells first to last of line y: into the strip, and from there in long rows into the framebuffer, which may
// be memory that takes single words slowly.
func (d *Display) drawCells(y, first, last int) image.Rectangle {
	shown := d.shown[y*d.size.cols:][:d.size.cols]
	stride := (last + 1 - first) * d.size.width
	for x := first; x <= last; x++ {
		c, dst := shown[x], d.strip[(x-first)*d.size.width:]
		wide := x < last && shown[x+1].Rune == 0 && c.Rune != 0
		if wide {
			x++
			c.Attr |= shown[x].Attr & cursor
		}
		d.drawCell(dst, stride, c, wide)
	}
	r := d.CellAt(first, y)
	r.Max.X = r.Min.X + stride
	for i := range d.size.height {
		d.put(r.Min.X, r.Min.Y+i, d.strip[i*stride:][:stride])
	}
	return r
}

// drawCell draws one cell, or the two of a wide character, into the strip.
func (d *Display) drawCell(dst []uint32, stride int, c vt.Cell, wide bool) {
	width := d.size.width
	if wide {
		width *= 2
	}
	table := d.colors.table(c)
	if c.Rune == ' ' || c.Rune == 0 {
		for y := range d.size.height {
			fill(dst[y*stride:][:width], table[0])
		}
	} else {
		pix := d.glyphs.get(c.Rune, c.Attr&(vt.Bold|vt.Italic), wide)
		for y := range d.size.height {
			row := dst[y*stride:][:width]
			for i, coverage := range pix[y*width:][:width] {
				row[i] = table[coverage]
			}
		}
	}
	for _, l := range []struct {
		attr vt.Attr
		y    int
	}{{vt.Underline, d.size.underline}, {vt.Strike, d.size.strike}} {
		if c.Attr&l.attr != 0 {
			for y := l.y; y < min(l.y+d.size.line, d.size.height); y++ {
				fill(dst[y*stride:][:width], table[255])
			}
		}
	}
}

func fill(row []uint32, pixel uint32) {
	for i := range row {
		row[i] = pixel
	}
}

// put writes pixels of one row.
func (d *Display) put(x, y int, row []uint32) {
	copy(d.fb.Pix[y*d.fb.Stride+x*4:], unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(row))), len(row)*4))
}
