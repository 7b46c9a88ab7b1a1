package vt

const (
	replacement = '\uFFFD'

	maxParameters = 32
	maxParameter  = 1<<16 - 1
	maxString     = 64 << 10 // bytes of a string (OSC, DCS and so on) after which what follows counts as text
)

// States of a parser.
const (
	stateText         = iota
	stateEscape       // after ESC
	stateIntermediate // after ESC and intermediate bytes
	stateControl      // in a control sequence, behind CSI
	stateIgnored      // in a control sequence that is malformed
	stateString       // in OSC, DCS, APC, PM, SOS
	stateStringEscape // after an ESC there, which may begin ST
)

// parser is what is known of the bytes before the next one.
type parser struct {
	state int

	need        int  // bytes that the UTF-8 sequence lacks
	low, high   byte // limits of its next one
	partialRune rune

	private      byte // '<' to '?' behind CSI; 0: none
	intermediate byte // before the final byte; 0: none
	parameters   [maxParameters]uint16
	colons       uint32 // bit i: a colon stands before parameter i, which belongs to the one before
	count        int    // parameters, at least one
	size         int    // of a string so far
}

// Write takes the next byte of what a program writes.
func (t *Terminal) Write(b byte) {
	if t.rows == 0 {
		return
	}
	if t.need > 0 {
		if b >= t.low && b <= t.high {
			t.continueRune(b)
			return
		}
		t.need = 0
		t.put(replacement, 1)
	}
	switch {
	case t.state == stateText && b >= ' ' && b < 0x7F:
		r := rune(b)
		if t.drawing[t.charset] {
			r = lineDrawing(b)
		}
		t.put(r, 1)
	case b == 0x18 || b == 0x1A: // CAN, SUB
		t.state = stateText
	case t.state == stateString || t.state == stateStringEscape:
		t.stringByte(b)
	case b == 0x1B:
		t.state, t.intermediate = stateEscape, 0
	case b < ' ':
		t.control(b)
	case t.state == stateText:
		t.beginRune(b)
	case b >= 0x7F: // DEL is nothing; others cannot be in a sequence
		if b > 0x7F {
			t.state = stateText
			t.beginRune(b)
		}
	case t.state == stateEscape || t.state == stateIntermediate:
		t.escapeByte(b)
	default:
		t.controlByte(b)
	}
}

// InSequence reports whether the last byte is in an escape sequence or a character that has
// not ended.
func (t *Terminal) InSequence() bool { return t.state != stateText || t.need > 0 }

// beginRune takes a byte from 0x7F on as the first of a character (Unicode 15.0, table 3-7).
func (t *Terminal) beginRune(b byte) {
	t.low, t.high = 0x80, 0xBF
	switch {
	case b == 0x7F:
	case b >= 0xC2 && b <= 0xDF:
		t.need, t.partialRune = 1, rune(b&0x1F)
	case b >= 0xE0 && b <= 0xEF:
		t.need, t.partialRune = 2, rune(b&0x0F)
		if b == 0xE0 {
			t.low = 0xA0
		} else if b == 0xED {
			t.high = 0x9F // no surrogates
		}
	case b >= 0xF0 && b <= 0xF4:
		t.need, t.partialRune = 3, rune(b&0x07)
		if b == 0xF0 {
			t.low = 0x90
		} else if b == 0xF4 {
			t.high = 0x8F // nothing above U+10FFFF
		}
	default:
		t.put(replacement, 1)
	}
}

func (t *Terminal) continueRune(b byte) {
	t.low, t.high = 0x80, 0xBF
	t.partialRune = t.partialRune<<6 | rune(b&0x3F)
	if t.need--; t.need > 0 {
		return
	}
	if width := Width(t.partialRune); width > 0 {
		t.put(t.partialRune, width)
	}
}

// control carries out a control character. Those that stand in a sequence are carried out,
// too, and the sequence goes on (as on a VT220).
func (t *Terminal) control(b byte) {
	t.changes++
	switch b {
	case '\b':
		t.backspace()
	case '\t':
		t.tab(1)
	case '\n', '\v', '\f':
		t.lineFeed()
	case '\r':
		t.x, t.wrap = 0, false
	case 0x0E: // SO
		t.charset = 1
	case 0x0F: // SI
		t.charset = 0
	}
}

func (t *Terminal) backspace() {
	reverse := t.modes&modeReverseWrap != 0 && t.modes&modeAutowrap != 0
	switch {
	case t.wrap && reverse: // the cursor is behind the last column, so to speak
		t.wrap = false
		return
	case t.x > 0:
		t.x--
	case reverse && t.y > 0 && t.y != t.top:
		t.x, t.y = t.columns-1, t.y-1
	}
	t.wrap = false
}

func (t *Terminal) lineFeed() {
	t.wrap = false
	if t.modes&modeNewLine != 0 {
		t.x = 0
	}
	t.index()
}

// tab moves the cursor by tabulator stops: to the right, or with a negative n to the left.
func (t *Terminal) tab(n int) {
	t.wrap = false
	for ; n > 0 && t.x < t.columns-1; n-- {
		for t.x++; t.x < t.columns-1 && !t.tabs[t.x]; {
			t.x++
		}
	}
	for ; n < 0 && t.x > 0; n++ {
		for t.x--; t.x > 0 && !t.tabs[t.x]; {
			t.x--
		}
	}
}

// stringByte takes a byte of a string, which ends with ST or BEL.
func (t *Terminal) stringByte(b byte) {
	t.size++
	switch {
	case b == 0x07 || t.size > maxString:
		t.state = stateText
	case t.state == stateStringEscape && b == '\\':
		t.state = stateText
	case t.state == stateStringEscape && b != 0x1B: // another sequence: it ends the string
		t.state, t.intermediate = stateEscape, 0
		if b >= ' ' && b < 0x7F {
			t.escapeByte(b)
		}
	case b == 0x1B:
		t.state = stateStringEscape
	}
}

// escapeByte takes a byte from 0x20 to 0x7E of an escape sequence.
func (t *Terminal) escapeByte(b byte) {
	switch {
	case b < '0': // an intermediate byte
		t.intermediate, t.state = b, stateIntermediate
	case t.state == stateIntermediate:
		t.state = stateText
		t.designate(t.intermediate, b)
	case b == '[':
		t.state, t.private, t.intermediate, t.colons, t.count = stateControl, 0, 0, 0, 1
		t.parameters[0] = 0
	case b == ']' || b == 'P' || b == '_' || b == '^' || b == 'X':
		t.state, t.size = stateString, 0
	default:
		t.state = stateText
		t.escape(b)
	}
}

// controlByte takes a byte from 0x20 to 0x7E of a control sequence (ECMA-48, 5.4).
func (t *Terminal) controlByte(b byte) {
	switch {
	case b >= '@':
		ignored := t.state == stateIgnored
		t.state = stateText
		if !ignored {
			t.sequence(b)
		}
	case t.state == stateIgnored:
	case b < '0':
		if t.intermediate != 0 {
			t.state = stateIgnored
		}
		t.intermediate = b
	case t.intermediate != 0: // nothing but the end may follow
		t.state = stateIgnored
	case b <= '9':
		p := &t.parameters[t.count-1]
		*p = uint16(min(int(*p)*10+int(b-'0'), maxParameter))
	case b <= ';':
		if t.count == maxParameters {
			t.state = stateIgnored
			return
		}
		t.parameters[t.count] = 0
		if b == ':' {
			t.colons |= 1 << uint(t.count)
		}
		t.count++
	default: // '<' to '?'
		if t.private != 0 || t.count > 1 || t.parameters[0] != 0 {
			t.state = stateIgnored
			return
		}
		t.private = b
	}
}

// parameter returns a parameter, or a default if it is 0 or not there.
func (t *Terminal) parameter(i, otherwise int) int {
	if i < t.count && t.parameters[i] != 0 {
		return int(t.parameters[i])
	}
	return otherwise
}
