package screen

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"bootllama/metal/vt"
)

var update = flag.Bool("update", false, "write the golden pictures")

// plain is a cell without colours and attributes.
var plain = vt.Cell{Rune: ' ', Fg: vt.Default, Bg: vt.Default}

// newDisplay makes a display in RAM.
func newDisplay(t testing.TB, width, height int, o Options) *Display {
	t.Helper()
	d, err := New(RAM(width, height), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// blankFrame returns an empty frame of a display's size.
func blankFrame(d *Display) *Frame {
	cols, rows := d.Size()
	return &Frame{Cols: cols, Rows: rows, Cells: slices.Repeat([]vt.Cell{plain}, cols*rows)}
}

// write writes text from (x, y) on, in the style of a cell; characters that vt holds for wide get two.
func (f *Frame) write(x, y int, text string, style vt.Cell) {
	for _, r := range text {
		style.Rune = r
		f.Cells[y*f.Cols+x] = style
		if x++; vt.Width(r) == 2 {
			style.Rune = 0
			f.Cells[y*f.Cols+x] = style
			x++
		}
	}
}

// picture is what a framebuffer of RAM's pixels shows.
func picture(fb *Framebuffer) *image.RGBA {
	p := image.NewRGBA(image.Rect(0, 0, fb.Width, fb.Height))
	for y := range fb.Height {
		for x := range fb.Width {
			v := binary.NativeEndian.Uint32(fb.Pix[y*fb.Stride+x*4:])
			binary.BigEndian.PutUint32(p.Pix[p.PixOffset(x, y):], v<<8|0xFF)
		}
	}
	return p
}

func TestSize(t *testing.T) {
	for _, c := range []struct{ width, height, fontSize, cols, rows, cellWidth, cellHeight int }{
		{640, 480, 0, 80, 30, 8, 16},
		{800, 600, 0, 99, 37, 8, 16},
		{1024, 768, 0, 113, 42, 9, 18},
		{1280, 800, 0, 115, 36, 11, 22},
		{1366, 768, 0, 113, 33, 12, 23},
		{1920, 1080, 0, 119, 34, 16, 31},
		{2560, 1440, 0, 115, 33, 22, 43},
		{3840, 2160, 0, 119, 34, 32, 62},
		{800, 1280, 0, 99, 80, 8, 16},
		{320, 200, 0, 64, 20, 5, 10},
		{1920, 1080, 16, 239, 67, 8, 16},
		{1920, 1080, 40, 90, 27, 21, 40},
		{640, 480, 256, 20, 7, 32, 62},   // too large: 20 characters in a line
		{3840, 2160, 8, 479, 135, 8, 16}, // too small: more cells than a terminal has
	} {
		d := newDisplay(t, c.width, c.height, Options{FontSize: c.fontSize})
		cols, rows := d.Size()
		cell := d.CellAt(0, 0)
		if cols != c.cols || rows != c.rows || cell.Dx() != c.cellWidth || cell.Dy() != c.cellHeight {
			t.Errorf("%dx%d, font size %d: %d x %d cells of %d x %d, want %d x %d of %d x %d", c.width, c.height, c.fontSize,
				cols, rows, cell.Dx(), cell.Dy(), c.cols, c.rows, c.cellWidth, c.cellHeight)
		}
		last := d.CellAt(cols-1, rows-1).Max
		if l, r := cell.Min.X, c.width-last.X; l < 0 || r < l || r > l+1 {
			t.Errorf("%dx%d: %d pixels left of the cells, %d right", c.width, c.height, l, r)
		}
		if a, b := cell.Min.Y, c.height-last.Y; a < 0 || b < a || b > a+1 {
			t.Errorf("%dx%d: %d pixels above the cells, %d below", c.width, c.height, a, b)
		}
		if cols*rows > vt.MaxCells {
			t.Errorf("%dx%d: %d cells", c.width, c.height, cols*rows)
		}
	}
	for _, bad := range []int{-1, 7, 257, 1 << 40} {
		if _, err := New(RAM(640, 480), Options{FontSize: bad}); err == nil || !strings.Contains(err.Error(), "8 to 256") {
			t.Errorf("a font size of %d: %v", bad, err)
		}
	}
}

func TestBadFramebuffer(t *testing.T) {
	for name, spoil := range map[string]func(*Framebuffer){
		"no width":       func(fb *Framebuffer) { fb.Width = 0 },
		"a huge height":  func(fb *Framebuffer) { fb.Height = 1 << 40 },
		"short rows":     func(fb *Framebuffer) { fb.Stride = 640*4 - 4 },
		"a huge stride":  func(fb *Framebuffer) { fb.Stride = 1 << 60 },
		"little memory":  func(fb *Framebuffer) { fb.Pix = fb.Pix[1:] },
		"no red":         func(fb *Framebuffer) { fb.Red.Length = 0 },
		"blue beyond 32": func(fb *Framebuffer) { fb.Blue = Field{25, 8} },
		"a far offset":   func(fb *Framebuffer) { fb.Green.Offset = 1 << 31 },
	} {
		fb := RAM(640, 480)
		spoil(&fb)
		if _, err := New(fb, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(RAM(3, 3), Options{}); err == nil {
		t.Error("3 x 3 pixels are enough")
	}
}

// sample is a frame with some of everything.
func sample(d *Display) *Frame {
	f := blankFrame(d)
	f.write(0, 0, "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz 0123456789", plain)
	f.write(0, 1, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ “a” ‘b’ – — … • ÀÉÎÕÜ ßçñøå", plain)
	f.write(0, 2, "Το γρήγορο καφέ. Съешь ещё этих мягких. 国 ✅ ❌ ∈ é", plain)
	for i, line := range strings.Split(`╔═╦═╗ ┌─┬─┐ ┏━┳━┓ ╭───╮ ╒═╤═╕ ╓─╥─╖ ←↑→↓↔↕↖↗↘↙
║a║b║ │a│b│ ┃a┃b┃ │╱╲╳│ │a│b│ ║a║b║ ──→ ←── ❯ ✓ ✗
╠═╬═╣ ├─┼─┤ ┣━╋━┫ │abc│ ╞═╪═╡ ╟─╫─╢ ▁▂▃▄▅▆▇█▉▊▋▌▍▎▏▀▐░▒▓▔▕
╚═╩═╝ └─┴─┘ ┗━┻━┛ ╰───╯ ╘═╧═╛ ╙─╨─╜ ▖▗▘▙▚▛▜▝▞▟ ⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏⣿
┄┅┆┇┈┉┊┋╌╍╎╏ ├┝┞┟┠┡┢┣┤┥┦┧┨┩┪┫ ╀╁╂╃╄╅╆╇╈╉╊╋ ╴╵╶╷╸╹╺╻╼╽╾╿`, "\n") {
		f.write(0, 3+i, line, plain)
	}
	x := 0
	for i, name := range []string{"bold", "dim", "italic", "underline", "reverse", "strike", "all"} {
		style := plain
		style.Attr = 1 << i
		if name == "all" {
			style.Attr = vt.Bold | vt.Italic | vt.Underline | vt.Strike | vt.Reverse
		}
		f.write(x, 8, name+" Agj", style)
		x += len(name) + 5
	}
	for i := range 16 {
		f.write(i*4, 9, "Ag ", vt.Cell{Fg: vt.Color(i), Bg: vt.Default})
		f.write(i*4, 10, "Ag ", vt.Cell{Fg: vt.Default, Bg: vt.Color(i), Attr: vt.Reverse})
	}
	for i := range f.Cols {
		f.write(i, 11, "▄", vt.Cell{Fg: vt.RGB | vt.Color(i*3<<16|80<<8|255-i*3), Bg: vt.Color(16 + i*2)})
	}
	f.write(0, 12, "You: tell me a tale", plain)
	f.CursorX, f.CursorY, f.CursorVisible = 19, 12, true
	return f
}

// TestGolden compares pictures with ones that a person has looked at: all of one, and the sums of larger ones.
func TestGolden(t *testing.T) {
	const name = "testdata/640x208.png"
	d := newDisplay(t, 640, 208, Options{FontSize: 16})
	d.Draw(sample(d))
	got := picture(&d.fb)
	if *update {
		var b bytes.Buffer
		if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, got); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	want := image.NewRGBA(golden.Bounds())
	draw.Draw(want, want.Rect, golden, image.Point{}, draw.Src)
	if want.Rect != got.Rect || !bytes.Equal(want.Pix, got.Pix) {
		t.Errorf("%s: the picture has changed; -update writes the new one", name)
	}
	for _, c := range []struct {
		width, height, size int
		sum                 uint32
	}{{880, 286, 22, 0x7e94ea22}, {1040, 403, 31, 0x9b52ee0e}, {2080, 806, 62, 0xecebce97}} {
		d := newDisplay(t, c.width, c.height, Options{FontSize: c.size})
		d.Draw(sample(d))
		if got := crc32.ChecksumIEEE(d.fb.Pix); got != c.sum {
			t.Errorf("font size %d: the picture's sum is %#x, want %#x", c.size, got, c.sum)
		}
	}
}

// TestChanges: whatever is drawn one after the other on one display, the picture is that of the last frame alone; what has not
// changed is not written; and what lay in the framebuffer before makes no difference.
func TestChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	d := newDisplay(t, 325, 170, Options{FontSize: 16})
	cols, rows := d.Size()
	f := blankFrame(d)
	runes := []rune("  aAgÅ─█国あ✓\U0001F600")
	styles := []vt.Cell{plain, {Fg: 1, Bg: vt.Default}, {Fg: vt.Default, Bg: 4, Attr: vt.Bold | vt.Underline}}
	for step := range 400 {
		switch random.IntN(12) {
		case 0: // scroll
			copy(f.Cells, f.Cells[f.Cols:])
		case 1:
			f.Cols, f.Rows = 1+random.IntN(cols+3), 1+random.IntN(rows+3)
			f.Cells = slices.Repeat([]vt.Cell{plain}, f.Cols*f.Rows)
		case 2:
			f.CursorX, f.CursorY, f.CursorVisible = random.IntN(cols+1), random.IntN(rows+1), random.IntN(3) > 0
		default:
			for range 1 + random.IntN(5) {
				c := styles[random.IntN(len(styles))]
				c.Rune = runes[random.IntN(len(runes))]
				at := random.IntN(len(f.Cells))
				f.Cells[at] = c
				if vt.Width(c.Rune) == 2 && (at+1)%f.Cols != 0 { // also halves without the other one come about
					c.Rune = 0
					f.Cells[at+1] = c
				}
			}
		}
		before := bytes.Clone(d.fb.Pix)
		damage := d.Draw(f)
		for y := range d.fb.Height {
			for x := range d.fb.Width {
				at := y*d.fb.Stride + x*4
				if !image.Pt(x, y).In(damage) && !bytes.Equal(before[at:at+4], d.fb.Pix[at:at+4]) {
					t.Fatalf("step %d: pixel (%d, %d) was written, outside of %v", step, x, y, damage)
				}
			}
		}
		fresh := RAM(d.fb.Width, d.fb.Height)
		for i := range fresh.Pix {
			fresh.Pix[i] = byte(random.Uint32())
		}
		other, err := New(fresh, Options{FontSize: 16})
		if err != nil {
			t.Fatal(err)
		}
		if other.Draw(f); !bytes.Equal(other.fb.Pix, d.fb.Pix) {
			t.Fatalf("step %d: the picture depends on what was shown before", step)
		}
		if again := d.Draw(f); !again.Empty() {
			t.Fatalf("step %d: %v was drawn, and nothing had changed", step, again)
		}
	}
}

// TestDamage: one character costs one cell, and a screen that is the same nothing.
func TestDamage(t *testing.T) {
	d := newDisplay(t, 640, 480, Options{})
	f := blankFrame(d)
	d.Draw(f)
	f.write(7, 3, "x", plain)
	if got := d.Draw(f); got != d.CellAt(7, 3) {
		t.Errorf("a character: %v was drawn, want %v", got, d.CellAt(7, 3))
	}
	f.write(10, 5, "国", plain)
	if got, want := d.Draw(f), d.CellAt(10, 5).Union(d.CellAt(11, 5)); got != want {
		t.Errorf("a wide character: %v was drawn, want %v", got, want)
	}
	f.CursorX, f.CursorY, f.CursorVisible = 10, 5, true
	both := d.CellAt(10, 5).Union(d.CellAt(11, 5))
	if got := d.Draw(f); got != both {
		t.Errorf("the cursor on a wide character: %v was drawn, want %v", got, both)
	}
	left := picture(&d.fb)
	if f.CursorX++; d.Draw(f) != both || !bytes.Equal(picture(&d.fb).Pix, left.Pix) {
		t.Error("the cursor on the right half of a wide character is not that on the left half")
	}
	d.Clear()
	if got := d.Draw(f); got.Dx() != 640 || got.Dy() != 480 {
		t.Errorf("after Clear %v was drawn", got)
	}
}

// TestPixels: any order and width of the colours' bits, and rows that are longer than their pixels.
func TestPixels(t *testing.T) {
	const width, height = 100, 40
	show := func(fb Framebuffer) *Display {
		d, err := New(fb, Options{FontSize: 16})
		if err != nil {
			t.Fatal(err)
		}
		f := blankFrame(d)
		f.write(0, 0, "Agj█", vt.Cell{Fg: vt.RGB | 0xF0FF40, Bg: vt.RGB | 0x102030})
		d.Draw(f)
		return d
	}
	want := picture(&show(RAM(width, height)).fb)
	for _, c := range []struct{ red, green, blue Field }{
		{Field{0, 8}, Field{8, 8}, Field{16, 8}},
		{Field{24, 8}, Field{16, 8}, Field{8, 8}},
		{Field{20, 10}, Field{10, 10}, Field{0, 10}},
		{Field{10, 5}, Field{5, 5}, Field{0, 5}},
	} {
		const stride = width*4 + 28
		fb := Framebuffer{Pix: bytes.Repeat([]byte{0xAB}, stride*height), Width: width, Height: height, Stride: stride,
			Red: c.red, Green: c.green, Blue: c.blue}
		show(fb)
		for y := range height {
			for x := range width {
				v := binary.NativeEndian.Uint32(fb.Pix[y*stride+x*4:])
				level := func(f Field) uint8 {
					most := uint32(1)<<f.Length - 1
					return uint8((v>>f.Offset&most*510 + most) / (2 * most))
				}
				got := color.RGBA{level(c.red), level(c.green), level(c.blue), 255}
				w := want.RGBAAt(x, y)
				near := func(a, b uint8) bool { return max(a, b)-min(a, b) <= uint8(255>>c.red.Length) }
				if !near(got.R, w.R) || !near(got.G, w.G) || !near(got.B, w.B) {
					t.Fatalf("%v: pixel (%d, %d) is %v, want %v", c, x, y, got, w)
				}
			}
			for _, b := range fb.Pix[y*stride+width*4 : (y+1)*stride] {
				if b != 0xAB {
					t.Fatalf("%v: bytes behind the pixels of row %d were written", c, y)
				}
			}
		}
	}
}

// TestAllocations: drawing allocates nothing, since the collector is off while a text is made.
func TestAllocations(t *testing.T) {
	d := newDisplay(t, 640, 480, Options{})
	f := sample(d)
	d.Draw(f)
	n := testing.AllocsPerRun(10, func() {
		copy(f.Cells, f.Cells[f.Cols:])
		f.CursorY = (f.CursorY + 1) % f.Rows
		d.Draw(f)
	})
	if n != 0 {
		t.Errorf("%v allocations for a scrolled screen", n)
	}
}

// BenchmarkScroll draws a whole screen in which every line has another text than before.
func BenchmarkScroll(b *testing.B) {
	for _, s := range []struct{ width, height, size int }{{640, 480, 0}, {1920, 1080, 0}, {3840, 2160, 0}, {3840, 2160, 16}} {
		b.Run(fmt.Sprintf("%dx%d/%d", s.width, s.height, s.size), func(b *testing.B) {
			d := newDisplay(b, s.width, s.height, Options{FontSize: s.size})
			f := blankFrame(d)
			for i := range f.Cells {
				f.Cells[i].Rune = '!' + rune(i*7%94)
			}
			d.Draw(f)
			cells := 0
			for b.Loop() {
				first := f.Cells[0]
				copy(f.Cells, f.Cells[1:])
				f.Cells[len(f.Cells)-1] = first
				r := d.Draw(f)
				cells = r.Dx() * r.Dy() / (d.size.width * d.size.height)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/screen")
			b.ReportMetric(float64(cells), "cells")
		})
	}
}
