package session

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Terminal is a person's screen and keyboard. As a writer it wraps words, and drops control codes
// but newlines and tabs. One goroutine at a time may use it.
type Terminal struct {
	Keys *Keyboard
	Out  io.Writer // takes UTF-8 and the sequences of xterm
	// Raw makes a terminal pass on every key unseen; restore undoes that.
	Raw  func() (restore func(), err error)
	Size func() (columns, rows int)
	// Resized has a signal when Size has changed; nil: it does not tell.
	Resized <-chan os.Signal
	Plain   bool   // no colours
	Idle    func() // is called before the person is waited for; nil: there is nothing to do

	column    int    // where the cursor is, after what Write has written
	indent    int    // where lines begin that Write has begun
	word      []byte // the beginning of a word that ends there
	wordWidth int
	partial   []byte // the beginning of a character
	editor    editor
}

// maxWidth is the most columns that a line of text has: longer ones are hard to read.
const maxWidth = 100

// width returns the columns that text may have.
func (t *Terminal) width() int {
	columns, _ := t.Size()
	return max(min(columns, maxWidth), 2)
}

// The looks of text (SGR of ECMA-48).
const (
	styleNone   = ""
	stylePerson = "\x1b[36m" // cyan
	stylePrompt = "\x1b[1;36m"
	styleDim    = "\x1b[2m"
	styleError  = "\x1b[33m" // yellow
	styleBold   = "\x1b[1m"
	styleEnd    = "\x1b[m"
)

// styled returns text in a style.
func (t *Terminal) styled(style, text string) string {
	if t.Plain || text == "" {
		return text
	}
	return style + text + styleEnd
}

// RawLines returns a writer of lines to a terminal that is in raw mode, for what else a program
// has to say. It is a Screen if w is.
func RawLines(w io.Writer) io.Writer {
	if s, ok := w.(Screen); ok {
		return Screen{rawLines{s.Writer}}
	}
	return rawLines{w}
}

type rawLines struct{ w io.Writer }

func (l rawLines) Write(p []byte) (int, error) {
	if _, err := io.WriteString(l.w, strings.ReplaceAll(string(p), "\n", "\r\n")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// say writes a line, or several, in a style.
func (t *Terminal) say(style, format string, a ...any) error {
	if t.column > 0 {
		format = "\n" + format
	}
	text := fmt.Sprintf(format, a...) + "\n"
	if t.Plain || style == styleNone {
		_, err := t.Write([]byte(text))
		return err
	}
	if err := t.put(style); err != nil {
		return err
	}
	_, err := t.Write([]byte(text))
	if e := t.put(styleEnd); err == nil {
		err = e
	}
	return err
}

// list writes lines of two columns, the first of so many characters.
func (t *Terminal) list(first int, format string, a ...any) error {
	t.indent = first
	defer func() { t.indent = 0 }()
	return t.say(styleNone, format, a...)
}

// put writes a string as it is.
func (t *Terminal) put(s string) error {
	_, err := io.WriteString(t.Out, s)
	return err
}

// Write writes text. A word that does not fit into its line any more begins the next.
func (t *Terminal) Write(p []byte) (int, error) {
	limit := t.width()
	in := append(t.partial, p...)
	var out []byte
	for len(in) > 0 && utf8.FullRune(in) {
		r, size := utf8.DecodeRune(in)
		in = in[size:]
		out = t.appendRune(out, r, limit)
	}
	if t.partial = append([]byte(nil), in...); len(out) == 0 {
		return len(p), nil
	}
	if _, err := t.Out.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// appendRune appends what shows r to out.
func (t *Terminal) appendRune(out []byte, r rune, limit int) []byte {
	w := Width(r)
	switch {
	case r == '\n':
		t.column, t.word, t.wordWidth = 0, t.word[:0], 0
		return append(out, "\r\n"...)
	case r == ' ' || r == '\t':
		n := 1
		if r == '\t' {
			n = 8 - t.column%8
		}
		n = max(0, min(n, limit-t.column)) // none at the end of a line
		t.column, t.word, t.wordWidth = t.column+n, t.word[:0], 0
		return append(out, strings.Repeat(" ", n)...)
	case isControl(r):
		return out
	case t.column+w > limit:
		out = t.appendBreak(out, w, limit)
	}
	t.column += w
	t.word, t.wordWidth = utf8.AppendRune(t.word, r), t.wordWidth+w
	if w == 2 || len(t.word) > 4*maxWidth { // lines may end behind a wide character
		t.word, t.wordWidth = t.word[:0], 0
	}
	return utf8.AppendRune(out, r)
}

// appendBreak appends a new line. The word that w columns more belong to moves there, if it can.
func (t *Terminal) appendBreak(out []byte, w, limit int) []byte {
	indent := t.indent
	if indent > limit/2 {
		indent = 0
	}
	if t.wordWidth == 0 || t.wordWidth >= t.column-indent || indent+t.wordWidth+w > limit {
		t.column, t.word, t.wordWidth = indent, t.word[:0], 0
		return fmt.Appendf(out, "\r\n%*s", indent, "")
	}
	out = fmt.Appendf(out, "\x1b[%dG\x1b[K\r\n%*s%s", t.column-t.wordWidth+1, indent, "", t.word)
	t.column = indent + t.wordWidth
	return out
}

// Width returns how many columns a character takes: 2 if it is wide in East Asian text (W and F
// of Unicode's EastAsianWidth), 0 if it is a control or combines with the one before it.
func Width(r rune) int {
	switch {
	case isControl(r):
		return 0
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) || r >= 0x1160 && r < 0x1200 || r == 0x2028 || r == 0x2029:
		return 0
	case r >= 0x1100 && unicode.Is(wide, r):
		return 2
	}
	return 1
}

// wide are the wide characters of Unicode 15, and those that are not assigned between them.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115f, 1}, {0x231a, 0x231b, 1}, {0x2329, 0x232a, 1}, {0x23e9, 0x23ec, 1}, {0x23f0, 0x23f0, 1}, {0x23f3, 0x23f3, 1},
		{0x25fd, 0x25fe, 1}, {0x2614, 0x2615, 1}, {0x2648, 0x2653, 1}, {0x267f, 0x267f, 1}, {0x2693, 0x2693, 1}, {0x26a1, 0x26a1, 1},
		{0x26aa, 0x26ab, 1}, {0x26bd, 0x26be, 1}, {0x26c4, 0x26c5, 1}, {0x26ce, 0x26ce, 1}, {0x26d4, 0x26d4, 1}, {0x26ea, 0x26ea, 1},
		{0x26f2, 0x26f3, 1}, {0x26f5, 0x26f5, 1}, {0x26fa, 0x26fa, 1}, {0x26fd, 0x26fd, 1}, {0x2705, 0x2705, 1}, {0x270a, 0x270b, 1},
		{0x2728, 0x2728, 1}, {0x274c, 0x274c, 1}, {0x274e, 0x274e, 1}, {0x2753, 0x2755, 1}, {0x2757, 0x2757, 1}, {0x2795, 0x2797, 1},
		{0x27b0, 0x27b0, 1}, {0x27bf, 0x27bf, 1}, {0x2b1b, 0x2b1c, 1}, {0x2b50, 0x2b50, 1}, {0x2b55, 0x2b55, 1}, {0x2e80, 0x303e, 1},
		{0x3041, 0x3247, 1}, {0x3250, 0x4dbf, 1}, {0x4e00, 0xa4cf, 1}, {0xa960, 0xa97c, 1}, {0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1}, {0xfe10, 0xfe19, 1},
		{0xfe30, 0xfe6b, 1}, {0xff01, 0xff60, 1}, {0xffe0, 0xffe6, 1},
	},
	R32: []unicode.Range32{
		{0x16fe0, 0x18d08, 1}, {0x1aff0, 0x1b2fb, 1}, {0x1f004, 0x1f004, 1}, {0x1f0cf, 0x1f0cf, 1}, {0x1f18e, 0x1f18e, 1}, {0x1f191, 0x1f19a, 1},
		{0x1f200, 0x1f320, 1}, {0x1f32d, 0x1f335, 1}, {0x1f337, 0x1f37c, 1}, {0x1f37e, 0x1f393, 1}, {0x1f3a0, 0x1f3ca, 1}, {0x1f3cf, 0x1f3d3, 1},
		{0x1f3e0, 0x1f3f0, 1}, {0x1f3f4, 0x1f3f4, 1}, {0x1f3f8, 0x1f43e, 1}, {0x1f440, 0x1f440, 1}, {0x1f442, 0x1f4fc, 1}, {0x1f4ff, 0x1f53d, 1},
		{0x1f54b, 0x1f54e, 1}, {0x1f550, 0x1f567, 1}, {0x1f57a, 0x1f57a, 1}, {0x1f595, 0x1f596, 1}, {0x1f5a4, 0x1f5a4, 1}, {0x1f5fb, 0x1f64f, 1},
		{0x1f680, 0x1f6c5, 1}, {0x1f6cc, 0x1f6cc, 1}, {0x1f6d0, 0x1f6d2, 1}, {0x1f6d5, 0x1f6d7, 1}, {0x1f6dc, 0x1f6df, 1}, {0x1f6eb, 0x1f6ec, 1},
		{0x1f6f4, 0x1f6fc, 1}, {0x1f7e0, 0x1f7eb, 1}, {0x1f7f0, 0x1f7f0, 1}, {0x1f90c, 0x1f93a, 1}, {0x1f93c, 0x1f945, 1}, {0x1f947, 0x1f9ff, 1},
		{0x1fa70, 0x1faf8, 1}, {0x20000, 0x3fffd, 1},
	},
}
