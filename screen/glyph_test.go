package screen

import (
	"bytes"
	"testing"

	"bootllama/metal/vt"
)

// cells makes the pictures of characters in cells that belong to a font size.
func cells(t *testing.T, fontSize int) *glyphs {
	t.Helper()
	d := newDisplay(t, 4000, 2000, Options{FontSize: fontSize})
	return &d.glyphs
}

// column and row return the coverage along a side of a picture.
func column(pix []byte, width, x int) (v []byte) {
	for i := x; i < len(pix); i += width {
		v = append(v, pix[i])
	}
	return v
}

func row(pix []byte, width, y int) []byte { return pix[y*width:][:width] }

// TestJoins: what a line drawing character has at the side of its cell is what the opposite side of any other has there, so
// that lines continue, at every size. A side without a line is free; and lines meet in the middle.
func TestJoins(t *testing.T) {
	for size := 8; size <= 64; size++ {
		g := cells(t, size)
		w, h := g.size.width, g.size.height
		picture := func(r rune) []byte { return bytes.Clone(g.get(r, 0, false)) }
		sides := func(pix []byte) [4][]byte {
			return [4][]byte{row(pix, w, 0), column(pix, w, w-1), row(pix, w, h-1), column(pix, w, 0)}
		}
		var want [2][4][]byte // by weight, of vertical and horizontal lines
		for i, lines := range [2]string{" │┃║", " ─━═"} {
			for weight, r := range []rune(lines) {
				want[i][weight] = sides(picture(r))[i]
			}
		}
		for weight := 1; weight < 4; weight++ {
			for i := range want {
				if n := bytes.Count(want[i][weight], []byte{255}); n != map[int]int{light: 1, heavy: 2, double: 2}[weight]*g.size.line {
					t.Errorf("size %d: %d pixels in a line of weight %d", size, n, weight)
				}
			}
		}
		arcs := map[rune]string{'╭': "0110", '╮': "0011", '╯': "1001", '╰': "1100"}
		for r := rune(0x2500); r < 0x2580; r++ {
			entry := arms[(r-0x2500)*5:][:4]
			if arcs[r] != "" {
				entry = arcs[r]
			}
			if entry[0] == '.' || dashes(r) > 1 {
				continue
			}
			pix := picture(r)
			for side, got := range sides(pix) {
				if weight := entry[side] - '0'; !bytes.Equal(got, want[side%2][weight]) {
					t.Errorf("size %d: %c has %v at side %d, a line of weight %d has %v", size, r, got, side, weight, want[side%2][weight])
				}
			}
			if n := pieces(pix, w); n != 1 && !bytes.ContainsRune([]byte(entry), '3') {
				t.Errorf("size %d: %c is in %d pieces", size, r, n)
			}
		}
		for r, want := range map[rune]int{'═': 2, '║': 2, '╔': 2, '╗': 2, '╚': 2, '╝': 2, '╠': 3, '╣': 3, '╦': 3, '╩': 3, '╬': 4,
			'╒': 1, '╓': 1, '╞': 1, '╡': 1, '╪': 1, '╫': 1, '╟': 2, '╢': 2, '╤': 2, '╧': 2, '╥': 1, '╨': 1} {
			if n := pieces(picture(r), w); n != want {
				t.Errorf("size %d: %c is in %d pieces, want %d", size, r, n, want)
			}
		}
		for _, pair := range []string{"▀▄", "▌▐", "▖▜", "▗▛", "▘▟", "▝▙", "▚▞"} {
			r := []rune(pair)
			a, b := picture(r[0]), picture(r[1])
			for i := range a {
				if a[i]+b[i] != 255 {
					t.Errorf("size %d: %s leave a gap or overlap", size, pair)
					break
				}
			}
		}
		last := 0
		for _, r := range "▁▂▃▄▅▆▇█" {
			n := bytes.Count(picture(r), []byte{255})
			if n <= last {
				t.Errorf("size %d: %c has %d pixels, the one before %d", size, r, n, last)
			}
			last = n
		}
		if last != w*h {
			t.Errorf("size %d: the full block leaves %d pixels", size, w*h-last)
		}
		// An arrow's shaft is a line that begins at the side.
		for r, side := range map[rune]int{'←': right, '→': left, '↑': down, '↓': up} {
			if got := sides(picture(r))[side]; !bytes.Equal(got, want[side%2][light]) {
				t.Errorf("size %d: %c has %v at side %d", size, r, got, side)
			}
		}
	}
}

// pieces counts the connected parts of what is covered by a quarter or more.
func pieces(pix []byte, width int) (n int) {
	pix = bytes.Clone(pix)
	var clearFrom func(i int)
	clearFrom = func(i int) {
		if i < 0 || i >= len(pix) || pix[i] < 64 {
			return
		}
		pix[i] = 0
		clearFrom(i - width)
		clearFrom(i + width)
		if i%width > 0 {
			clearFrom(i - 1)
		}
		if i%width < width-1 {
			clearFrom(i + 1)
		}
	}
	for i := range pix {
		if pix[i] >= 64 {
			n++
			clearFrom(i)
		}
	}
	return n
}

// TestLetters: every character of ASCII and the alphabets of Europe has a picture of its own, with room above and below, and
// bold and italic ones differ.
func TestLetters(t *testing.T) {
	for _, size := range []int{8, 10, 12, 16, 22, 31, 62} {
		g := cells(t, size)
		w, h := g.size.width, g.size.height
		if f := g.faces[0]; f.y(f.top, true) < 0 || f.y(-f.bottom, true) > float32(h)+0.01 || f.advance*f.scale > float32(w)+0.01 {
			t.Errorf("size %d: letters go from row %v to %v", size, f.y(f.top, true), f.y(-f.bottom, true))
		}
		seen := map[string]rune{}
		for r := '!'; r <= '~'; r++ {
			pix := bytes.Clone(g.get(r, 0, false))
			if other, ok := seen[string(pix)]; ok && size > 8 {
				t.Errorf("size %d: %c and %c look the same", size, r, other)
			}
			if seen[string(pix)] = r; pieces(pix, w) == 0 && size > 10 {
				t.Errorf("size %d: %c is pale", size, r)
			}
			if bytes.Count(pix, []byte{0}) == len(pix) {
				t.Errorf("size %d: %c has no ink", size, r)
			}
			if n := bytes.Count(row(pix, w, 0), []byte{0}); n != w && size > 12 {
				t.Errorf("size %d: %c touches the line above", size, r)
			}
			for _, style := range []vt.Attr{vt.Bold, vt.Italic, vt.Bold | vt.Italic} {
				if bytes.Equal(pix, g.get(r, style, false)) {
					t.Errorf("size %d: %c looks the same in style %d", size, r, style)
				}
			}
		}
		g.pen.begin(make([]byte, w*h), w, g.size)
		g.pen.missing()
		box := g.pen.pix
		for _, r := range "ÄÖÜäöüßéèêëçñøåÅæœŁłŠšŽžŐőİığ€£§°±×÷«»¿¡–—‘’“”„…•™ΑΒΓΔΩαβγδωάέήίόύώΆΈАБВЖЯабвжяёЁіїєґџђ≤≥≠≈√∞∑→←↑↓" {
			if pix := g.get(r, 0, false); bytes.Equal(pix, box) || pieces(pix, w) == 0 && size > 10 {
				t.Errorf("size %d: there is no %c", size, r)
			}
		}
		for r, like := range map[rune]rune{'‑': '-', '＋': '+', '\u00A0': ' ', '\u2009': ' ', '\u3000': ' ', '✔': '✓', '✅': '✓'} {
			if !bytes.Equal(g.get(r, 0, false), bytes.Clone(g.get(like, 0, false))) {
				t.Errorf("size %d: %q does not look like %q", size, r, like)
			}
		}
		for _, r := range "国\U0001F600" {
			if pix := g.get(r, 0, true); len(pix) != 2*w*h || pieces(pix, 2*w) != 1 {
				t.Errorf("size %d: the box of %c, which is missing, has %d pixels in %d pieces", size, r, len(pix), pieces(pix, 2*w))
			}
		}
	}
}

// TestBaseline: the feet of letters stand on one row, and x, and capital letters are of equal heights: their edges are sharp.
func TestBaseline(t *testing.T) {
	for _, size := range []int{16, 18, 22, 23, 31, 43, 62} {
		g := cells(t, size)
		w := g.size.width
		top := func(r rune) int {
			for y := range g.size.height {
				if pix := row(g.get(r, 0, false), w, y); bytes.IndexFunc(pix, func(c rune) bool { return true }) >= 0 && most(pix) > 200 {
					return y
				}
			}
			return -1
		}
		for _, group := range []string{"xzuvwnr", "HEFTIZ"} {
			for _, r := range group[1:] {
				if first := rune(group[0]); top(r) != top(first) {
					t.Errorf("size %d: %c begins in row %d, %c in %d", size, r, top(r), first, top(first))
				}
			}
		}
		for _, r := range "xzHEFTIZfhikmnr" {
			pix := g.get(r, 0, false)
			if foot, below := row(pix, w, g.size.baseline()-1), row(pix, w, g.size.baseline()); most(foot) < 200 || most(below) > 0 {
				t.Errorf("size %d: %c does not stand on row %d: %v, below %v", size, r, g.size.baseline()-1, foot, below)
			}
		}
	}
}

func most(pix []byte) (m byte) {
	for _, v := range pix {
		m = max(m, v)
	}
	return m
}

// TestManyGlyphs: more characters than there is memory for are drawn, each as if it were the only one.
func TestManyGlyphs(t *testing.T) {
	d := newDisplay(t, 2000, 2000, Options{FontSize: 128})
	g := &d.glyphs
	if g.many > 1000 || g.many <= slotsInChunk {
		t.Fatalf("there is room for %d pictures: the test is of no use", g.many)
	}
	first := bytes.Clone(g.get('A', 0, false))
	second := bytes.Clone(g.get('国', 0, true))
	g.get('B', 0, false)
	for r := rune(0x2800); r < 0x2900; r++ { // five cells each: one wide character comes to the last cell of a chunk
		g.get(r, 0, false)
		g.get(r, 0, true)
		g.get(r, vt.Bold, true)
	}
	if !bytes.Equal(first, g.get('A', 0, false)) || !bytes.Equal(second, g.get('国', 0, true)) {
		t.Error("a character looks another way when it is drawn again")
	}
	if have := len(g.slots) * slotsInChunk * g.size.width * g.size.height; have > mostPictures+slotsInChunk*g.size.width*g.size.height {
		t.Errorf("the pictures take %d bytes, more than %d", have, mostPictures)
	}
}
