package screen

// Lines, blocks, arrows and braille are drawn by rule rather than from a font, so that they meet those of the next cell at
// every size.

// shape draws a character that is drawn by rule, and reports whether it is one.
func (p *pen) shape(r rune) bool {
	switch {
	case r >= 0x2500 && r < 0x2580:
		p.box(r)
	case r >= 0x2580 && r < 0x25A0:
		p.block(r)
	case r >= 0x2800 && r < 0x2900:
		p.braille(r)
	case r >= 0x2190 && r <= 0x2199:
		p.arrow(r)
	default:
		return p.mark(r)
	}
	return true
}

// arms has for each of U+2500 to U+257F the lines from the middle of the cell up, right, down, left: 0 none, 1 light, 2 heavy,
// 3 double. Arcs and diagonals have dots.
const arms = "" +
	"0101 0202 1010 2020 0101 0202 1010 2020 " + // ─━│┃┄┅┆┇
	"0101 0202 1010 2020 0110 0210 0120 0220 " + // ┈┉┊┋┌┍┎┏
	"0011 0012 0021 0022 1100 1200 2100 2200 " + // ┐┑┒┓└┕┖┗
	"1001 1002 2001 2002 1110 1210 2110 1120 " + // ┘┙┚┛├┝┞┟
	"2120 2210 1220 2220 1011 1012 2011 1021 " + // ┠┡┢┣┤┥┦┧
	"2021 2012 1022 2022 0111 0112 0211 0212 " + // ┨┩┪┫┬┭┮┯
	"0121 0122 0221 0222 1101 1102 1201 1202 " + // ┰┱┲┳┴┵┶┷
	"2101 2102 2201 2202 1111 1112 1211 1212 " + // ┸┹┺┻┼┽┾┿
	"2111 1121 2121 2112 2211 1122 1221 2212 " + // ╀╁╂╃╄╅╆╇
	"1222 2122 2221 2222 0101 0202 1010 2020 " + // ╈╉╊╋╌╍╎╏
	"0303 3030 0310 0130 0330 0013 0031 0033 " + // ═║╒╓╔╕╖╗
	"1300 3100 3300 1003 3001 3003 1310 3130 " + // ╘╙╚╛╜╝╞╟
	"3330 1013 3031 3033 0313 0131 0333 1303 " + // ╠╡╢╣╤╥╦╧
	"3101 3303 1313 3131 3333 .... .... .... " + // ╨╩╪╫╬╭╮╯
	".... .... .... .... 0001 1000 0100 0010 " + // ╰╱╲╳╴╵╶╷
	"0002 2000 0200 0020 0201 1020 0102 2010 " //   ╸╹╺╻╼╽╾╿

// dashes returns into how many pieces a line is cut, 1 for a whole one.
func dashes(r rune) int {
	switch {
	case r >= 0x2504 && r <= 0x2507:
		return 3
	case r >= 0x2508 && r <= 0x250B:
		return 4
	case r >= 0x254C && r <= 0x254F:
		return 2
	}
	return 1
}

const (
	none = iota
	light
	heavy
	double
)

const (
	up = iota
	right
	down
	left
)

// thickness returns how wide a line is, a double one with the gap.
func (p *pen) thickness(weight byte) int {
	switch weight {
	case light:
		return p.size.line
	case heavy:
		return 2 * p.size.line
	case double:
		return 3 * p.size.line
	}
	return 0
}

// box draws one of U+2500 to U+257F.
func (p *pen) box(r rune) {
	entry := arms[(r-0x2500)*5:][:4]
	switch n := dashes(r); {
	case r >= 0x2571 && r <= 0x2573:
		p.diagonals(r != 0x2572, r != 0x2571)
	case entry[0] == '.':
		p.arc(r)
	case n > 1:
		p.dashed(entry, n)
	default:
		var a [4]byte
		for i := range a {
			a[i] = entry[i] - '0'
		}
		p.lines(a)
	}
}

// lines draws lines from the middle to the sides. A double line is one as wide as both and the gap, out of which the gap is
// then cut; so the corners and junctions of double lines come out as they should.
func (p *pen) lines(a [4]byte) {
	for side := range a {
		p.arm(side, p.thickness(a[side]), p.reach(a, side), 255)
	}
	for side := range a {
		if a[side] == double {
			p.arm(side, p.size.line, p.gapReach(a, side), 0)
		}
	}
}

// reach returns how far beyond the middle of the cell an arm goes, in half pixels: to the far edge of the lines across it, so
// that the corner is filled.
func (p *pen) reach(a [4]byte, side int) int {
	return max(p.thickness(a[(side+1)%4]), p.thickness(a[(side+3)%4]))
}

// gapReach returns how far beyond the middle the gap of a double arm goes. It ends at the near edge of a single line that
// crosses or ends it, and goes through where lines across are double, or where there is one on one side only.
func (p *pen) gapReach(a [4]byte, side int) int {
	one, other, opposite := a[(side+1)%4], a[(side+3)%4], a[(side+2)%4]
	switch {
	case one == double || other == double:
		return p.size.line
	case opposite == double && (one == none || other == none):
		return 0
	}
	return -max(p.thickness(one), p.thickness(other))
}

// arm covers a line from one side of the cell to the middle and reach half pixels further.
func (p *pen) arm(side, thickness, reach int, coverage byte) {
	if thickness == 0 {
		return
	}
	x, y := (p.width-thickness)/2, (p.height-thickness)/2
	// The edges of the line across, which stands in the middle as this one does, at the same pixels.
	near, far := func(n int) int { return (n - abs(reach)) / 2 }, func(n int) int { return (n-abs(reach))/2 + abs(reach) }
	if reach == 0 {
		near, far = func(n int) int { return n / 2 }, func(n int) int { return n / 2 }
	}
	if reach < 0 {
		near, far = far, near
	}
	switch side {
	case up:
		p.rect(x, 0, x+thickness, far(p.height), coverage)
	case right:
		p.rect(near(p.width), y, p.width, y+thickness, coverage)
	case down:
		p.rect(x, near(p.height), x+thickness, p.height, coverage)
	case left:
		p.rect(0, y, far(p.width), y+thickness, coverage)
	}
}

func abs(n int) int { return max(n, -n) }

// dashed draws a line that is cut into n pieces, with half a gap at both ends.
func (p *pen) dashed(entry string, n int) {
	length, vertical, weight := p.width, entry[up] != '0', entry[right]-'0'
	if vertical {
		length, weight = p.height, entry[up]-'0'
	}
	t := p.thickness(weight)
	for i := range n {
		from, to := length*i/n, length*(i+1)/n
		gap := max(1, (to-from)/3)
		from += gap / 2
		to -= gap - gap/2
		if vertical {
			x := (p.width - t) / 2
			p.rect(x, from, x+t, max(to, from+1), 255)
		} else {
			y := (p.height - t) / 2
			p.rect(from, y, max(to, from+1), y+t, 255)
		}
	}
}

// arc draws a quarter of a circle between the middles of two sides: U+256D to U+2570.
func (p *pen) arc(r rune) {
	toRight, toDown := r == 0x256D || r == 0x2570, r == 0x256D || r == 0x256E
	t := float32(p.size.line)
	x, y := float32((p.width-p.size.line)/2), float32((p.height-p.size.line)/2)
	w, h := float32(p.width), float32(p.height)
	// Everything as for U+256D, right and down, and mirrored.
	mx, my := func(v float32) float32 { return v }, func(v float32) float32 { return v }
	if !toRight {
		mx, x = func(v float32) float32 { return w - v }, w-x-t
	}
	if !toDown {
		my, y = func(v float32) float32 { return h - v }, h-y-t
	}
	radius := min(w-x-t, h-y-t) - 1 // of the inner edge; the pixels at the sides are straight
	const k = 0.5523                // of a circle's quarter as a cubic curve
	outer := radius + t
	cx, cy := x+t+radius, y+t+radius // centre
	z := &p.raster
	z.MoveTo(mx(x), my(h))
	z.LineTo(mx(x), my(cy))
	z.CubeTo(mx(x), my(cy-k*outer), mx(cx-k*outer), my(y), mx(cx), my(y))
	z.LineTo(mx(w), my(y))
	z.LineTo(mx(w), my(y+t))
	z.LineTo(mx(cx), my(y+t))
	z.CubeTo(mx(cx-k*radius), my(y+t), mx(x+t), my(cy-k*radius), mx(x+t), my(cy))
	z.LineTo(mx(x+t), my(h))
	z.ClosePath()
	p.ink()
}

// diagonals draws lines from corner to corner.
func (p *pen) diagonals(rising, falling bool) {
	w, h := float32(p.width), float32(p.height)
	if rising {
		p.stroke(0, h, w, 0)
	}
	if falling {
		p.stroke(0, 0, w, h)
	}
	p.ink()
}

// stroke adds a straight line to the rasterizer, a little longer at both ends.
func (p *pen) stroke(x0, y0, x1, y1 float32) {
	dx, dy := x1-x0, y1-y0
	length := hypot(dx, dy)
	t := float32(p.size.line) / 2 / length
	dx, dy = dx*t, dy*t
	z := &p.raster
	z.MoveTo(x0-dx-dy, y0-dy+dx)
	z.LineTo(x0-dx+dy, y0-dy-dx)
	z.LineTo(x1+dx+dy, y1+dy-dx)
	z.LineTo(x1+dx-dy, y1+dy+dx)
	z.ClosePath()
}

// block draws one of U+2580 to U+259F.
func (p *pen) block(r rune) {
	w, h := p.width, p.height
	eighth := func(n, whole int) int { return (whole*n + 4) / 8 }
	lower := func(n int) { p.rect(0, h-eighth(n, h), w, h, 255) }
	const (
		upperLeft = 1 << iota
		upperRight
		lowerLeft
		lowerRight
	)
	quadrants := [...]byte{ // from U+2596 on
		lowerLeft, lowerRight, upperLeft, upperLeft | lowerLeft | lowerRight, upperLeft | lowerRight,
		upperLeft | upperRight | lowerLeft, upperLeft | upperRight | lowerRight, upperRight, upperRight | lowerLeft,
		upperRight | lowerLeft | lowerRight,
	}
	x, y := eighth(4, w), h-eighth(4, h)
	switch {
	case r == 0x2580:
		p.rect(0, 0, w, y, 255)
	case r <= 0x2588:
		lower(int(r - 0x2580))
	case r <= 0x258F:
		p.rect(0, 0, eighth(int(0x2590-r), w), h, 255)
	case r == 0x2590:
		p.rect(x, 0, w, h, 255)
	case r <= 0x2593:
		p.rect(0, 0, w, h, byte(r-0x2590)*64)
	case r == 0x2594:
		p.rect(0, 0, w, eighth(1, h), 255)
	case r == 0x2595:
		p.rect(w-eighth(1, w), 0, w, h, 255)
	default:
		q := quadrants[r-0x2596]
		for i, c := range [...][4]int{{0, 0, x, y}, {x, 0, w, y}, {0, y, x, h}, {x, y, w, h}} {
			if q>>i&1 != 0 {
				p.rect(c[0], c[1], c[2], c[3], 255)
			}
		}
	}
}

// braille draws one of U+2800 to U+28FF: the bits are dots, left 1, 2, 3, right 4, 5, 6, then both at the bottom.
func (p *pen) braille(r rune) {
	size := max(1, p.width*5/16)
	for bit, at := range [...][2]int{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {0, 3}, {1, 3}} {
		if r>>bit&1 != 0 {
			x, y := (at[0]*2+1)*p.width/4-size/2, (at[1]*2+1)*p.height/8-size/2
			p.rect(x, y, x+size, y+size, 255)
		}
	}
}

// arrow draws one of U+2190 to U+2199, ←↑→↓↔↕↖↗↘↙. The straight ones continue the lines ─ and │.
func (p *pen) arrow(r rune) {
	w, h, t := p.width, p.height, p.size.line
	x, y := (w-t)/2, (h-t)/2
	cx, cy := float32(x)+float32(t)/2, float32(y)+float32(t)/2
	length := float32(w) * 0.42
	head := func(tipX, tipY, dx, dy float32) { // a triangle that points along (dx, dy)
		const breadth = 0.8 // half of it, of length
		bx, by := tipX-dx*length, tipY-dy*length
		dx, dy = dx*length*breadth, dy*length*breadth
		p.raster.MoveTo(tipX, tipY)
		p.raster.LineTo(bx-dy, by+dx)
		p.raster.LineTo(bx+dy, by-dx)
		p.raster.ClosePath()
	}
	reachX, reachY := float32(w)*0.46, min(float32(h)*0.46, float32(w)*0.75)
	toLeft, toRight := r == '←' || r == '↔', r == '→' || r == '↔'
	toTop, toBottom := r == '↑' || r == '↕', r == '↓' || r == '↕'
	x0, y0, x1, y1 := x, y, x+t, y+t // of the shaft
	switch {
	case toLeft || toRight:
		if x0, x1 = 0, w; toLeft {
			head(cx-reachX, cy, -1, 0)
			x0 = int(cx - reachX + length/2)
		}
		if toRight {
			head(cx+reachX, cy, 1, 0)
			x1 = int(cx + reachX - length/2)
		}
	case toTop || toBottom:
		if y0, y1 = 0, h; toTop {
			head(cx, cy-reachY, 0, -1)
			y0 = int(cy - reachY + length/2)
		}
		if toBottom {
			head(cx, cy+reachY, 0, 1)
			y1 = int(cy + reachY - length/2)
		}
	default:
		d := [...][2]float32{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}[r-'↖']
		const diagonal = 0.7071
		tipX, tipY := cx+d[0]*reachX*0.8, cy+d[1]*reachX*0.8
		head(tipX, tipY, d[0]*diagonal, d[1]*diagonal)
		p.stroke(cx-d[0]*reachX*0.8, cy-d[1]*reachX*0.8, cx, cy)
		x1, y1 = x0, y0
	}
	p.ink()
	p.rect(x0, y0, x1, y1, 255)
}

// mark draws some marks that programs and assistants like and fonts lack: ❯ ✓ ✗ and what looks like them.
func (p *pen) mark(r rune) bool {
	w, base := float32(p.width), float32(p.size.baseline())
	s := float32(p.size.width)
	x, y := w/2-s/2, base-s*1.05 // a square of the middle, on the base line
	switch r {
	case '❯', '❱':
		p.polyline(x+s*0.3, y+s*0.1, x+s*0.7, y+s*0.5, x+s*0.3, y+s*0.9)
	case '❮', '❰':
		p.polyline(x+s*0.7, y+s*0.1, x+s*0.3, y+s*0.5, x+s*0.7, y+s*0.9)
	case '✓', '✔', '✅', '☑':
		p.polyline(x+s*0.12, y+s*0.6, x+s*0.38, y+s*0.88, x+s*0.88, y+s*0.15)
	case '✗', '✘', '❌', '✕', '✖', '☒':
		p.polyline(x+s*0.18, y+s*0.2, x+s*0.82, y+s*0.88)
		p.polyline(x+s*0.82, y+s*0.2, x+s*0.18, y+s*0.88)
	default:
		return false
	}
	p.ink()
	return true
}

// polyline adds strokes through points to the rasterizer.
func (p *pen) polyline(v ...float32) {
	for i := 0; i+3 < len(v); i += 2 {
		p.stroke(v[i], v[i+1], v[i+2], v[i+3])
	}
}
