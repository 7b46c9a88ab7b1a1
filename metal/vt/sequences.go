package vt

// escape carries out an escape sequence of one byte.
func (t *Terminal) escape(b byte) {
	t.changes++
	switch b {
	case '7': // DECSC
		t.saved[t.screen] = t.cursor
	case '8': // DECRC
		t.restore()
	case 'D': // IND
		t.wrap = false
		t.index()
	case 'E': // NEL
		t.x, t.wrap = 0, false
		t.index()
	case 'H': // HTS
		t.tabs[t.x] = true
	case 'M': // RI
		t.wrap = false
		t.reverseIndex()
	case 'Z': // DECID
		before := t.replied
		t.answerAttributes()
		t.endAnswer(before)
	case 'c': // RIS
		t.reset()
	}
}

func (t *Terminal) restore() { t.cursor = t.saved[t.screen] }

// designate carries out an escape sequence with an intermediate byte: which characters G0 and
// G1 are (SCS), and DECALN.
func (t *Terminal) designate(intermediate, b byte) {
	switch intermediate {
	case '(':
		t.drawing[0] = b == '0'
	case ')':
		t.drawing[1] = b == '0'
	case '#':
		if b == '8' {
			t.align()
		}
	}
}

// align is DECALN: a screen of E.
func (t *Terminal) align() {
	t.changes++
	t.top, t.bottom, t.origin = 0, t.rows-1, false
	t.x, t.y, t.wrap = 0, 0, false
	for y := range t.rows {
		t.fill(y, 0, t.columns, Cell{Rune: 'E', Fg: Default, Bg: Default})
	}
}

// sequence carries out a control sequence by its final byte.
func (t *Terminal) sequence(final byte) {
	t.changes++
	before := t.replied
	switch {
	case t.intermediate == 0 && t.private == 0:
		t.plainSequence(final)
	case t.intermediate == 0 && t.private == '?':
		t.privateSequence(final)
	case t.intermediate == 0 && t.private == '>' && final == 'c': // DA2: a VT220
		t.answer("\x1b[>1;10;0c")
	case t.intermediate == '!' && t.private == 0 && final == 'p': // DECSTR
		t.softReset()
	case t.intermediate == '$' && final == 'p': // DECRQM
		t.answerMode()
	}
	t.endAnswer(before)
}

func (t *Terminal) plainSequence(final byte) {
	n := t.parameter(0, 1)
	switch final {
	case '@': // ICH
		t.wrap = false
		t.insertCells(n)
	case 'A': // CUU
		t.up(n)
	case 'B', 'e': // CUD, VPR
		t.down(n)
	case 'C', 'a': // CUF, HPR
		t.column(t.x + n)
	case 'D': // CUB
		t.column(t.x - n)
	case 'E': // CNL
		t.x = 0
		t.down(n)
	case 'F': // CPL
		t.x = 0
		t.up(n)
	case 'G', '`': // CHA, HPA
		t.column(n - 1)
	case 'H', 'f': // CUP, HVP
		t.position(t.parameter(1, 1)-1, n-1)
	case 'I': // CHT
		t.tab(n)
	case 'J': // ED
		t.eraseScreen(t.parameter(0, 0))
	case 'K': // EL
		t.eraseLine(t.parameter(0, 0))
	case 'L': // IL
		if t.y >= t.top && t.y <= t.bottom {
			t.x, t.wrap = 0, false
			t.scrollDown(t.y, t.bottom, n)
		}
	case 'M': // DL
		if t.y >= t.top && t.y <= t.bottom {
			t.x, t.wrap = 0, false
			t.scrollUp(t.y, t.bottom, n)
		}
	case 'P': // DCH
		t.wrap = false
		t.deleteCells(n)
	case 'S': // SU
		t.scrollUp(t.top, t.bottom, n)
	case 'T': // SD; with more parameters it is xterm's mouse tracking
		if t.count == 1 {
			t.scrollDown(t.top, t.bottom, n)
		}
	case 'X': // ECH
		t.wrap = false
		t.fill(t.y, t.x, min(t.x+n, t.columns), t.erased())
	case 'Z': // CBT
		t.tab(-n)
	case 'b': // REP
		t.repeat(n)
	case 'c': // DA1
		if t.parameter(0, 0) == 0 {
			t.answerAttributes()
		}
	case 'd': // VPA
		t.position(t.x, n-1)
	case 'g': // TBC
		t.clearTabs(t.parameter(0, 0))
	case 'h': // SM
		t.setModes(true)
	case 'l': // RM
		t.setModes(false)
	case 'm':
		t.graphicRendition()
	case 'n':
		t.answerStatus(t.parameter(0, 0))
	case 'r': // DECSTBM
		t.margins(n-1, t.parameter(1, t.rows)-1)
	case 's': // SCOSC
		t.saved[t.screen] = t.cursor
	case 't': // XTWINOPS: the size in cells is all that it answers
		if n == 18 {
			t.answer("\x1b[8;")
			t.answerNumber(t.rows)
			t.answer(";")
			t.answerNumber(t.columns)
			t.answer("t")
		}
	case 'u': // SCORC
		t.restore()
	}
}

func (t *Terminal) privateSequence(final byte) {
	switch final {
	case 'J': // DECSED, DECSEL: no cell is protected
		t.eraseScreen(t.parameter(0, 0))
	case 'K':
		t.eraseLine(t.parameter(0, 0))
	case 'h': // DECSET
		t.setPrivateModes(true)
	case 'l': // DECRST
		t.setPrivateModes(false)
	case 'n':
		if t.parameter(0, 0) == 6 { // DECXCPR
			t.answerPosition("\x1b[?")
		}
	}
}

// up and down stop at the scroll region's end if they begin in it.
func (t *Terminal) up(n int) {
	t.wrap = false
	if t.y >= t.top {
		t.y = max(t.y-n, t.top)
	} else {
		t.y = max(t.y-n, 0)
	}
}

func (t *Terminal) down(n int) {
	t.wrap = false
	if t.y <= t.bottom {
		t.y = min(t.y+n, t.bottom)
	} else {
		t.y = min(t.y+n, t.rows-1)
	}
}

func (t *Terminal) column(x int) { t.x, t.wrap = max(0, min(x, t.columns-1)), false }

// position is CUP with a column and a row from 0; the row counts from the scroll region's
// first in origin mode.
func (t *Terminal) position(x, y int) {
	t.column(x)
	if t.origin {
		t.y = min(t.top+y, t.bottom)
	} else {
		t.y = min(y, t.rows-1)
	}
}

// margins sets the scroll region, and moves the cursor home.
func (t *Terminal) margins(top, bottom int) {
	bottom = min(bottom, t.rows-1)
	if top >= bottom {
		return
	}
	t.top, t.bottom = top, bottom
	t.position(0, 0)
}

func (t *Terminal) eraseScreen(what int) {
	first, end := 0, t.rows
	switch what {
	case 0: // from the cursor on
		t.eraseLine(0)
		first = t.y + 1
	case 1: // up to the cursor
		t.eraseLine(1)
		end = t.y
	case 2:
	default: // 3 is xterm's: lines that have scrolled away, of which none are kept
		return
	}
	t.wrap = false
	for y := first; y < end; y++ {
		t.fill(y, 0, t.columns, t.erased())
	}
}

func (t *Terminal) eraseLine(what int) {
	t.wrap = false
	switch what {
	case 0:
		t.fill(t.y, t.x, t.columns, t.erased())
	case 1:
		t.fill(t.y, 0, t.x+1, t.erased())
	case 2:
		t.fill(t.y, 0, t.columns, t.erased())
	}
}

// repeat writes the latest character again, at most as often as there are cells.
func (t *Terminal) repeat(n int) {
	if t.last == 0 {
		return
	}
	for range min(n, t.columns*t.rows) {
		t.put(t.last, Width(t.last))
	}
}

func (t *Terminal) clearTabs(what int) {
	switch what {
	case 0:
		t.tabs[t.x] = false
	case 3:
		for x := range t.tabs {
			t.tabs[x] = false
		}
	}
}

func (t *Terminal) setModes(on bool) {
	for i := range t.count {
		switch t.parameters[i] {
		case 4:
			t.setMode(modeInsert, on)
		case 20:
			t.setMode(modeNewLine, on)
		}
	}
}

func (t *Terminal) setMode(mode uint32, on bool) {
	t.modes &^= mode
	if on {
		t.modes |= mode
	}
}

// privateMode returns the mode with a number of DECSET, 0 for one that is none of modes.
func privateMode(number uint16) uint32 {
	switch number {
	case 1:
		return modeApplicationCursor
	case 7:
		return modeAutowrap
	case 25:
		return modeCursor
	case 45:
		return modeReverseWrap
	case 2004:
		return modeBracketedPaste
	}
	return 0
}

func (t *Terminal) setPrivateModes(on bool) {
	for i := range t.count {
		switch number := t.parameters[i]; number {
		case 6:
			t.origin = on
			t.position(0, 0)
		case 7:
			t.wrap = t.wrap && on
			t.setMode(modeAutowrap, on)
		case 47, 1047, 1049:
			t.alternate(number, on)
		case 1048:
			if on {
				t.saved[t.screen] = t.cursor
			} else {
				t.restore()
			}
		default:
			t.setMode(privateMode(number), on)
		}
	}
}

// alternate shows the alternate or the main screen. The three modes differ in what they clear
// and save; the cursor stays where it is but for 1049.
func (t *Terminal) alternate(number uint16, on bool) {
	switch {
	case on && t.screen == 0:
		if number == 1049 {
			t.saved[0] = t.cursor
		}
		t.show(1)
		if number == 1049 {
			t.eraseScreen(2)
		}
	case !on && t.screen == 1:
		if number == 1047 {
			t.eraseScreen(2)
		}
		t.show(0)
		if number == 1049 {
			t.restore()
		}
	}
}

// graphicRendition is SGR.
func (t *Terminal) graphicRendition() {
	for i := 0; i < t.count; {
		p := int(t.parameters[i])
		end := i + 1 // of its subparameters
		for end < t.count && t.colons>>uint(end)&1 != 0 {
			end++
		}
		switch {
		case p == 0:
			t.pen = blank
		case p == 1:
			t.pen.Attr |= Bold
		case p == 2:
			t.pen.Attr |= Dim
		case p == 3:
			t.pen.Attr |= Italic
		case p == 4 && end > i+1 && t.parameters[i+1] == 0: // 4:0
			t.pen.Attr &^= Underline
		case p == 4 || p == 21: // 21: a double line
			t.pen.Attr |= Underline
		case p == 7:
			t.pen.Attr |= Reverse
		case p == 9:
			t.pen.Attr |= Strike
		case p == 22:
			t.pen.Attr &^= Bold | Dim
		case p == 23:
			t.pen.Attr &^= Italic
		case p == 24:
			t.pen.Attr &^= Underline
		case p == 27:
			t.pen.Attr &^= Reverse
		case p == 29:
			t.pen.Attr &^= Strike
		case p >= 30 && p <= 37:
			t.pen.Fg = Color(p - 30)
		case p >= 40 && p <= 47:
			t.pen.Bg = Color(p - 40)
		case p >= 90 && p <= 97:
			t.pen.Fg = Color(p - 90 + 8)
		case p >= 100 && p <= 107:
			t.pen.Bg = Color(p - 100 + 8)
		case p == 39:
			t.pen.Fg = Default
		case p == 49:
			t.pen.Bg = Default
		case p == 38 || p == 48 || p == 58:
			var c Color
			var ok bool
			c, end, ok = t.extendedColor(i, end)
			if ok && p == 38 {
				t.pen.Fg = c
			} else if ok && p == 48 {
				t.pen.Bg = c
			} // 58: of the underline, which has the text's
		}
		i = end
	}
}

// extendedColor reads a colour of ISO 8613-6 behind 38 or 48 at parameter i: 5 and an index,
// or 2 and red, green, blue. With colons (up to end) there may be a colour space before red;
// xterm's older form has semicolons. next is the parameter behind the colour.
func (t *Terminal) extendedColor(i, end int) (c Color, next int, ok bool) {
	first := i + 1
	if colons := end > first; !colons {
		end = t.count
		switch {
		case first < end && t.parameters[first] == 5:
			end = min(first+2, end)
		case first < end && t.parameters[first] == 2:
			end = min(first+4, end)
		default:
			return 0, min(first+1, end), false
		}
	} else if t.parameters[first] == 2 && end-first >= 5 {
		first++ // the colour space
	}
	switch kind := t.parameters[i+1]; {
	case kind == 5 && first+1 < end && t.parameters[first+1] < 256:
		return Color(t.parameters[first+1]), end, true
	case kind == 2 && first+3 < end:
		r, g, b := t.parameters[first+1], t.parameters[first+2], t.parameters[first+3]
		if r < 256 && g < 256 && b < 256 {
			return RGB | Color(r)<<16 | Color(g)<<8 | Color(b), end, true
		}
	}
	return 0, end, false
}

// answer adds text to the replies.
func (t *Terminal) answer(s string) {
	for i := 0; i < len(s); i++ {
		t.answerByte(s[i])
	}
}

// answerByte adds a byte to the replies. A program that does not read them loses those for
// which there is no room: the byte is counted, and endAnswer takes all of them back.
func (t *Terminal) answerByte(b byte) {
	if t.replied < len(t.reply) {
		t.reply[(t.replyNext+t.replied)%len(t.reply)] = b
	}
	t.replied++
}

// endAnswer ends a reply before which there were so many bytes of replies.
func (t *Terminal) endAnswer(before int) {
	if t.replied != before {
		t.queried = true
	}
	if t.replied > len(t.reply) {
		t.replied = before
	}
}

func (t *Terminal) answerNumber(n int) {
	for divisor := 10000; divisor > 0; divisor /= 10 {
		if n >= divisor || divisor == 1 {
			t.answerByte(byte('0' + n/divisor%10))
		}
	}
}

// answerAttributes is the answer to DA1: a VT220 with colours.
func (t *Terminal) answerAttributes() { t.answer("\x1b[?62;22c") }

// answerStatus is DSR.
func (t *Terminal) answerStatus(what int) {
	switch what {
	case 5:
		t.answer("\x1b[0n")
	case 6:
		t.answerPosition("\x1b[")
	}
}

func (t *Terminal) answerPosition(introducer string) {
	y := t.y
	if t.origin {
		y -= t.top
	}
	t.answer(introducer)
	t.answerNumber(y + 1)
	t.answer(";")
	t.answerNumber(t.x + 1)
	t.answer("R")
}

// answerMode is the answer to DECRQM: 1 a mode is set, 2 reset, 0 unknown.
func (t *Terminal) answerMode() {
	number := t.parameters[0]
	mode, on := uint32(0), false
	switch {
	case t.private == '?' && number == 6:
		mode, on = 1, t.origin
	case t.private == '?' && (number == 47 || number == 1047 || number == 1049):
		mode, on = 1, t.screen == 1
	case t.private == '?':
		mode = privateMode(number)
		on = t.modes&mode != 0
	case number == 4:
		mode, on = 1, t.modes&modeInsert != 0
	case number == 20:
		mode, on = 1, t.modes&modeNewLine != 0
	}
	t.answer("\x1b[")
	if t.private == '?' {
		t.answer("?")
	}
	t.answerNumber(int(number))
	switch {
	case mode == 0:
		t.answer(";0$y")
	case on:
		t.answer(";1$y")
	default:
		t.answer(";2$y")
	}
}

// lineDrawing returns a character of the DEC special graphics.
func lineDrawing(b byte) rune {
	if b < 0x5F || b > 0x7E {
		return rune(b)
	}
	return drawingCharacters[b-0x5F]
}

var drawingCharacters = [...]rune{' ', '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─',
	'⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·'}
