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

// A Terminal is a screen and the state that sequences change. The zero value has no cells:
// Resize comes first.
type Terminal struct {
	columns, rows int
	x, y          int
	changes       uint32
	cells         [MaxCells]Cell
}

// Resize gives the screen a size, within the limits of a Terminal and at least 1 by 1, and
// keeps what it shows.
func (t *Terminal) Resize(columns, rows int) {}

// Size returns the number of columns and rows.
func (t *Terminal) Size() (columns, rows int) { return t.columns, t.rows }

// Write takes the next byte of what a program writes.
func (t *Terminal) Write(b byte) {}

// Cell returns the cell at a column and a row, both from 0.
func (t *Terminal) Cell(x, y int) Cell { return Cell{} }

// Cursor returns where the next character goes, and whether a cursor is to be seen there.
func (t *Terminal) Cursor() (x, y int, visible bool) { return t.x, t.y, true }

// Changes returns a counter that changes with each change of what Cell and Cursor return.
func (t *Terminal) Changes() uint32 { return t.changes }

// Reply returns the next byte of the terminal's answers (DSR, DA), which belong into the
// program's input; false if there is none.
func (t *Terminal) Reply() (b byte, ok bool) { return 0, false }

// ApplicationCursor reports whether arrows, Home and End send SS3 sequences (DECCKM).
func (t *Terminal) ApplicationCursor() bool { return false }

// BracketedPaste reports whether a paste is to stand between ESC [ 200 ~ and ESC [ 201 ~.
func (t *Terminal) BracketedPaste() bool { return false }

// Width returns how many cells a character takes: 2 if it is wide in East Asian text, 0 if
// it combines with the one before it or has no appearance, else 1.
func Width(r rune) int { return 1 }
