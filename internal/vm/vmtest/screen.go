package vmtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootllama/internal/vm"
	"bootllama/metal/vt"
	"bootllama/screen"
)

// A Screen is a running machine's screen, as a person sees it: pictures of it are read, and compared with what they should be.
type Screen struct {
	t       testing.TB
	running *vm.Running
	options screen.Options
	fonts   map[image.Point]*reader // by the picture's size
	latest  *Picture
}

// Watch looks at the screen of a machine whose program has called screen.Start with these options.
func Watch(t testing.TB, r *vm.Running, o screen.Options) *Screen {
	return &Screen{t: t, running: r, options: o, fonts: map[image.Point]*reader{}}
}

// A Picture is what a screen showed at some time.
type Picture struct {
	Image  *image.RGBA
	Lines  []string    // what is written on it, without blanks at the end; U+FFFD for what is no character
	Cursor image.Point // column and row; (-1, -1): none is seen
	reader *reader
	cells  []match
}

// Text is all lines.
func (p *Picture) Text() string { return strings.Join(p.Lines, "\n") }

// Find returns where a text begins that stands in one line.
func (p *Picture) Find(text string) (x, y int, ok bool) {
	for y, line := range p.Lines {
		if before, _, ok := strings.Cut(line, text); ok {
			return len([]rune(before)), y, true
		}
	}
	return 0, 0, false
}

// Colors returns the colours of the text and the ground of a cell; of an empty one both are the ground's.
func (p *Picture) Colors(x, y int) (text, ground color.RGBA) {
	m := p.cells[y*p.reader.cols+x]
	at := p.reader.display.CellAt(x, y).Min
	return p.Image.RGBAAt(at.X+m.inked.X, at.Y+m.inked.Y), p.Image.RGBAAt(at.X+m.bare.X, at.Y+m.bare.Y)
}

// Picture looks at the screen.
func (s *Screen) Picture() *Picture {
	s.t.Helper()
	p, err := s.look()
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *Screen) look() (*Picture, error) {
	dump, err := s.running.Screendump()
	if err != nil {
		return nil, err
	}
	if s.latest != nil && bytes.Equal(s.latest.Image.Pix, dump.Pix) && s.latest.Image.Rect == dump.Rect {
		return s.latest, nil
	}
	r := s.fonts[dump.Rect.Max]
	if r == nil {
		if r, err = newReader(dump.Rect.Max, s.options); err != nil {
			return nil, err
		}
		s.fonts[dump.Rect.Max] = r
	}
	s.latest = r.read(dump)
	return s.latest, nil
}

// patience is how long a machine may take until its screen shows what is awaited: the host may be busy.
const patience = 5 * time.Minute

// until looks at the screen until what it sees is as it should be; wrong says what is not.
func (s *Screen) until(wrong func(*Picture) string) *Picture {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		p, err := s.look()
		if err != nil {
			if s.latest != nil {
				s.save(s.latest.Image, "last")
				s.t.Fatalf("%v; the screen showed\n%s", err, s.latest.Text())
			}
			s.t.Fatal(err)
		}
		complaint := wrong(p)
		if complaint == "" {
			return p
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			s.save(p.Image, "last")
			s.t.Fatalf("%s; the screen shows\n%s", complaint, p.Text())
		}
	}
}

// Await looks until one line of the screen has a text, and returns the picture.
func (s *Screen) Await(text string) *Picture {
	s.t.Helper()
	return s.until(func(p *Picture) string {
		if _, _, ok := p.Find(text); !ok {
			return fmt.Sprintf("no line with %q", text)
		}
		return ""
	})
}

// AwaitGone looks until no line of the screen has a text.
func (s *Screen) AwaitGone(text string) *Picture {
	s.t.Helper()
	return s.until(func(p *Picture) string {
		if _, _, ok := p.Find(text); ok {
			return fmt.Sprintf("still a line with %q", text)
		}
		return ""
	})
}

// AwaitSame looks until the screen shows, pixel by pixel, what a terminal of its size shows to which output was written from
// the beginning: what comes out of the machine's debug channels, which have the echo of what is typed, too. A line feed goes to
// the beginning of the next line (ONLCR).
func (s *Screen) AwaitSame(output []byte) *Picture {
	s.t.Helper()
	var of *reader // of which want is
	var want *image.RGBA
	return s.until(func(p *Picture) string {
		if of != p.reader {
			of, want = p.reader, p.reader.draw(output)
		}
		if n, first := difference(p.Image, want); n > 0 {
			return fmt.Sprintf("%d pixels, the first at %v, are not those of\n%s\n", n, first, p.reader.read(want).Text())
		}
		return ""
	})
}

// Save writes a picture to the folder of the test's artifacts.
func (s *Screen) Save(p *Picture, name string) { s.save(p.Image, name) }

func (s *Screen) save(p image.Image, name string) {
	s.t.Helper()
	path := filepath.Join(s.t.ArtifactDir(), name+".png")
	f, err := os.Create(path)
	if err == nil {
		err = png.Encode(f, p)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		s.t.Error(err)
		return
	}
	s.t.Log("picture: ", path)
}

// difference counts the pixels that are not equal.
func difference(a, b *image.RGBA) (n int, first image.Point) {
	for i := 0; i < len(a.Pix); i += 4 {
		if !bytes.Equal(a.Pix[i:i+4], b.Pix[i:i+4]) {
			if n == 0 {
				first = image.Pt(i/4%a.Rect.Dx(), i/4/a.Rect.Dx())
			}
			n++
		}
	}
	return n, first
}

// draw returns the picture of what a program wrote.
func (r *reader) draw(output []byte) *image.RGBA {
	terminal := &vt.Terminal{}
	terminal.Resize(r.cols, r.rows)
	for _, b := range output {
		if b == '\n' {
			terminal.Write('\r')
		}
		terminal.Write(b)
	}
	f := screen.Frame{Cols: r.cols, Rows: r.rows}
	for y := range r.rows {
		for x := range r.cols {
			f.Cells = append(f.Cells, terminal.Cell(x, y))
		}
	}
	f.CursorX, f.CursorY, f.CursorVisible = terminal.Cursor()
	return r.picture(&f)
}

// reader reads characters from pictures of one size: each cell is compared with the characters that a Display draws.
type reader struct {
	display    *screen.Display
	memory     screen.Framebuffer
	cols, rows int
	cursor     color.RGBA       // its colour
	samples    []sample         // the earlier one is preferred
	known      map[string]match // by the pixels of a cell
}

// sample is the picture of a character: the brightness of its pixels, with mean 0 and norm 1.
type sample struct {
	rune  rune
	light []float32
	match match
}

// match is what was recognized in a cell, and a pixel of it that is most, and one that is least inked.
type match struct {
	rune        rune
	inked, bare image.Point
}

func newReader(size image.Point, o screen.Options) (*reader, error) {
	r := &reader{memory: screen.RAM(size.X, size.Y), known: map[string]match{}}
	var err error
	if r.display, err = screen.New(r.memory, o); err != nil {
		return nil, err
	}
	r.cols, r.rows = r.display.Size()
	r.learn()
	return r, nil
}

// ranges are the characters that are looked for. Of those that look the same, Latin, Greek and Cyrillic ones, the first is read.
var ranges = [][2]rune{{'!', '~'}, {0x2500, 0x259F}, {0xA1, 0xAC}, {0xAE, 0x17F}, {0x391, 0x3A1}, {0x3A3, 0x3CE}, {0x401, 0x45F},
	{'‘', '”'}, {'•', '•'}, {'…', '…'}, {'–', '—'}, {0x2190, 0x2199}, {'❯', '❯'}, {'✓', '✓'}, {'✗', '✗'}, {'●', '●'}, {'○', '○'},
	{'►', '►'}, {'▲', '▲'}, {'▼', '▼'}, {0x2801, 0x28FF}}

// learn draws all characters that are looked for.
func (r *reader) learn() {
	var cells []vt.Cell
	for _, attr := range []vt.Attr{0, vt.Bold, vt.Italic, vt.Bold | vt.Italic, vt.Underline, vt.Bold | vt.Underline, vt.Strike} {
		for i, span := range ranges {
			for c := span[0]; c <= span[1] && (i == 0 || attr <= vt.Bold); c++ {
				cells = append(cells, vt.Cell{Rune: c, Fg: vt.RGB | 0xFFFFFF, Bg: vt.RGB, Attr: attr})
			}
		}
	}
	blank := vt.Cell{Rune: ' ', Fg: vt.Default, Bg: vt.Default}
	for len(cells) > 0 {
		f := screen.Frame{Cols: r.cols, Rows: r.rows, Cells: make([]vt.Cell, r.cols*r.rows)}
		n := copy(f.Cells, cells)
		for i := n; i < len(f.Cells); i++ {
			f.Cells[i] = blank
		}
		picture := r.picture(&f)
		for i, c := range cells[:n] {
			light := r.light(picture, i%r.cols, i/r.cols)
			m := match{rune: c.Rune}
			m.inked, m.bare = extremes(light, r.display.CellAt(0, 0).Dx())
			r.samples = append(r.samples, sample{c.Rune, light, m})
		}
		cells = cells[n:]
	}
	picture := r.picture(&screen.Frame{CursorVisible: true})
	at := r.display.CellAt(0, 0).Min
	r.cursor = picture.RGBAAt(at.X, at.Y)
}

// picture draws a frame.
func (r *reader) picture(f *screen.Frame) *image.RGBA {
	r.display.Draw(f)
	p := image.NewRGBA(image.Rect(0, 0, r.memory.Width, r.memory.Height))
	for i := range len(p.Pix) / 4 {
		pixel := binary.NativeEndian.Uint32(r.memory.Pix[i*4:])
		binary.BigEndian.PutUint32(p.Pix[i*4:], pixel<<8|0xFF)
	}
	return p
}

// light returns the brightness of the pixels of a cell, with mean 0 and norm 1; nil if they are all equal.
func (r *reader) light(p *image.RGBA, x, y int) []float32 {
	at := r.display.CellAt(x, y)
	v := make([]float32, 0, at.Dx()*at.Dy())
	var mean float32
	for j := at.Min.Y; j < at.Max.Y; j++ {
		for i := at.Min.X; i < at.Max.X; i++ {
			c := p.RGBAAt(i, j)
			l := 0.3*float32(c.R) + 0.6*float32(c.G) + 0.1*float32(c.B)
			v = append(v, l)
			mean += l
		}
	}
	mean /= float32(len(v))
	var norm float64
	for i := range v {
		v[i] -= mean
		norm += float64(v[i] * v[i])
	}
	if norm < 1 {
		return nil
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(norm))
	}
	return v
}

// extremes returns the brightest and the darkest pixel.
func extremes(light []float32, width int) (inked, bare image.Point) {
	high, low := 0, 0
	for i, l := range light {
		if l > light[high] {
			high = i
		}
		if l < light[low] {
			low = i
		}
	}
	return image.Pt(high%width, high/width), image.Pt(low%width, low/width)
}

// read recognizes the characters of a picture.
func (r *reader) read(picture *image.RGBA) *Picture {
	p := &Picture{Image: picture, Cursor: image.Pt(-1, -1), reader: r}
	for y := range r.rows {
		var line []rune
		for x := range r.cols {
			m := r.recognize(picture, x, y)
			p.cells = append(p.cells, m)
			line = append(line, m.rune)
			if _, ground := p.Colors(x, y); ground == r.cursor && p.Cursor.X < 0 {
				p.Cursor = image.Pt(x, y)
			}
		}
		p.Lines = append(p.Lines, strings.TrimRight(string(line), " "))
	}
	return p
}

// recognize returns the character whose picture is most like a cell's, brighter or darker than the ground.
func (r *reader) recognize(picture *image.RGBA, x, y int) match {
	at := r.display.CellAt(x, y)
	var key []byte
	for j := at.Min.Y; j < at.Max.Y; j++ {
		key = append(key, picture.Pix[picture.PixOffset(at.Min.X, j):][:at.Dx()*4]...)
	}
	if m, ok := r.known[string(key)]; ok {
		return m
	}
	m := match{rune: ' '}
	if light := r.light(picture, x, y); light != nil {
		m.rune = '\uFFFD'
		best := float32(0.9)
		for i := range r.samples {
			s := &r.samples[i]
			var like float32
			for k := range s.light {
				like += light[k] * s.light[k]
			}
			if like = float32(math.Abs(float64(like))); like > best+1e-4 {
				best, m = like, s.match
			}
		}
	}
	r.known[string(key)] = m
	return m
}
