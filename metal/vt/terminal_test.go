package vt

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/width"

	"bootllama/internal/heap"
)

func newTerminal(columns, rows int) *Terminal {
	t := new(Terminal)
	t.Resize(columns, rows)
	return t
}

func write(t *Terminal, s string) {
	for i := range len(s) {
		t.Write(s[i])
	}
}

// text is the screen as lines, without the blanks at their ends and the empty lines below.
func text(t *Terminal) string {
	var lines []string
	columns, rows := t.Size()
	for y := range rows {
		var line []rune
		for x := range columns {
			if r := t.Cell(x, y).Rune; r != 0 {
				line = append(line, r)
			}
		}
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func replies(t *Terminal) (s string) {
	for {
		b, ok := t.Reply()
		if !ok {
			return s
		}
		s += string(b)
	}
}

const abcd = "aaaaaa\r\nbbbbbb\r\ncccccc\r\ndddddd"

// TestSequences writes to a terminal of 6 by 4 cells. The cursor's column and row count from 0.
func TestSequences(t *testing.T) {
	for _, c := range []struct {
		name, input, want string
		x, y              int
	}{
		{"text", "hi", "hi", 2, 0},
		{"LF keeps the column", "ab\ncd", "ab\n  cd", 4, 1},
		{"CR", "abc\rd", "dbc", 1, 0},
		{"VT, FF", "a\vb\fc", "a\n b\n  c", 3, 2},
		{"BS", "abc\b\bd", "adc", 2, 0},
		{"BS at the left", "\ba", "a", 1, 0},
		{"HT", "\ta", "     a", 5, 0},
		{"BEL, NUL, DEL", "a\a\x00\x7fb", "ab", 2, 0},

		{"wrap is deferred", "abcdef", "abcdef", 5, 0},
		{"wrap", "abcdefg", "abcdef\ng", 1, 1},
		{"CR LF behind the last column", "abcdef\r\ng", "abcdef\ng", 1, 1},
		{"no wrap", "\x1b[?7labcdefgh", "abcdeh", 5, 0},
		{"wrap again", "\x1b[?7labcdefgh\x1b[?7hi", "abcdei", 5, 0},
		{"a move ends the deferred wrap", "abcdef\x1b[Dx", "abcdxf", 5, 0},
		{"an erase at the last column", "abcdef\b \b", "abcde", 5, 0},
		{"an erase over two rows", "abcdefg\b \b\b \b\b \b", "abcd", 4, 0},
		{"no reverse wraparound", "\x1b[?45labcdefg\b\b\b \b", "abcdef", 0, 1},
		{"scroll", abcd + "\r\ne", "bbbbbb\ncccccc\ndddddd\ne", 1, 3},
		{"scroll by wrap", abcd + "e", "bbbbbb\ncccccc\ndddddd\ne", 1, 3},

		{"CUP", "\x1b[2;3Hx", "\n  x", 3, 1},
		{"CUP is limited", "\x1b[99;99Hx", "\n\n\n     x", 5, 3},
		{"CUP home", "abc\x1b[Hx", "xbc", 1, 0},
		{"HVP", "\x1b[2;2fx", "\n x", 2, 1},
		{"CUU, CUD, CUF, CUB", "\x1b[4B\x1b[2A\x1b[9C\x1b[3Dx", "\n  x", 3, 1},
		{"CNL, CPL", "ab\x1b[2Ec\x1b[Fd", "ab\nd\nc", 1, 1},
		{"CHA, HPA, HPR", "\x1b[3Ga\x1b[1`b\x1b[2ac", "b ac", 4, 0},
		{"VPA, VPR", "\x1b[3da\x1b[1db\x1b[2ec", " b\n\na c", 3, 2},
		{"CHT, CBT", "\x1b[Ia\x1b[Zb", "b    a", 1, 0},
		{"HTS, TBC", "\x1b[3G\x1bH\r\ta\r\x1b[3g\tb", "  a  b", 5, 0},
		{"IND, NEL, RI", "a\x1bDb\x1bEc\x1bMd", "a\n d\nc", 2, 1},
		{"RI at the top", abcd + "\x1b[H\x1bMx", "x\naaaaaa\nbbbbbb\ncccccc", 1, 0},
		{"a control in a sequence", "ab\x1b[\r2Cx", "abx", 3, 0},
		{"CAN", "a\x1b[2\x18Jb", "aJb", 3, 0},

		{"ED", abcd + "\x1b[2;3H\x1b[J", "aaaaaa\nbb", 2, 1},
		{"ED 1", abcd + "\x1b[3;3H\x1b[1J", "\n\n   ccc\ndddddd", 2, 2},
		{"ED 2", abcd + "\x1b[2;3H\x1b[2J", "", 2, 1},
		{"ED 3", "a\x1b[3J", "a", 1, 0},
		{"EL", "abcdef\x1b[3G\x1b[K", "ab", 2, 0},
		{"EL 1", "abcdef\x1b[3G\x1b[1K", "   def", 2, 0},
		{"EL 2", "abcdef\x1b[3G\x1b[2K", "", 2, 0},
		{"ECH", "abcdef\x1b[2G\x1b[3X", "a   ef", 1, 0},
		{"ICH", "abcdef\x1b[2G\x1b[2@", "a  bcd", 1, 0},
		{"DCH", "abcdef\x1b[2G\x1b[2P", "adef", 1, 0},
		{"DCH of all", "abcdef\x1b[2G\x1b[99P", "a", 1, 0},
		{"IRM", "abc\x1b[4h\rxy\x1b[4lz", "xyzbc", 3, 0},
		{"IL", abcd + "\x1b[2;3H\x1b[2L", "aaaaaa\n\n\nbbbbbb", 0, 1},
		{"DL", abcd + "\x1b[2;3H\x1b[2M", "aaaaaa\ndddddd", 0, 1},
		{"SU", abcd + "\x1b[2S", "cccccc\ndddddd", 5, 3},
		{"SD", abcd + "\x1b[2T", "\n\naaaaaa\nbbbbbb", 5, 3},
		{"REP", "ab\x1b[3b", "abbbb", 5, 0},
		{"REP of nothing", "\x1b[3b", "", 0, 0},

		{"DECSTBM", abcd + "\x1b[2;3r\x1b[3;1H\nx", "aaaaaa\ncccccc\nx\ndddddd", 1, 2},
		{"LF below the region", abcd + "\x1b[1;2r\x1b[4;1H\nx", "aaaaaa\nbbbbbb\ncccccc\nxddddd", 1, 3},
		{"IL in the region", abcd + "\x1b[2;3r\x1b[2;1H\x1b[L", "aaaaaa\n\nbbbbbb\ndddddd", 0, 1},
		{"IL outside the region", abcd + "\x1b[2;3r\x1b[1;1H\x1b[L", abcd[:6] + "\nbbbbbb\ncccccc\ndddddd", 0, 0},
		{"CUU stops at the region", "\x1b[2;3r\x1b[3;1H\x1b[9Ax", "\nx", 1, 1},
		{"origin", "\x1b[2;3r\x1b[?6hx\x1b[9;1Hy", "\nx\ny", 1, 2},
		{"a region of one row is none", abcd + "\x1b[2;2r\x1b[4;1H\nx", "bbbbbb\ncccccc\ndddddd\nx", 1, 3},

		{"DECSC, DECRC", "\x1b[2;2H\x1b7\x1b[Ha\x1b8b", "a\n b", 2, 1},
		{"SCOSC, SCORC", "\x1b[2;2H\x1b[s\x1b[Ha\x1b[ub", "a\n b", 2, 1},
		{"the alternate screen", "ab\x1b[?1049hx\x1b[?1049lc", "abc", 3, 0},
		{"on the alternate screen", "ab\x1b[?1049h\x1b[Hx", "x", 1, 0},
		{"mode 47 clears nothing", "ab\x1b[?47h\x1b[Hx\x1b[?47l\x1b[?47h", "x", 1, 0},
		{"mode 1047", "ab\x1b[?1047h\x1b[Hx\x1b[?1047l\x1b[?1047h", "", 1, 0},
		{"mode 1048", "ab\x1b[?1048hcd\x1b[?1048lx", "abxd", 3, 0},

		{"DECALN", "\x1b#8", "EEEEEE\nEEEEEE\nEEEEEE\nEEEEEE", 0, 0},
		{"RIS", "\x1b[2;3r\x1b[31mab\x1bcx", "x", 1, 0},
		{"DECSTR", "\x1b[4h\x1b[!pab\rc", "cb", 1, 0},
		{"DECSTR and the region", "\x1b[2;3r\x1b[!p\x1b[4;1H\nx", "\n\n\nx", 1, 3},
		{"line drawing", "\x1b(0lqk\x1b(Bq", "┌─┐q", 4, 0},
		{"SO, SI", "\x1b)0q\x0eq\x0fq", "q─q", 3, 0},
		{"LNM", "\x1b[20ha\nb", "a\nb", 1, 1},

		{"OSC", "a\x1b]0;title\ab", "ab", 2, 0},
		{"OSC, ST", "a\x1b]8;;x\x1b\\b", "ab", 2, 0},
		{"DCS", "a\x1bPq#0;2\x1b\\b", "ab", 2, 0},
		{"APC, PM, SOS", "a\x1b_x\x1b\\\x1b^y\x1b\\\x1bXz\x1b\\b", "ab", 2, 0},
		{"a sequence ends a string", "a\x1b]0;t\x1b[2Cb", "a  b", 4, 0},
		{"unknown sequences", "a\x1b[>4;2m\x1b[?2026h\x1b[=1c\x1b[ q\x1b[5 q\x1b%G\x1b F\x1b=\x1b>\x1bNb", "ab", 2, 0},
		{"malformed sequences", "a\x1b[1?2h\x1b[ 1m\x1b[!!pb", "ab", 2, 0},
		{"too many parameters", "a\x1b[" + strings.Repeat("1;", 99) + "1Hb", "ab", 2, 0},
		{"a large parameter", "a\x1b[99999999999999999999Cb", "a    b", 5, 0},

		{"UTF-8", "é日😀", "é日😀", 5, 0},
		{"a wide character does not fit", "abcde日", "abcde\n日", 2, 1},
		{"and no wrap", "\x1b[?7labcde日", "abcd日", 5, 0},
		{"over the left half", "日\rx", "x", 1, 0},
		{"over the right half", "日\x1b[2Gx", " x", 2, 0},
		{"wide over two halves", "日本\x1b[2G語", " 語", 3, 0},
		{"ECH of a half", "日\x1b[2G\x1b[X", "", 1, 0},
		{"DCH of a half", "日本\x1b[2G\x1b[P", " 本", 1, 0},
		{"ICH between halves", "日本\x1b[2G\x1b[@", "   本", 1, 0},
		{"ICH pushes out a half", "abcd日\x1b[H\x1b[@", " abcd", 0, 0},
		{"combining marks are dropped", "e\u0301x\u200dy\ufe0f", "exy", 3, 0},
		{"C1 is dropped", "a\u009b31mb", "a31mb", 5, 0},
		{"invalid bytes", "a\xffb\xc0\x80", "a\uFFFDb\uFFFD\uFFFD", 5, 0},
		{"an incomplete character", "\xe6\x97x", "\uFFFDx", 2, 0},
		{"a surrogate", "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", 3, 0},
		{"above U+10FFFF", "\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD", 4, 0},
		{"overlong", "\xe0\x80\xf0\x80", "\uFFFD\uFFFD\uFFFD\uFFFD", 4, 0},
		{"ESC ends an incomplete character", "\xe6\x1b[2Cx", "\uFFFD  x", 4, 0},
	} {
		term := newTerminal(6, 4)
		write(term, c.input)
		x, y, _ := term.Cursor()
		if got := text(term); got != c.want || x != c.x || y != c.y {
			t.Errorf("%s: %q with the cursor at %d, %d; want %q and %d, %d", c.name, got, x, y, c.want, c.x, c.y)
		}
		check(t, term)
	}
}

// TestStreams writes what programs with a whole screen of 20 by 6 cells write, in the sequences that xterm-256color has for
// them, one after another on one screen, and compares all cells after each step. styles has a letter for each cell that is
// not plain: r reverse, b bold, 1 to 7 a colour of the text, B a blue ground.
func TestStreams(t *testing.T) {
	term := newTerminal(20, 6)
	for _, step := range []struct{ name, output, want, styles string }{
		{"a prompt", "\x1b[?2004h\x1b[1;32m~\x1b[0m$ less tale.txt\r\n\x1b[?2004l\r",
			"~$ less tale.txt", "2"},
		{"a pager", "\x1b[?1049h\x1b[22;0;0t\x1b[?1h\x1b=\r" +
			"Once upon a time\r\n\x1b[mthere was a llama\x1b[m\r\nwho lived in a\x1b[m\r\nmachine.\x1b[m\r\n\r\n\x1b[7mtale.txt\x1b[27m\x1b[K",
			"Once upon a time\nthere was a llama\nwho lived in a\nmachine.\n\ntale.txt", "\n\n\n\n\nrrrrrrrr"},
		{"a line on", "\r\x1b[K\x1b[1mThe\x1b[22m end\x1b[m\r\n\x1b[7m(END)\x1b[27m\x1b[K",
			"there was a llama\nwho lived in a\nmachine.\n\nThe end\n(END)", "\n\n\n\nbbb\nrrrrr"},
		{"two lines back", "\r\x1b[K\x1b[H\x1bMOnce upon a time\x1b[m\x1b[H\x1bM\x1b[31mTitle\x1b[m\x1b[6;1H\r\x1b[K:\x1b[K",
			"Title\nOnce upon a time\nthere was a llama\nwho lived in a\nmachine.\n:", "11111"},
		{"its end", "\r\x1b[K\x1b[?1l\x1b>\x1b[?1049l\x1b[23;0;0t",
			"~$ less tale.txt", "2"},
		{"an editor", "\x1b[?1049h\x1b[1;6r\x1b[?12h\x1b[?12l\x1b[27m\x1b[m\x1b[H\x1b[2J\x1b[?25l\x1b[1;1Hfunc main() {\x1b[2;1H\x1b[94m~" +
			"                   \x1b[3;1H~                   \x1b[m\x1b[4;1H\x1b[1m\x1b[7mmain.go             \x1b[m\x1b[5;1H\x1b[94m~\x1b[m\x1b[6;10H1,1\x1b[1;1H\x1b[?25h",
			"func main() {\n~\n~\nmain.go\n~\n         1,1", "\n4" + strings.Repeat("4", 19) + "\n4" + strings.Repeat("4", 19) + "\nRRRRRRRRRRRRRRRRRRRR\n4"},
		{"a line is opened in its window", "\x1b[?25l\x1b[1;3r\x1b[2;1H\x1b[L\x1b[1;6r\x1b[2;4Hreturn\x1b[6;10H\x1b[K\x1b[6;10H2,4\x1b[2;4H\x1b[?25h",
			"func main() {\n   return\n~\nmain.go\n~\n         2,4", "\n\n4" + strings.Repeat("4", 19) + "\nRRRRRRRRRRRRRRRRRRRR\n4"},
		{"words change", "\x1b[2;10H 日本\x1b[2;4H\x1b[6P\x1b[1;6H\x1b[44mM\x1b[5@\x1b[m",
			"func M     ain() {\n    日本\n~\nmain.go\n~\n         2,4", "     BBBBBB\n\n4" + strings.Repeat("4", 19) + "\nRRRRRRRRRRRRRRRRRRRR\n4"},
		{"a dialog", "\x1b7\x1b[2;5H\x1b(0lqqqk\x1b[3;5Hx\x1b(B\x1b[31mno\x1b[39m \x1b(0x\x1b[4;5Hmqqqj\x1b(B\x1b8!",
			"func M!    ain() {\n    ┌───┐\n~   │no │\nmain└───┘\n~\n         2,4",
			"     B BBBB\n\n4444 11  44444444444\nRRRR     RRRRRRRRRRR\n4"},
		{"the editor's end", "\x1b[6;1H\x1b[K\x1b[?1049l",
			"~$ less tale.txt", "2"},
		{"a line editor", "\x1b[32m>\x1b[m tell me a story of x\x1b[2;1H\x1b[J\x1b[2;1H\x1b[32m>\x1b[m tell me a long st\r\nory\x1b[A\x1b[K",
			"~$ less tale.txt\n> t\nory", "2\n2"},
	} {
		write(term, step.output)
		if got := text(term); got != step.want {
			t.Fatalf("%s: %q, want %q", step.name, got, step.want)
		}
		if got := styles(term); got != step.styles {
			t.Errorf("%s: styles %q, want %q", step.name, got, step.styles)
		}
		check(t, term)
	}
}

// styles has a letter for each cell as TestStreams says, R for bold and reverse.
func styles(term *Terminal) string {
	var lines []string
	columns, rows := term.Size()
	for y := range rows {
		var line []byte
		for x := range columns {
			switch c := term.Cell(x, y); {
			case c.Attr == Reverse|Bold:
				line = append(line, 'R')
			case c.Attr == Reverse:
				line = append(line, 'r')
			case c.Bg == 4:
				line = append(line, 'B')
			case c.Fg < 16:
				line = append(line, '0'+byte(c.Fg&7))
			case c.Attr == Bold:
				line = append(line, 'b')
			default:
				line = append(line, ' ')
			}
		}
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// TestRendition compares the cell that SGR makes.
func TestRendition(t *testing.T) {
	for _, c := range []struct {
		parameters string
		want       Cell
	}{
		{"", Cell{'x', Default, Default, 0}},
		{"31;42", Cell{'x', 1, 2, 0}},
		{"91;102", Cell{'x', 9, 10, 0}},
		{"1;2;3;4;7;9", Cell{'x', Default, Default, Bold | Dim | Italic | Underline | Reverse | Strike}},
		{"1;2;3;4;7;9;22;23;24;27;29", Cell{'x', Default, Default, 0}},
		{"1;31;0", Cell{'x', Default, Default, 0}},
		{"31;42;39;49", Cell{'x', Default, Default, 0}},
		{"38;5;123;48;5;7", Cell{'x', 123, 7, 0}},
		{"38;2;1;2;3;4", Cell{'x', RGB | 0x010203, Default, Underline}},
		{"38:5:123;48:2:1:2:3", Cell{'x', 123, RGB | 0x010203, 0}},
		{"38:2::1:2:3;4", Cell{'x', RGB | 0x010203, Default, Underline}},
		{"38;5;256;1", Cell{'x', Default, Default, Bold}},
		{"38;5", Cell{'x', Default, Default, 0}},
		{"38;2;1;2", Cell{'x', Default, Default, 0}},
		{"38;9;1", Cell{'x', Default, Default, Bold}},
		{"38:2:1:2", Cell{'x', Default, Default, 0}},
		{"58;5;3;1", Cell{'x', Default, Default, Bold}},
		{"58:2::1:2:3;1", Cell{'x', Default, Default, Bold}},
		{"4:3", Cell{'x', Default, Default, Underline}},
		{"4;4:0", Cell{'x', Default, Default, 0}},
		{"21", Cell{'x', Default, Default, Underline}},
	} {
		term := newTerminal(6, 4)
		write(term, "\x1b["+c.parameters+"mx")
		if got := term.Cell(0, 0); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.parameters, got, c.want)
		}
	}
	term := newTerminal(6, 4)
	write(term, "\x1b[1;44mx\x1b[K")
	if got, want := term.Cell(5, 0), (Cell{' ', Default, 4, 0}); got != want {
		t.Errorf("erased: %+v, want %+v", got, want)
	}
}

func TestReplies(t *testing.T) {
	for input, want := range map[string]string{
		"\x1b[5n":                  "\x1b[0n",
		"ab\n\x1b[6n":              "\x1b[2;3R",
		"ab\n\x1b[?6n":             "\x1b[?2;3R",
		"\x1b[2;3r\x1b[?6h\x1b[6n": "\x1b[1;1R",
		"\x1b[c":                   "\x1b[?62;22c",
		"\x1b[0c\x1bZ":             "\x1b[?62;22c\x1b[?62;22c",
		"\x1b[>c":                  "\x1b[>1;10;0c",
		"\x1b[18t":                 "\x1b[8;4;6t",
		"\x1b[?25$p\x1b[?1$p":      "\x1b[?25;1$y\x1b[?1;2$y",
		"\x1b[?2026$p\x1b[4$p":     "\x1b[?2026;0$y\x1b[4;2$y",
		"\x1b[?1049h\x1b[?1049$p":  "\x1b[?1049;1$y",
		"plain\x1b[31m":            "",
	} {
		term := newTerminal(6, 4)
		write(term, input)
		if queried := term.Queried(); queried != (want != "") || term.Queried() {
			t.Errorf("%q: queried %v", input, queried)
		}
		if got := replies(term); got != want {
			t.Errorf("%q: %q, want %q", input, got, want)
		}
	}
	term := newTerminal(6, 4)
	write(term, strings.Repeat("\x1b[c", 99))
	got := replies(term)
	if n := strings.Count(got, "\x1b[?62;22c"); n < 2 || n*len("\x1b[?62;22c") != len(got) {
		t.Errorf("replies that nobody reads: %q", got)
	}
	write(term, "\x1b[5n")
	if got := replies(term); got != "\x1b[0n" {
		t.Errorf("after them: %q", got)
	}
}

func TestModes(t *testing.T) {
	term := newTerminal(6, 4)
	visible := func() bool { _, _, v := term.Cursor(); return v }
	if term.ApplicationCursor() || term.BracketedPaste() || !visible() {
		t.Error("modes at the start")
	}
	write(term, "\x1b[1;?25l\x1b[2?25l\x1b[??25l")
	if !visible() {
		t.Error("a malformed sequence hides the cursor")
	}
	write(term, "\x1b[?1;2004h\x1b[?25l")
	if !term.ApplicationCursor() || !term.BracketedPaste() || visible() {
		t.Error("modes are not set")
	}
	write(term, "\x1b[?1l\x1b[?2004l\x1b[?25h")
	if term.ApplicationCursor() || term.BracketedPaste() || !visible() {
		t.Error("modes are not reset")
	}
}

// TestLongString: text shows again behind a string that does not end.
func TestLongString(t *testing.T) {
	term := newTerminal(6, 4)
	write(term, "\x1b]"+strings.Repeat("x", maxString)+"\r\nover")
	if got := text(term); !strings.HasSuffix(got, "\nover") {
		t.Errorf("%q", got)
	}
}

func TestResize(t *testing.T) {
	for _, c := range []struct {
		name          string
		columns, rows int
		input, want   string
		x, y          int
	}{
		{"larger", 8, 6, abcd, abcd, 5, 3},
		{"rows are lost below the cursor", 6, 2, abcd + "\x1b[H", "aaaaaa\nbbbbbb", 0, 0},
		{"rows are lost above the cursor", 6, 2, abcd, "cccccc\ndddddd", 5, 1},
		{"columns", 4, 4, abcd, "aaaa\nbbbb\ncccc\ndddd", 3, 3},
		{"after a scroll", 8, 6, abcd + "\r\nee\r\nff", "cccccc\ndddddd\nee\nff", 2, 3},
		{"narrower and lower after a scroll", 3, 3, abcd + "\r\nee\r\nff", "ddd\nee\nff", 2, 2},
		{"wider and lower after a scroll", 9, 3, abcd + "\r\nee\r\nff", "dddddd\nee\nff", 2, 2},
		{"half of a wide character", 3, 4, "ab日", "ab", 2, 0},
		{"one cell", 1, 1, "日\rx", "x", 0, 0},
		{"nothing", 0, -1, "x", "x", 0, 0},
		{"huge", 1 << 40, 1 << 40, "x", "x", 1, 0},
	} {
		term := newTerminal(6, 4)
		write(term, strings.ReplaceAll(c.input, "\n", "\r\n"))
		term.Resize(c.columns, c.rows)
		x, y, _ := term.Cursor()
		if got := text(term); got != strings.ReplaceAll(c.want, "\r\n", "\n") || x != c.x || y != c.y {
			t.Errorf("%s: %q with the cursor at %d, %d; want %q and %d, %d", c.name, got, x, y, c.want, c.x, c.y)
		}
		check(t, term)
	}
	term := newTerminal(6, 4)
	write(term, "main\x1b[?1049h\x1b[Hother")
	term.Resize(20, 10)
	if got := text(term); got != "other" {
		t.Errorf("the alternate screen shows %q", got)
	}
	write(term, "\x1b[?1049l")
	if got := text(term); got != "main" {
		t.Errorf("the main screen shows %q", got)
	}
	var zero Terminal
	write(&zero, "text")
	if columns, rows := zero.Size(); columns+rows != 0 || zero.Cell(0, 0) != blank {
		t.Error("a terminal without cells has some")
	}
}

// TestLimits: every size within the limits is taken as it is.
func TestLimits(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {MaxColumns, MaxCells / MaxColumns}, {MaxCells / MaxRows, MaxRows}, {480, 135}} {
		term := newTerminal(size[0], size[1])
		if columns, rows := term.Size(); columns != size[0] || rows != size[1] {
			t.Errorf("%d by %d instead of %v", columns, rows, size)
		}
		write(term, "\x1b#8\x1b[99999S\x1b[99999Bx\x1b[99999b")
		check(t, term)
	}
}

// check says what is wrong with a terminal whatever was written to it.
func check(t *testing.T, term *Terminal) {
	t.Helper()
	columns, rows := term.Size()
	if x, y, _ := term.Cursor(); x < 0 || y < 0 || x >= columns || y >= rows {
		t.Fatalf("the cursor is at %d, %d of %d by %d", x, y, columns, rows)
	}
	if term.top < 0 || term.bottom >= rows || term.top > term.bottom {
		t.Fatalf("the scroll region is %d to %d", term.top, term.bottom)
	}
	for screen := range term.lines {
		lines := slices.Sorted(slices.Values(term.lines[screen][:rows]))
		for i, line := range lines {
			if int(line) != i {
				t.Fatalf("the lines of screen %d are %v", screen, term.lines[screen][:rows])
			}
		}
	}
	for y := range rows {
		for x := range columns {
			c := term.Cell(x, y)
			wide := Width(c.Rune) == 2
			if wide && (x == columns-1 || term.Cell(x+1, y).Rune != 0) || c.Rune == 0 && (x == 0 || Width(term.Cell(x-1, y).Rune) != 2) {
				t.Fatalf("half of a wide character at %d, %d", x, y)
			}
			if c.Rune != 0 && Width(c.Rune) == 0 {
				t.Fatalf("%U at %d, %d", c.Rune, x, y)
			}
		}
	}
}

// drawn is what a user of Damage and Scrolled has drawn.
type drawn struct {
	columns, rows int
	cells         []Cell
}

// follow draws what has changed, and compares all cells.
func (d *drawn) follow(t *testing.T, term *Terminal) {
	t.Helper()
	columns, rows := term.Size()
	if columns != d.columns || rows != d.rows {
		*d = drawn{columns, rows, make([]Cell, columns*rows)}
	}
	n := min(term.Scrolled(), rows)
	d.cells = append(d.cells[n*columns:], slices.Repeat([]Cell{blank}, n*columns)...)
	for y := range rows {
		first, end := term.Damage(y)
		for x := first; x < end; x++ {
			d.cells[y*columns+x] = term.Cell(x, y)
		}
	}
	term.Drawn()
	for y := range rows {
		for x := range columns {
			if d.cells[y*columns+x] != term.Cell(x, y) {
				t.Fatalf("%d, %d was not drawn: %+v instead of %+v", x, y, d.cells[y*columns+x], term.Cell(x, y))
			}
		}
	}
}

// FuzzTerminal: whatever is written, and however the size changes, nothing is outside, and
// Damage covers all changes. A byte 0xFE with two more is a size, 0xFF draws.
func FuzzTerminal(f *testing.F) {
	f.Add([]byte(abcd + "\x1b[2;3r\x1b[?6h\x1b[3;1H\n\xfe\x05\x05\x1bM\xff日本\x1b[?1049h\x1b[2J\xff"))
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"\x1b[", "\x1b", "?", ";", ":", "1", "2", "3", "99999", "日", "é", "\xff", "\xfe\x03\x02", "\xfe\x20\x10", "\xfe\x01\x01", "\r\n", "\b", "\t",
		"\x1b[?1049h", "\x1b[?1049l", "\x1b[r", "\x1b[2;4r", "\x1b[44m", "\x1b[m", "\x1b#8", "\x1b[?6h", "\x1b[4h", "text"}
	for final := byte('@'); final <= '~'; final++ {
		pieces = append(pieces, "\x1b["+string(final), "\x1b[3"+string(final), string(final))
	}
	for range 300 {
		var b []byte
		for range 60 {
			b = append(b, pieces[random.IntN(len(pieces))]...)
		}
		f.Add(b)
	}
	term := new(Terminal)
	f.Fuzz(func(t *testing.T, input []byte) {
		*term = Terminal{}
		term.Resize(7, 5)
		heap.Check(t, len(input), 0, func() {
			for _, b := range input {
				term.Write(b)
			}
		})
		*term = Terminal{}
		term.Resize(7, 5)
		var d drawn
		for i := 0; i < len(input); i++ {
			switch {
			case input[i] == 0xFE && i+2 < len(input):
				term.Resize(int(input[i+1]%40), int(input[i+2]%40))
				i += 2
			case input[i] == 0xFF:
				d.follow(t, term)
			default:
				term.Write(input[i])
			}
		}
		check(t, term)
		d.follow(t, term)
		replies(term)
	})
}

// TestWidth compares the tables with the standard library's and golang.org/x/text's, for the
// characters that the former has.
func TestWidth(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.C) {
			continue
		}
		want := 1
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.Is(unicode.Cc, r), r == 0x2028, r == 0x2029:
			want = 0
		case r == 0xAD, unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf), r >= 0x1160 && r <= 0x11FF:
			want = 0
		case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
			want = 2
		}
		if got := Width(r); got != want {
			t.Errorf("%U: %d, want %d", r, got, want)
		}
	}
}

// BenchmarkWrite measures streams like those of programs, in MB/s.
func BenchmarkWrite(b *testing.B) {
	var colours strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&colours, "\x1b[%d;%dH\x1b[38;5;%dmword\x1b[0m", i%31+1, i%90+1, i%256)
	}
	for name, s := range map[string]string{
		"text":    strings.Repeat(strings.Repeat("The cat sat on the mat. ", 3)+"\r\n", 500),
		"colours": colours.String(),
		"CJK":     strings.Repeat("日本語の文章です。", 1000),
	} {
		b.Run(name, func(b *testing.B) {
			term := newTerminal(240, 67)
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				write(term, s)
			}
		})
	}
}
