package vt

// The limits of a Terminal. A screen of 3840x2160 pixels has 480 by 135 cells of 8x16.
const (
	MaxCells   = 64 << 10
	MaxColumns = 1024
	MaxRows    = 1024
)

// What a read of /dev/vcs returns: a header of eight little-endian uint32, which are columns,
// rows, the cursor's column and row from 0, 1 if the cursor is visible, a counter that changes
// with each change of what is seen, and two zeroes; then, row by row, the cells, each of four
// little-endian uint32: Rune, Fg, Bg, Attr. A read that begins at 0 waits until the counter
// differs from that which the last such read of the open file returned; the first returns at
// once.
const (
	HeaderSize = 32
	CellSize   = 16
)

// blank is an empty cell.
var blank = Cell{Rune: ' ', Fg: Default, Bg: Default}

// A Terminal is a screen and the state that sequences change. The zero value has no cells and
// ignores what is written: Resize comes first.
//
// It understands UTF-8; the control characters BS, HT, LF, VT, FF, CR, SO, SI, CAN, SUB; and
// of ECMA-48, the VT220 and xterm the sequences in sequences.go. Others are read to their end
// and ignored, strings (OSC, DCS, APC, PM, SOS) up to maxString bytes. Invalid UTF-8 shows as
// U+FFFD. Characters without a width (combining marks, joiners, selectors) are dropped: a cell
// has one character. The characters U+0080 to U+009F are dropped, too.
//
// It differs from xterm's defaults in one thing: BS in the first column goes to the end of the
// row above (reverse wraparound, mode 45, is on), so that the erase of a line that was typed
// over several rows needs no knowledge of columns.
type Terminal struct {
	columns, rows int

	screen   int               // the one that is seen: 0 the main, 1 the alternate one
	cells    [2][MaxCells]Cell // of both screens, line by line
	lines    [2][MaxRows]int16 // by row: its line, so that scrolling moves no cells
	damage   [2][MaxRows]span  // by line: columns that have changed
	scrolled int               // rows that the whole screen has moved up by
	changes  uint32

	cursor
	saved       [2]cursor // of DECSC, by screen
	top, bottom int       // the first and the last row of the scroll region
	modes       uint32
	tabs        [MaxColumns]bool
	last        rune // the latest character, for REP

	parser
	reply              [64]byte // a ring
	replyNext, replied int
	queried            bool
}

// cursor is what DECSC saves.
type cursor struct {
	x, y    int
	wrap    bool // the last column was written: the next character begins a new row
	pen     Cell // its Rune has no meaning
	origin  bool // rows are counted from the scroll region's first (DECOM)
	charset int  // G0 or G1
	drawing [2]bool
}

// span is a range of columns; end is not in it.
type span struct{ first, end int16 }

// Modes, the ones that are on.
const (
	modeInsert            = 1 << iota // IRM
	modeNewLine                       // LNM
	modeApplicationCursor             // DECCKM
	modeAutowrap                      // DECAWM
	modeCursor                        // DECTCEM
	modeReverseWrap
	modeBracketedPaste

	modesAtReset = modeAutowrap | modeCursor | modeReverseWrap
)

// Size returns the number of columns and rows.
func (t *Terminal) Size() (columns, rows int) { return t.columns, t.rows }

// Cell returns the cell at a column and a row, both from 0; an empty one outside of the screen.
func (t *Terminal) Cell(x, y int) Cell {
	if x < 0 || y < 0 || x >= t.columns || y >= t.rows {
		return blank
	}
	return t.cells[t.screen][t.at(x, y)]
}

// Row returns the cells of a row of the screen; nothing if there is no such row.
func (t *Terminal) Row(y int) []Cell {
	if y < 0 || y >= t.rows {
		return nil
	}
	i := t.at(0, y)
	return t.cells[t.screen][i : i+t.columns]
}

// Cursor returns where the next character goes, and whether a cursor is to be seen there.
func (t *Terminal) Cursor() (x, y int, visible bool) { return t.x, t.y, t.modes&modeCursor != 0 }

// Changes returns a counter that changes with each change of what Cell and Cursor return.
func (t *Terminal) Changes() uint32 { return t.changes }

// ApplicationCursor reports whether arrows, Home and End send SS3 sequences (DECCKM).
func (t *Terminal) ApplicationCursor() bool { return t.modes&modeApplicationCursor != 0 }

// BracketedPaste reports whether a paste is to stand between ESC [ 200 ~ and ESC [ 201 ~.
func (t *Terminal) BracketedPaste() bool { return t.modes&modeBracketedPaste != 0 }

// Reply returns the next byte of the terminal's answers (DSR, DA), which belong into the
// program's input; false if there is none.
func (t *Terminal) Reply() (b byte, ok bool) {
	if t.replied == 0 {
		return 0, false
	}
	b = t.reply[t.replyNext]
	t.replyNext = (t.replyNext + 1) % len(t.reply)
	t.replied--
	return b, true
}

// Queried reports whether the program has asked for a reply since the last call.
func (t *Terminal) Queried() bool {
	queried := t.queried
	t.queried = false
	return queried
}

// Scrolled returns by how many rows the whole screen has moved up since Drawn. A screen that
// was drawn before, moved up by as many rows and filled with empty cells from below, differs
// from this one in the columns of Damage only.
func (t *Terminal) Scrolled() int { return t.scrolled }

// Damage returns the columns of a row, from first to before end, that may have changed since
// Drawn; see Scrolled.
func (t *Terminal) Damage(y int) (first, end int) {
	if y < 0 || y >= t.rows {
		return 0, 0
	}
	d := t.damage[t.screen][t.lines[t.screen][y]]
	return int(d.first), int(d.end)
}

// Drawn forgets what has changed.
func (t *Terminal) Drawn() {
	t.scrolled = 0
	for line := range t.rows {
		t.damage[t.screen][line] = span{}
	}
}

// Redraw makes everything count as changed.
func (t *Terminal) Redraw() {
	t.scrolled = 0
	t.changes++
	for y := range t.rows {
		t.mark(y, 0, t.columns)
	}
}

// Move puts the cursor at a column and a row, both from 0, as far as these exist.
func (t *Terminal) Move(x, y int) {
	t.x, t.y, t.wrap = max(0, min(x, t.columns-1)), max(0, min(y, t.rows-1)), false
	t.changes++
}

// at is the place of a cell of the screen that is seen.
func (t *Terminal) at(x, y int) int { return int(t.lines[t.screen][y])*t.columns + x }

// mark notes that columns of a row have changed.
func (t *Terminal) mark(y, first, end int) {
	d := &t.damage[t.screen][t.lines[t.screen][y]]
	if d.first == d.end {
		d.first, d.end = int16(first), int16(end)
		return
	}
	d.first, d.end = min(d.first, int16(first)), max(d.end, int16(end))
}

// reset is RIS: all as at the start, and the screen empty.
func (t *Terminal) reset() {
	t.softReset()
	t.cursor = cursor{pen: blank}
	t.saved[0], t.saved[1] = t.cursor, t.cursor
	t.modes = modesAtReset
	for x := range t.tabs {
		t.tabs[x] = x%8 == 0
	}
	for screen := range t.cells {
		t.screen = 1 - screen
		for y := range t.rows {
			t.fill(y, 0, t.columns, blank)
		}
	}
	t.Redraw()
}

// softReset is DECSTR.
func (t *Terminal) softReset() {
	t.modes = t.modes&^(modeInsert|modeApplicationCursor) | modeAutowrap | modeCursor
	t.pen, t.origin, t.charset, t.wrap = blank, false, 0, false
	t.drawing[0], t.drawing[1] = false, false
	t.top, t.bottom = 0, t.rows-1
	t.saved[t.screen] = cursor{pen: blank}
	t.last = 0
}

// erased is what erasing leaves: the ground of the pen stays (bce in terminfo).
func (t *Terminal) erased() Cell { return Cell{Rune: ' ', Fg: Default, Bg: t.pen.Bg} }

// fill sets columns of a row.
func (t *Terminal) fill(y, first, end int, c Cell) {
	if first >= end {
		return
	}
	t.split(y, first)
	t.split(y, end)
	from := t.at(0, y)
	cells := t.cells[t.screen][from+first : from+end]
	for i := range cells {
		cells[i] = c
	}
	t.mark(y, first, end)
}

// split makes the halves of a wide character that stands on both sides of a column empty.
func (t *Terminal) split(y, x int) {
	if x <= 0 || x >= t.columns {
		return
	}
	if i := t.at(x, y); t.cells[t.screen][i].Rune == 0 {
		t.cells[t.screen][i-1].Rune, t.cells[t.screen][i].Rune = ' ', ' '
		t.mark(y, x-1, x+1)
	}
}

// put writes a character at the cursor.
func (t *Terminal) put(r rune, width int) {
	t.last = r
	t.changes++
	if width > t.columns {
		r, width = replacement, 1
	}
	if t.wrap || t.x+width > t.columns {
		t.wrap = false
		if t.modes&modeAutowrap != 0 {
			t.x = 0
			t.index()
		} else {
			t.x = t.columns - width
		}
	}
	if t.modes&modeInsert != 0 {
		t.insertCells(width)
	}
	t.split(t.y, t.x)
	t.split(t.y, t.x+width)
	i := t.at(t.x, t.y)
	cells := &t.cells[t.screen]
	cells[i] = Cell{r, t.pen.Fg, t.pen.Bg, t.pen.Attr}
	if width == 2 {
		cells[i+1] = Cell{0, t.pen.Fg, t.pen.Bg, t.pen.Attr}
	}
	t.mark(t.y, t.x, t.x+width)
	if t.x += width; t.x == t.columns {
		t.x--
		t.wrap = t.modes&modeAutowrap != 0
	}
}

// index moves the cursor a row down, or the scroll region a row up.
func (t *Terminal) index() {
	switch {
	case t.y == t.bottom:
		t.scrollUp(t.top, t.bottom, 1)
	case t.y < t.rows-1:
		t.y++
	}
}

// reverseIndex is index upwards.
func (t *Terminal) reverseIndex() {
	switch {
	case t.y == t.top:
		t.scrollDown(t.top, t.bottom, 1)
	case t.y > 0:
		t.y--
	}
}

// scrollUp moves the rows from first to last up; empty ones come from below.
func (t *Terminal) scrollUp(first, last, n int) {
	n = min(n, last-first+1)
	lines := t.lines[t.screen][first : last+1]
	whole := first == 0 && last == t.rows-1
	for range n {
		line := lines[0]
		for i := range len(lines) - 1 {
			lines[i] = lines[i+1]
		}
		lines[len(lines)-1] = line
		t.fill(last, 0, t.columns, t.erased())
		if whole && t.erased() == blank {
			t.damage[t.screen][line] = span{}
		}
	}
	if whole {
		t.scrolled = min(t.scrolled+n, MaxRows)
		return
	}
	for y := first; y <= last; y++ {
		t.mark(y, 0, t.columns)
	}
}

// scrollDown moves the rows from first to last down; empty ones come from above.
func (t *Terminal) scrollDown(first, last, n int) {
	n = min(n, last-first+1)
	lines := t.lines[t.screen][first : last+1]
	for range n {
		line := lines[len(lines)-1]
		for i := len(lines) - 1; i > 0; i-- {
			lines[i] = lines[i-1]
		}
		lines[0] = line
		t.fill(first, 0, t.columns, t.erased())
	}
	for y := first; y <= last; y++ {
		t.mark(y, 0, t.columns)
	}
}

// insertCells is ICH: it moves what stands from the cursor on to the right.
func (t *Terminal) insertCells(n int) {
	n = min(n, t.columns-t.x)
	t.split(t.y, t.x)
	t.split(t.y, t.columns-n)
	i := t.at(t.x, t.y)
	for end := t.at(t.columns-1, t.y); end >= i+n; end-- {
		t.cells[t.screen][end] = t.cells[t.screen][end-n]
	}
	for j := i; j < i+n; j++ {
		t.cells[t.screen][j] = t.erased()
	}
	t.mark(t.y, t.x, t.columns)
}

// deleteCells is DCH: it moves what stands behind the next n cells to the cursor.
func (t *Terminal) deleteCells(n int) {
	n = min(n, t.columns-t.x)
	t.split(t.y, t.x)
	t.split(t.y, t.x+n)
	i, end := t.at(t.x, t.y), t.at(0, t.y)+t.columns
	for ; i < end-n; i++ {
		t.cells[t.screen][i] = t.cells[t.screen][i+n]
	}
	for ; i < end; i++ {
		t.cells[t.screen][i] = t.erased()
	}
	t.mark(t.y, t.x, t.columns)
}

// show makes a screen the one that is seen.
func (t *Terminal) show(screen int) {
	if t.screen != screen {
		t.screen = screen
		t.Redraw()
	}
}

// Resize gives the screen a size, within the limits of a Terminal, and keeps what it shows as
// far as it fits: rows are lost at the top if the cursor needs them, else at the bottom, and
// columns at the right. The scroll region is the whole screen afterwards.
func (t *Terminal) Resize(columns, rows int) {
	columns = max(1, min(columns, MaxColumns))
	rows = max(1, min(rows, MaxRows, MaxCells/columns))
	if t.rows == 0 {
		t.columns, t.rows = columns, rows
		for y := range rows {
			t.lines[0][y], t.lines[1][y] = int16(y), int16(y)
		}
		t.reset()
		return
	}
	if columns == t.columns && rows == t.rows {
		return
	}
	seen := t.screen
	for screen := range t.cells {
		t.screen = screen
		c := &t.saved[screen]
		if screen == seen {
			c = &t.cursor
		}
		drop := max(0, c.y+1-rows)
		t.arrange(columns, rows, drop)
		c.y -= drop
	}
	t.screen, t.columns, t.rows = seen, columns, rows
	t.top, t.bottom = 0, rows-1
	t.cursor.limit(columns, rows)
	t.saved[0].limit(columns, rows)
	t.saved[1].limit(columns, rows)
	t.Redraw()
}

func (c *cursor) limit(columns, rows int) {
	c.x, c.y, c.wrap = max(0, min(c.x, columns-1)), max(0, min(c.y, rows-1)), false
}

// arrange moves the cells of one screen to their places in another size, without the first
// rows.
func (t *Terminal) arrange(columns, rows, drop int) {
	t.sortLines()
	cells := &t.cells[t.screen]
	kept := min(t.rows-drop, rows)
	width := min(t.columns, columns)
	for i := range kept * t.columns { // the first rows are lost
		cells[i] = cells[i+drop*t.columns]
	}
	for i := range kept { // towards a smaller stride from the first row on, towards a larger one from the last
		y := i
		if columns > t.columns {
			y = kept - 1 - i
		}
		for j := range width {
			x := j
			if columns > t.columns {
				x = width - 1 - j
			}
			cells[y*columns+x] = cells[y*t.columns+x]
		}
	}
	for y := range rows {
		t.lines[t.screen][y] = int16(y)
		t.damage[t.screen][y] = span{}
		x := 0
		if y < kept {
			x = width
			if last := &cells[y*columns+width-1]; width < t.columns && Width(last.Rune) == 2 {
				last.Rune = ' '
			}
		}
		for ; x < columns; x++ {
			cells[y*columns+x] = blank
		}
	}
}

// sortLines moves the cells of one screen so that line y is row y.
func (t *Terminal) sortLines() {
	lines, cells := &t.lines[t.screen], &t.cells[t.screen]
	for y := range t.rows {
		line := int(lines[y])
		if line == y {
			continue
		}
		for x := range t.columns {
			a, b := y*t.columns+x, line*t.columns+x
			cells[a], cells[b] = cells[b], cells[a]
		}
		for other := y + 1; other < t.rows; other++ {
			if int(lines[other]) == y {
				lines[other] = int16(line)
			}
		}
		lines[y] = int16(y)
	}
}
