// Package vt is a terminal's screen: it takes what programs write, text in UTF-8 with the
// control sequences of ECMA-48 and xterm, and keeps the cells that a person should see. It
// draws nothing. The kernel in metal is one user of it, so that nothing here allocates,
// panics, or uses more of Go than metal may; tests of what is seen are another.
package vt

// A Cell is one character position of the screen.
type Cell struct {
	Rune   rune  // ' ' when empty; 0: the right half of the wide character before it
	Fg, Bg Color // of text and ground, before Reverse
	Attr   Attr
}

// A Color is Default, an index into xterm's 256 colours, or RGB | 0xRRGGBB.
type Color uint32

const (
	Default Color = 1 << 24 // the terminal's own colour of text or ground
	RGB     Color = 2 << 24
)

// Attr is a set of what SGR sets besides colours (ECMA-48, 8.3.117).
type Attr uint32

const (
	Bold Attr = 1 << iota
	Dim
	Italic
	Underline
	Reverse
	Strike
)
