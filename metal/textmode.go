//go:build linux && amd64

package metal

import "bootllama/metal/vt"

// Text mode: the cells of the terminal, drawn with the firmware's console
// (EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL, 12.4). It has 16 colours for text and 8 for the ground,
// and no reverse, underlined or bold characters. Where it scrolls, it is let scroll.
//
// The cell in the last column of the last row stays empty: a character there would make the
// console scroll. It appears when its row has moved up.

var (
	textOut                uintptr // *efiSimpleTextOutput, of the screen; 0: there is none
	textColumns, textRows  int
	firmwareMode, bestMode int32
	firmwareAttribute      int32
	firmwareCursor         bool
	textStarted            bool // textOut is the kernel's
	cursorWanted           bool // somebody types, or will
	queriedColumns         uintptr
	queriedRows            uintptr
	shown                  [vt.MaxCells]shownCell // what the console shows, from row shownTop on
	shownTop               int
	outputText             [256]uint16 // UTF-16 for the next OutputString
	outputTextSize         int
	penX, penY             int // where outputText ends
	glyphs                 [256]glyph
	hiiFont                uintptr // *efiHIIFont; 0: there is none
	glyphText              [2]uint16
)

// shownCell is a character of the console and its attribute; 0: it is not known what is there.
type shownCell struct{ unit, attribute uint16 }

// glyph is a character of the terminal, and what the console shows for it.
type glyph struct {
	r    rune
	unit uint16
}

// efiAttribute is the console's default: EFI_LIGHTGRAY on EFI_BACKGROUND_BLACK.
const efiAttribute = 7

var emptyCell = shownCell{' ', efiAttribute}

func consoleMode(out uintptr) *efiSimpleTextOutputMode {
	return at[efiSimpleTextOutputMode](at[efiSimpleTextOutput](out).mode)
}

// initText takes the console. If no shell has started the program, it gets the mode with the
// most columns, and is cleared.
func initText() {
	if textOut == 0 {
		return
	}
	out, mode := at[efiSimpleTextOutput](textOut), consoleMode(textOut)
	firmwareMode, firmwareAttribute, firmwareCursor = mode.mode, mode.attribute, mode.cursorVisible
	bestMode = firmwareMode
	if !startedByShell {
		bestMode = findBestMode()
	}
	if !queryMode(firmwareMode) {
		queriedColumns, queriedRows = 80, 25 // every console has these (12.4.4, QueryMode)
	}
	columns, rows := queriedColumns, queriedRows
	if bestMode != firmwareMode {
		if firmware(out.setMode, textOut, uintptr(bestMode)) == efiSuccess && queryMode(bestMode) {
			columns, rows = queriedColumns, queriedRows
		} else {
			bestMode = firmwareMode
		}
	}
	terminal.Resize(int(columns), int(rows))
	textColumns, textRows = terminal.Size()
	textStarted = true
	if found, status := locateProtocol(&hiiFontGUID); status == efiSuccess {
		hiiFont = found
	}
	if startedByShell {
		terminal.Move(int(mode.cursorColumn), int(mode.cursorRow))
	} else {
		clearText()
	}
	penX, penY = int(mode.cursorColumn), int(mode.cursorRow)
	terminal.Drawn()
}

// queryMode asks for the size of a mode; false if the console does not have it.
func queryMode(mode int32) bool {
	return firmware(at[efiSimpleTextOutput](textOut).queryMode, textOut, uintptr(mode), address(&queriedColumns), address(&queriedRows)) == efiSuccess &&
		queriedColumns > 0 && queriedRows > 0
}

// findBestMode returns the mode with the most columns and, of these, rows.
func findBestMode() (best int32) {
	best = firmwareMode
	columns, rows := uintptr(0), uintptr(0)
	for mode := range min(consoleMode(textOut).maxMode, 64) {
		if !queryMode(mode) || queriedColumns > vt.MaxColumns || queriedRows > vt.MaxRows || queriedColumns*queriedRows > vt.MaxCells {
			continue
		}
		if queriedColumns > columns || queriedColumns == columns && queriedRows > rows {
			best, columns, rows = mode, queriedColumns, queriedRows
		}
	}
	return best
}

// closeText gives the console back: in its old mode, which clears the screen, unless the
// program has failed, and with its cursor below the program's text.
func closeText(failed bool) {
	showText()
	if !textStarted {
		return
	}
	textStarted = false
	out := at[efiSimpleTextOutput](textOut)
	if bestMode != firmwareMode && !failed {
		firmware(out.setMode, textOut, uintptr(firmwareMode))
	} else {
		x, y, _ := terminal.Cursor()
		moveText(x, y)
		flushText()
	}
	firmware(out.setAttribute, textOut, uintptr(firmwareAttribute))
	enableCursor(firmwareCursor)
}

// hideText leaves the screen to the program (KD_GRAPHICS).
func hideText() {
	graphics = true
	if textStarted {
		enableCursor(false)
	}
	enterAgain()
}

// showText takes the screen back (KD_TEXT), whatever it showed before.
func showText() {
	taken := restoreGraphics()
	if !graphics && !taken {
		return
	}
	graphics = false
	if !textStarted {
		return
	}
	resizeTerminal(textColumns, textRows)
	redrawText()
}

// redrawText shows the text on a screen that shows something else: SetMode brings the
// console's picture.
func redrawText() {
	if !textStarted || graphics {
		return
	}
	firmware(at[efiSimpleTextOutput](textOut).setMode, textOut, uintptr(bestMode))
	clearText()
	terminal.Redraw()
	drawText()
}

// showCursor shows the cursor from the program's first wait for a line on. A console that has
// no cursor returns EFI_UNSUPPORTED, which changes nothing.
func showCursor() {
	if !cursorWanted {
		cursorWanted = true
		drawText()
	}
}

func enableCursor(on bool) {
	if consoleMode(textOut).cursorVisible == on {
		return
	}
	visible := uintptr(0)
	if on {
		visible = 1
	}
	firmware(at[efiSimpleTextOutput](textOut).enableCursor, textOut, visible)
}

// drawText draws what has changed since it was last called.
func drawText() {
	if !textStarted || graphics {
		return
	}
	columns, rows := terminal.Size()
	if columns == textColumns && rows == textRows {
		scrollText()
	} else if terminal.Scrolled() > 0 {
		terminal.Redraw()
	}
	for y := range min(rows, textRows) {
		first, end := terminal.Damage(y)
		drawRow(y, first, end)
	}
	terminal.Drawn()
	x, y, visible := terminal.Cursor()
	if cursorWanted && visible {
		moveText(x, y)
	}
	flushText()
	if cursorWanted {
		enableCursor(visible)
	}
}

// scrollText makes the console scroll as often as the terminal has. To draw all rows is faster
// than to scroll often: each time moves all pixels of the screen.
func scrollText() {
	n := terminal.Scrolled()
	switch {
	case n == 0:
		return
	case n >= textRows:
		clearText()
		return
	case n > textRows/4:
		for y := range textRows {
			drawRow(y, 0, textColumns)
		}
		return
	case penY != textRows-1 || penX == textColumns:
		moveText(0, textRows-1)
	}
	setAttribute(efiAttribute)
	for range n {
		putUnit('\n')
		for x := range textColumns {
			*shownAt(x, 0) = emptyCell
		}
		shownTop = (shownTop + 1) % textRows
	}
	drawRow(textRows-1-n, textColumns-1, textColumns) // it could not be drawn in the last row
}

// clearText empties the console.
func clearText() {
	outputTextSize = 0
	setAttribute(efiAttribute)
	firmware(at[efiSimpleTextOutput](textOut).clearScreen, textOut)
	for i := range textColumns * textRows {
		shown[i] = emptyCell
	}
	findPen()
}

// shownAt is what the console shows at a column and a row.
func shownAt(x, y int) *shownCell { return &shown[(shownTop+y)%textRows*textColumns+x] }

// drawRow draws the cells of a row that differ from what the console shows.
func drawRow(y, first, end int) {
	if end = min(end, textColumns); y == textRows-1 {
		end = min(end, textColumns-1)
	}
	for x := first; x < end; x++ {
		c := consoleCell(terminal.Cell(x, y))
		if p := shownAt(x, y); *p != c {
			*p = c
			moveText(x, y)
			setAttribute(c.attribute)
			putUnit(c.unit)
			penX++
		}
	}
}

// moveText moves to a column and a row, or as near as the console has: by writing what is
// between, by a new line, or by SetCursorPosition.
func moveText(x, y int) {
	const near = 8
	x, y = min(x, textColumns-1), min(y, textRows-1)
	switch {
	case x == penX && y == penY:
		return
	case penX == textColumns:
		setPen(x, y)
	case y == penY && x > penX && x-penX <= near && rewrite(x):
		return
	case x == 0 && y == penY:
		putUnit('\r')
	case x == 0 && y == penY+1 && y < textRows:
		putUnit('\r')
		putUnit('\n')
	default:
		setPen(x, y)
	}
	penX, penY = x, y
}

func setPen(x, y int) {
	flushText()
	if penX != x || penY != y {
		firmware(at[efiSimpleTextOutput](textOut).setCursorPosition, textOut, uintptr(x), uintptr(y))
	}
}

// rewrite writes again what is shown between the pen and a column behind it in the same row;
// false if it is not known, or has another attribute.
func rewrite(x int) bool {
	attribute := consoleMode(textOut).attribute
	for i := penX; i < x; i++ {
		if p := shownAt(i, penY); p.unit == 0 || int32(p.attribute) != attribute {
			return false
		}
	}
	for ; penX < x; penX++ {
		putUnit(shownAt(penX, penY).unit)
	}
	return true
}

func setAttribute(attribute uint16) {
	if consoleMode(textOut).attribute != int32(attribute) {
		flushText()
		firmware(at[efiSimpleTextOutput](textOut).setAttribute, textOut, uintptr(attribute))
	}
}

func putUnit(u uint16) {
	outputText[outputTextSize] = u
	if outputTextSize++; outputTextSize == len(outputText)-1 {
		writeText()
	}
}

// writeText calls OutputString. Its warnings (unknown glyphs) and errors are ignored: the only
// place to report them is the console itself.
func writeText() {
	outputText[outputTextSize] = 0
	if outputTextSize > 0 {
		firmware(at[efiSimpleTextOutput](textOut).outputString, textOut, address(&outputText))
	}
	outputTextSize = 0
}

// flushText writes what is held, and looks where the console's cursor is then. Behind the last
// column, EDK2's is in the next row, and others wait for the next character: there penX remains.
func flushText() {
	if outputTextSize > 0 {
		if writeText(); penX < textColumns {
			findPen()
		}
	}
}

func findPen() {
	mode := consoleMode(textOut)
	penX, penY = int(mode.cursorColumn), int(mode.cursorRow)
}

// consoleCell is what the console can show of a cell.
func consoleCell(c vt.Cell) shownCell { return shownCell{consoleUnit(c.Rune), consoleAttribute(c)} }

// consoleAttribute is the attribute for a cell: bits 0 to 3 are the text's colour, 4 to 6 the
// ground's (12.4.5).
func consoleAttribute(c vt.Cell) uint16 {
	fg, bg := consoleColor(c.Fg, 7), consoleColor(c.Bg, 0)
	switch {
	case c.Attr&vt.Dim != 0:
		fg &= 7
	case c.Attr&vt.Bold != 0:
		fg |= 8
	}
	if c.Attr&vt.Reverse != 0 {
		fg, bg = bg, fg
	}
	if fg == 8 && bg&7 == 0 { // EDK2's dark gray, 0x303030, can hardly be seen on black
		fg = 7
	}
	if bg &= 7; fg == bg && (c.Fg != c.Bg || c.Fg == vt.Default) { // two colours that the console cannot tell apart
		if fg = 7; bg == 7 {
			fg = 0
		}
	}
	return fg | bg<<4
}

// consoleColor returns the console's colour that is nearest to one of the terminal.
func consoleColor(c vt.Color, otherwise uint16) uint16 {
	switch {
	case c == vt.Default:
		return otherwise
	case c < 16: // ANSI's bits are red, green, blue, EFI's blue, green, red
		return uint16(c&8 | c&1<<2 | c&2 | c&4>>2)
	case c < 232: // a cube of 6 by 6 by 6
		c -= 16
		return nearestColor(cubeLevel(int(c/36)), cubeLevel(int(c/6%6)), cubeLevel(int(c%6)))
	case c < 256:
		gray := 8 + 10*int(c-232)
		return nearestColor(gray, gray, gray)
	}
	return nearestColor(int(c>>16&0xFF), int(c>>8&0xFF), int(c&0xFF))
}

func cubeLevel(i int) int {
	if i == 0 {
		return 0
	}
	return 55 + 40*i
}

// nearestColor compares with EDK2's colours: 0x98 is a component of the dark ones, 0xFF of the
// light ones; 7 is light gray, 8 dark gray (0x30 there; 0x55 on other firmware).
func nearestColor(r, g, b int) (nearest uint16) {
	least := 1 << 30
	for i := range uint16(16) {
		on, off := 0x98, 0
		if i > 8 {
			on = 0xFF
		} else if i == 8 {
			off = 0x48
		}
		x, y, z := off, off, off
		if i&4 != 0 {
			x = on
		}
		if i&2 != 0 {
			y = on
		}
		if i&1 != 0 {
			z = on
		}
		if distance := (r-x)*(r-x) + (g-y)*(g-y) + (b-z)*(b-z); distance < least {
			nearest, least = i, distance
		}
	}
	return nearest
}

// consoleUnit is the character that the console shows for one of the terminal. It has Latin-1;
// whether it has others is asked, and what it lacks becomes a similar character: EDK2 draws
// nothing for it, and moves what follows to the left.
func consoleUnit(r rune) uint16 {
	switch {
	case r == 0: // the right half of a wide character
		return ' '
	case r < 0x100:
		return uint16(r)
	}
	g := &glyphs[uint32(r)%uint32(len(glyphs))]
	if g.r != r {
		*g = glyph{r, findGlyph(r)}
	}
	return g.unit
}

func findGlyph(r rune) uint16 {
	if r <= 0xFFFF && vt.Width(r) == 1 && hasGlyph(uint16(r)) { // how wide a wide one would be is not known
		return uint16(r)
	}
	return similarCharacter(r)
}

// latinExtended has the letters without marks of Latin Extended-A, U+0100 to U+017F.
const latinExtended = "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs"

// similarCharacter returns a character of ASCII for one that the console lacks.
func similarCharacter(r rune) uint16 {
	if i := r - 0x100; i >= 0 && int(i) < len(latinExtended) {
		return uint16(latinExtended[i])
	}
	switch r {
	case '‘', '’', '‚', '‛', '′':
		return '\''
	case '“', '”', '„', '‟', '″':
		return '"'
	case '‐', '‑', '‒', '–', '—', '―', '−', '─', '━', '⎺', '⎻', '⎼', '⎽':
		return '-'
	case '│', '┃':
		return '|'
	case '…':
		return '.'
	case '•', '◆', '●', '∙':
		return '*'
	case '‹', '←':
		return '<'
	case '›', '→':
		return '>'
	case '↑':
		return '^'
	case '↓':
		return 'v'
	}
	return '?'
}

// hasGlyph asks EFI_HII_FONT_PROTOCOL, which EDK2's console on a screen draws with: its
// TestString says that all characters are there. Without that protocol it asks TestString.
func hasGlyph(unit uint16) bool {
	if hiiFont == 0 {
		glyphText[0] = unit
		return firmware(at[efiSimpleTextOutput](textOut).testString, textOut, address(&glyphText)) == efiSuccess
	}
	firmwareResult = 0
	status := firmware(at[efiHIIFont](hiiFont).getGlyph, hiiFont, uintptr(unit), 0, address(&firmwareResult), 0)
	if firmwareResult != 0 {
		firmware(bootServices().freePool, firmwareResult)
	}
	return status == efiSuccess // EFI_WARN_UNKNOWN_GLYPH comes with the picture of a replacement
}
