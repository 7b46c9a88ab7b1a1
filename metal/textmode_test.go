//go:build linux && amd64

package metal

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"bootllama/metal/vt"
)

// fakeConsole is EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL (12.4) of firmware with a screen of cells.
type fakeConsole struct {
	f        *testFirmware
	protocol efiSimpleTextOutput
	mode     efiSimpleTextOutputMode
	sizes    [][2]uintptr // by mode; no columns and rows: it is not there
	cells    [][]shownCell
	lacks    string  // characters without a glyph
	other    uintptr // another protocol with these functions
	late     bool    // behind the last column, the cursor stays until the next character comes, other than EDK2's
}

// newConsole makes a console with modes of these sizes the firmware's, and forgets what the kernel knows of another.
func newConsole(f *testFirmware, sizes ...[2]uintptr) *fakeConsole {
	c := &fakeConsole{f: f, sizes: sizes}
	c.protocol = efiSimpleTextOutput{
		outputString: f.service(c.outputString), testString: f.service(c.testString), queryMode: f.service(c.queryMode),
		setMode: f.service(c.setMode), setAttribute: f.service(c.setAttribute), clearScreen: f.service(c.clearScreen),
		setCursorPosition: f.service(c.setCursorPosition), enableCursor: f.service(c.enableCursor), mode: address(&c.mode),
	}
	c.mode = efiSimpleTextOutputMode{maxMode: int32(len(sizes)), attribute: efiAttribute}
	c.clear()
	reset := func() {
		textStarted, cursorWanted, graphics, startedByShell, outputNewLine = false, false, false, false, true
		textOut, conOut, hiiFont, textColumns, textRows = 0, 0, 0, 0, 0
		outputTextSize, shownTop, penX, penY = 0, 0, 0, 0
		firmwareMode, bestMode, firmwareAttribute, firmwareCursor = 0, 0, 0, false
		glyphs, shown = [len(glyphs)]glyph{}, [len(shown)]shownCell{}
		pendingSignals = 0
		terminal = vt.Terminal{}
	}
	reset()
	f.t.Cleanup(reset)
	f.table.conOut, conOut, textOut = address(&c.protocol), address(&c.protocol), address(&c.protocol)
	return c
}

func (c *fakeConsole) size() (columns, rows int) {
	size := c.sizes[c.mode.mode]
	return int(size[0]), int(size[1])
}

// clear is what ClearScreen and SetMode do: all cells are empty, in the colours of the moment, and the cursor goes to the first.
func (c *fakeConsole) clear() {
	columns, rows := c.size()
	c.cells = make([][]shownCell, rows)
	for y := range c.cells {
		c.cells[y] = c.emptyRow(columns)
	}
	c.mode.cursorColumn, c.mode.cursorRow = 0, 0
}

func (c *fakeConsole) emptyRow(columns int) []shownCell {
	row := make([]shownCell, columns)
	for x := range row {
		row[x] = shownCell{' ', uint16(c.mode.attribute)}
	}
	return row
}

func (c *fakeConsole) check(a ...uintptr) {
	if a[0] != address(&c.protocol) && a[0] != c.other {
		c.f.t.Errorf("the console's function got %#x for its protocol", a[0])
	}
}

func (c *fakeConsole) outputString(a ...uintptr) uintptr {
	c.check(a...)
	var units []uint16
	for p := a[1]; *at[uint16](p) != 0; p += 2 {
		units = append(units, *at[uint16](p))
	}
	c.f.note("%q", string(utf16.Decode(units)))
	for _, u := range units {
		c.put(u)
	}
	return efiSuccess
}

// put is 12.4.3: \r, \n, and \b move the cursor; behind the last row, the screen scrolls.
func (c *fakeConsole) put(u uint16) {
	columns, _ := c.size()
	x, y := &c.mode.cursorColumn, &c.mode.cursorRow
	switch u {
	case '\r':
		*x = 0
	case '\n':
		c.lineFeed()
	case '\b', '\t', 0x1B, 0x7F:
		c.f.t.Errorf("the console got %q", rune(u))
	default:
		if int(*x) == columns {
			*x = 0
			c.lineFeed()
		}
		c.cells[*y][*x] = shownCell{u, uint16(c.mode.attribute)}
		if *x++; int(*x) == columns && !c.late {
			*x = 0
			c.lineFeed()
		}
	}
}

func (c *fakeConsole) lineFeed() {
	columns, rows := c.size()
	if c.mode.cursorRow++; int(c.mode.cursorRow) == rows {
		c.mode.cursorRow--
		c.cells = append(c.cells[1:], c.emptyRow(columns))
	}
}

func (c *fakeConsole) testString(a ...uintptr) uintptr {
	c.check(a...)
	unit := *at[[2]uint16](a[1])
	if strings.ContainsRune(c.lacks, rune(unit[0])) || unit[1] != 0 {
		return efiUnsupported
	}
	return efiSuccess
}

func (c *fakeConsole) queryMode(a ...uintptr) uintptr {
	c.check(a...)
	if a[1] >= uintptr(len(c.sizes)) || c.sizes[a[1]] == [2]uintptr{} {
		return efiUnsupported
	}
	*at[uintptr](a[2]), *at[uintptr](a[3]) = c.sizes[a[1]][0], c.sizes[a[1]][1]
	return efiSuccess
}

func (c *fakeConsole) setMode(a ...uintptr) uintptr {
	c.check(a...)
	c.f.note("mode %d", a[1])
	if a[1] >= uintptr(len(c.sizes)) {
		return efiUnsupported
	}
	c.mode.mode = int32(a[1])
	c.clear()
	return efiSuccess
}

func (c *fakeConsole) setAttribute(a ...uintptr) uintptr {
	c.check(a...)
	c.f.note("attribute %#x", a[1])
	c.mode.attribute = int32(a[1])
	return efiSuccess
}

func (c *fakeConsole) clearScreen(a ...uintptr) uintptr {
	c.check(a...)
	c.f.note("clear")
	c.clear()
	return efiSuccess
}

func (c *fakeConsole) setCursorPosition(a ...uintptr) uintptr {
	c.check(a...)
	c.f.note("to %d,%d", a[1], a[2])
	if columns, rows := c.size(); a[1] >= uintptr(columns) || a[2] >= uintptr(rows) {
		c.f.t.Errorf("the cursor was put at %d, %d of a console of %d by %d", a[1], a[2], columns, rows)
		return efiUnsupported
	}
	c.mode.cursorColumn, c.mode.cursorRow = int32(a[1]), int32(a[2])
	return efiSuccess
}

func (c *fakeConsole) enableCursor(a ...uintptr) uintptr {
	c.check(a...)
	c.f.note("cursor %d", a[1])
	c.mode.cursorVisible = a[1] != 0
	return efiSuccess
}

var printed []byte // by printText: no text on the stack, which may move

// printText writes to the terminal as a program does.
func printText(s string) {
	printed = append(append(printed[:0], s...), 0)
	consoleWrite(stdout, address(&printed[0]), uintptr(len(s)))
}

// wantShown compares the console's screen with the terminal's cells. The last cell of all stays empty.
func (c *fakeConsole) wantShown(what string) {
	c.f.t.Helper()
	columns, rows := c.size()
	for y := range rows {
		for x := range columns {
			want := emptyCell
			if y < rows-1 || x < columns-1 {
				want = consoleCell(terminal.Cell(x, y))
			}
			if got := c.cells[y][x]; got != want {
				c.f.t.Fatalf("%s: the console's cell at %d, %d is %q, %#x, want %q, %#x", what, x, y, rune(got.unit), got.attribute, rune(want.unit), want.attribute)
			}
		}
	}
	x, y, visible := terminal.Cursor()
	if x, y = min(x, columns-1), min(y, rows-1); cursorWanted && visible && (int(c.mode.cursorColumn) != x || int(c.mode.cursorRow) != y) {
		c.f.t.Fatalf("%s: the console's cursor is at %d, %d, want %d, %d", what, c.mode.cursorColumn, c.mode.cursorRow, x, y)
	}
	if cursorWanted && c.mode.cursorVisible != visible {
		c.f.t.Fatalf("%s: the console's cursor is visible: %v", what, c.mode.cursorVisible)
	}
}

// TestConsoleShows writes random text and sequences, and compares the firmware's screen with the terminal's cells after each
// write, on screens of all shapes, with both kinds of cursors behind the last column, and with a terminal of another size.
func TestConsoleShows(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 2))
	for round := range 60 {
		columns, rows := 2+random.IntN(40), 2+random.IntN(12)
		f := newServices(t)
		c := newConsole(f, [2]uintptr{uintptr(columns), uintptr(rows)})
		c.late, c.lacks = round%2 == 1, "日“"
		initText()
		if round%3 > 0 {
			showCursor()
		}
		if round%5 == 4 {
			resizeTerminal(columns+random.IntN(7)-3, rows+random.IntN(7)-3)
		}
		c.wantShown(fmt.Sprintf("round %d at the start", round))
		written := ""
		for range 150 {
			s := randomText(random, columns, rows)
			written += s
			printText(s)
			c.wantShown(fmt.Sprintf("round %d, %d by %d, after %q", round, columns, rows, written[max(0, len(written)-300):]))
		}
	}
}

// randomText is what a program may write.
func randomText(random *rand.Rand, columns, rows int) (s string) {
	for range 1 + random.IntN(4) {
		switch random.IntN(14) {
		case 0:
			s += strings.Repeat("\n", random.IntN(2*rows))
		case 1:
			s += fmt.Sprintf("\x1b[%d;%dH", 1+random.IntN(rows), 1+random.IntN(columns))
		case 2:
			s += fmt.Sprintf("\x1b[%dm", []int{0, 1, 2, 7, 31, 44, 97, 100, 27}[random.IntN(9)])
		case 3:
			s += []string{"\x1b[J", "\x1b[K", "\x1b[1J", "\x1b[2J", "\x1b[1K", "\x1b[H"}[random.IntN(6)]
		case 4:
			s += []string{"\x1b[L", "\x1b[M", "\x1b[3@", "\x1b[2P", "\x1bM", "\x1b[S", "\x1b[T"}[random.IntN(7)]
		case 5:
			s += "日本 “é” Ł"
		case 6:
			s += []string{"\x1b[?25l", "\x1b[?25h", "\x1b[2;3r", "\x1b[r", "\x1b[?1049h", "\x1b[?1049l"}[random.IntN(6)]
		case 7:
			s += "\r"
		case 8:
			s += strings.Repeat("long ", random.IntN(columns))
		case 9:
			s += "\x1b[" + fmt.Sprint(1+random.IntN(9)) + "C"
		case 10:
			s += "\b"
		default:
			s += []string{"a", "word", "two words\n", "x\r\ny", "  "}[random.IntN(5)]
		}
	}
	return s
}

// TestConsoleCalls: how the text comes to the console: in few calls.
func TestConsoleCalls(t *testing.T) {
	f := newServices(t)
	c := newConsole(f, [2]uintptr{40, 8})
	initText()
	f.wantLog("the start", "clear")
	for _, step := range []struct {
		write string
		want  []string
	}{
		{"", nil},
		{"a", []string{`"a"`}},
		{"bc", []string{`"bc"`}},
		{"\rabc", nil}, // it is there
		{"\rxbc", []string{`"\rx"`}},
		{"\n", nil}, // nobody looks for the cursor
		{"second", []string{`"\r\nsecond"`}},
		{"\nthird\nfourth", []string{`"\r\nthird\r\nfourth"`}},
		{"\x1b[1;2H", nil},
		{"-", []string{`to 1,0`, `"-"`}},
		{"\x1b[1;9Hnear", []string{`"c     near"`}},
		{"\x1b[1;22Hfar", []string{`to 21,0`, `"far"`}},
		{"\x1b[31mred\x1b[32mgreen\x1b[m.", []string{`attribute 0x4`, `"red"`, `attribute 0x2`, `"green"`, `attribute 0x7`, `"."`}},
		{"\x1b[1;26Hr\x1b[1;31H!", []string{`to 25,0`, `"r"`, `to 30,0`, `"!"`}},
		{"\x1b[2;1H", nil},
		{"\x1b[2;3HC\x1b[3;3HI", []string{`to 2,1`, `"C"`, `to 2,2`, `"I"`}},
		{"\x1b[3;37Hlast", []string{`to 36,2`, `"last"`}},
		{"\x1b[3;30Hx", []string{`to 29,2`, `"x"`}},
		{"\x1b[3;36Hx\x1b[3;40Ht", []string{`"     x"`}},
		{"\x1b[3;36Hy\x1b[3;39HT", []string{`to 35,2`, `"ylaT"`}},
		{"\x1b[8;1Hbottom", []string{`to 0,7`, `"bottom"`}},
		{"\n", []string{`"\n"`}},
		{"\n\nmore", []string{`"\n\n\rmore"`}},
		{"\x1b[8;40Hz", nil},
		{"\x1b[8;40H\n", []string{`"\n"`, `to 39,6`, `"z"`}},
		{"\x1b[44m\x1b[1;1Hblue\x1b[8;20H\x1b[m\n", []string{`to 0,7`, `"\n"`}},
		// To scroll often is slower than to draw the rows.
		{"\n\n\ndrawn", []string{`to 0,2`, `"more  "`, `to 39,2`, `"z"`, `to 0,5`, `"    "`, `to 39,5`, `" "`, `to 0,7`, `"drawn"`}},
		{strings.Repeat("\n", 8) + "gone", []string{`clear`, `to 0,7`, `"gone"`}},
		{strings.Repeat("\n", 7) + "above", []string{`to 0,0`, `"gone"`, `to 0,7`, `"above"`}},
		{"\x1b[41mground\x1b[m" + strings.Repeat("\n", 9), []string{`clear`}},
		// Behind the last column, where the console's cursor is then depends on the firmware.
		{strings.Repeat("0123456789", 4), []string{`to 0,7`, `"012345678901234567890123456789012345678"`}},
		{"x", []string{`"\n"`, `to 39,6`, `"9"`, `to 0,7`, `"x"`}},
	} {
		printText(step.write)
		f.wantLog(fmt.Sprintf("%q", step.write), step.want...)
		c.wantShown(step.write)
	}
}

// TestTextModes: without a shell, the console gets the mode with the most columns and, of these, rows, that the terminal can have.
func TestTextModes(t *testing.T) {
	const most = vt.MaxColumns
	many := make([][2]uintptr, 66)
	many[0], many[63], many[64] = [2]uintptr{80, 25}, [2]uintptr{90, 30}, [2]uintptr{100, 30}
	for _, c := range []struct {
		name          string
		sizes         [][2]uintptr
		now           int32
		shell         bool
		columns, rows int
		mode          int32
	}{
		{"one", [][2]uintptr{{80, 25}}, 0, false, 80, 25, 0},
		{"the widest", [][2]uintptr{{80, 25}, {80, 50}, {}, {160, 42}, {100, 60}}, 0, false, 160, 42, 3},
		{"the highest of them", [][2]uintptr{{80, 25}, {100, 30}, {100, 31}, {100, 29}}, 1, false, 100, 31, 2},
		{"the first of them", [][2]uintptr{{80, 25}, {100, 30}, {100, 30}}, 2, false, 100, 30, 1},
		{"no cells", [][2]uintptr{{80, 25}, {0, 99}, {99, 0}}, 0, false, 80, 25, 0},
		{"as much as there may be", [][2]uintptr{{80, 25}, {most, 64}}, 0, false, most, 64, 1},
		{"too wide", [][2]uintptr{{80, 25}, {most + 1, 2}}, 0, false, 80, 25, 0},
		{"too high", [][2]uintptr{{20, 25}, {21, vt.MaxRows + 1}}, 0, false, 20, 25, 0},
		{"the highest", [][2]uintptr{{20, 25}, {21, vt.MaxRows}}, 0, false, 21, vt.MaxRows, 1},
		{"too many cells", [][2]uintptr{{80, 25}, {most, 65}}, 0, false, 80, 25, 0},
		{"no more than 64 are asked for", many, 0, false, 90, 30, 63},
		{"a shell's", [][2]uintptr{{80, 25}, {160, 42}, {100, 31}}, 2, true, 100, 31, 2},
		{"a shell's that it does not tell", [][2]uintptr{{80, 50}, {}}, 1, true, 80, 25, 1},
		{"none that it tells", [][2]uintptr{{}, {}}, 1, false, 80, 25, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newServices(t)
			console := newConsole(f, c.sizes...)
			console.mode.mode, startedByShell = c.now, c.shell
			initText()
			columns, rows := terminal.Size()
			if columns != c.columns || rows != c.rows || textColumns != columns || textRows != rows || console.mode.mode != c.mode || !textStarted {
				t.Errorf("%d by %d cells in mode %d, want %d by %d in mode %d", columns, rows, console.mode.mode, c.columns, c.rows, c.mode)
			}
			var want []string
			if c.mode != c.now {
				want = append(want, fmt.Sprintf("mode %d", c.mode))
			}
			if !c.shell {
				want = append(want, "clear")
			}
			f.wantLog("the start", want...)
		})
	}
}

// TestLongText: no call of OutputString has more characters than there is room for.
func TestLongText(t *testing.T) {
	f := newServices(t)
	c := newConsole(f, [2]uintptr{600, 3})
	initText()
	f.log = nil
	for _, n := range []int{254, 255, 256, 510, 599} {
		printText("\r" + strings.Repeat(string(rune('a'+n%26)), n))
		c.wantShown(fmt.Sprint(n))
	}
	total := 0
	for _, s := range f.log {
		text := strings.Trim(s, `"`)
		if total += len(strings.TrimPrefix(text, `\r`)); len(text) > len(outputText) {
			t.Errorf("OutputString got %d characters at a time", len(text))
		}
	}
	if want := 254 + 255 + 256 + 510 + 599; total != want || len(f.log) != 1+2+2+3+3 { // 255 at a time, with the \r
		t.Errorf("%d characters in %d calls, want %d", total, len(f.log), want)
	}
}

// TestConsoleCursor: the console's cursor is seen where somebody types, if the program does not hide it.
func TestConsoleCursor(t *testing.T) {
	f := newServices(t)
	c := newConsole(f, [2]uintptr{40, 8})
	initText()
	printText("\x1b[5;5H")
	f.wantLog("nobody types", "clear")
	showCursor()
	f.wantLog("the first read", "to 4,4", "cursor 1")
	showCursor()
	printText("ab\b")
	f.wantLog("a character", `"ab"`, "to 5,4")
	printText("\x1b[?25l\x1b[1;1H")
	f.wantLog("a hidden one", "cursor 0")
	printText("\x1b[?25h")
	f.wantLog("it is there again", "to 0,0", "cursor 1")
	hideText()
	f.wantLog("graphics mode", "cursor 0")
	printText("not drawn")
	f.wantLog("in graphics mode")
	showText()
	f.wantLog("text mode", "mode 0", "clear", `"not drawn"`, "to 4,4", `"ab"`, "to 9,0", "cursor 1")
	c.wantShown("text mode")
	showText()
	f.wantLog("text mode once more")
}

// TestConsoleGivenBack: at its end, the program leaves the console as it was, with the cursor below its text.
func TestConsoleGivenBack(t *testing.T) {
	sizes := [][2]uintptr{{80, 25}, {100, 31}}
	start := func(shell bool) (*testFirmware, *fakeConsole) {
		f := newServices(t)
		c := newConsole(f, sizes...)
		c.mode.attribute, c.mode.cursorVisible, startedByShell = 0x1E, true, shell
		c.mode.cursorColumn, c.mode.cursorRow = 3, 7
		initText()
		return f, c
	}
	f, c := start(true)
	f.wantLog("the shell's screen stays")
	printText("x")
	f.wantLog("below the shell's text", "attribute 0x7", `"x"`)
	if c.cells[7][3] != (shownCell{'x', 7}) {
		t.Error("the program's text is not where the shell's cursor was")
	}
	printText("\x1b[?25l\x1b[9;1H")
	f.wantLog("nothing to be seen")
	closeText(true)
	f.wantLog("back to the shell", `"\r\n"`, "attribute 0x1e")
	closeText(true)
	f.wantLog("once more")
	printText("lost")
	f.wantLog("after the end")

	f, _ = start(false)
	f.wantLog("at the machine's boot", "mode 1", "attribute 0x7", "clear")
	showCursor()
	printText("\x1b[?25lx")
	f.log = nil
	closeText(false)
	f.wantLog("success", "mode 0", "attribute 0x1e", "cursor 1")

	f, _ = start(false)
	printText("why")
	f.log = nil
	closeText(true)
	f.wantLog("an error, which is to be read", "attribute 0x1e")

	f, _ = start(false)
	hideText()
	f.log = nil
	closeText(true)
	f.wantLog("an error in graphics mode", "mode 1", "clear", "attribute 0x1e", "cursor 1")
	closeText(false)
	f.wantLog("once more")

	f = newServices(t)
	newConsole(f, sizes...)
	textOut = 0
	initText()
	closeText(true)
	redrawText()
	hideText()
	showText()
	f.wantLog("no screen")
}

// TestConsoleResized: a terminal of another size is drawn as far as the console has cells.
func TestConsoleResized(t *testing.T) {
	f := newServices(t)
	c := newConsole(f, [2]uintptr{40, 8})
	initText()
	printText("text")
	f.log = nil
	resizeTerminal(30, 6)
	f.wantLog("smaller", "clear", `"text"`)
	c.wantShown("smaller")
	if pendingSignals != 1<<(sigWINCH-1) {
		t.Errorf("signals %#x", pendingSignals)
	}
	pendingSignals = 0
	resizeTerminal(30, 6)
	if f.wantLog("the same"); pendingSignals != 0 {
		t.Errorf("signals %#x for the same size", pendingSignals)
	}
	resizeTerminal(31, 6)
	f.wantLog("wider", "clear", `"text"`)
	resizeTerminal(31, 7)
	f.wantLog("higher", "clear", `"text"`)
	printText(strings.Repeat("\n", 7) + "scrolled")
	c.wantShown("scrolled")
	pendingSignals, ending = 0, 1
	resizeTerminal(40, 8)
	if ending = 0; pendingSignals != 0 {
		t.Errorf("signals %#x for a program that ends", pendingSignals)
	}
	hideText()
	f.log = nil
	resizeTerminal(20, 5)
	f.wantLog("in graphics mode")
	showText()
	if columns, rows := terminal.Size(); columns != 40 || rows != 8 {
		t.Errorf("%d by %d cells in text mode", columns, rows)
	}
	c.wantShown("in text mode again")
}

// TestGlyphs: which characters the console has is asked once, of EFI_HII_FONT_PROTOCOL (34.1) if there is one.
func TestGlyphs(t *testing.T) {
	f := newServices(t)
	c := newConsole(f, [2]uintptr{40, 8})
	c.lacks = "“Ā"
	initText()
	want := func(what string) {
		t.Helper()
		for range 2 {
			for r, unit := range map[rune]rune{'a': 'a', 'é': 'é', 'ÿ': 'ÿ', '─': '─', 'Ā': 'A', '“': '"', '日': '?', '😀': '?', 0x10041: '?', 'ā': 'ā', 0: ' '} { // ─ and Ā share a place
				if got := consoleUnit(r); got != uint16(unit) {
					t.Errorf("%s: %q is shown as %q, want %q", what, r, rune(got), unit)
				}
			}
		}
	}
	want("TestString")
	asked, freed, pool := 0, 0, false
	font := &efiHIIFont{}
	font.getGlyph = f.service(func(a ...uintptr) uintptr {
		if a[0] != address(font) || a[2] != 0 || a[4] != 0 {
			t.Errorf("GetGlyph with the arguments %#x", a)
		}
		asked++
		*at[uintptr](a[3]) = 0
		if pool {
			*at[uintptr](a[3]) = 0x77
		}
		if strings.ContainsRune(c.lacks, rune(a[1])) {
			return 1 // EFI_WARN_UNKNOWN_GLYPH
		}
		return efiSuccess
	})
	f.boot.freePool = f.service(func(a ...uintptr) uintptr {
		if a[0] != 0x77 {
			t.Errorf("FreePool of %#x", a[0])
		}
		freed++
		return efiSuccess
	})
	f.install(5, hiiFontGUID, address(font))
	initText()
	glyphs = [len(glyphs)]glyph{}
	if want("GetGlyph"); asked == 0 || freed != 0 {
		t.Errorf("asked %d times, %d pictures freed", asked, freed)
	}
	glyphs, asked, pool = [len(glyphs)]glyph{}, 0, true
	if want("GetGlyph with a picture"); asked == 0 || freed != asked {
		t.Errorf("asked %d times, %d pictures freed", asked, freed)
	}
	before := asked
	if consoleUnit('─'); consoleUnit('─') == 0 || asked > before+1 {
		t.Errorf("%d questions for one character", asked-before)
	}
}

// TestConsoleColors: each of xterm's 256 colours, and any other, becomes the nearest of the console.
func TestConsoleColors(t *testing.T) {
	palette := [16][3]int{ // EDK2's, by the number of UEFI (12.4.5)
		{0, 0, 0}, {0, 0, 0x98}, {0, 0x98, 0}, {0, 0x98, 0x98}, {0x98, 0, 0}, {0x98, 0, 0x98}, {0x98, 0x98, 0}, {0x98, 0x98, 0x98},
		{0x48, 0x48, 0x48}, {0, 0, 0xFF}, {0, 0xFF, 0}, {0, 0xFF, 0xFF}, {0xFF, 0, 0}, {0xFF, 0, 0xFF}, {0xFF, 0xFF, 0}, {0xFF, 0xFF, 0xFF},
	}
	nearest := func(c [3]int) (best uint16) {
		distance := func(p [3]int) (d int) {
			for i := range p {
				d += (p[i] - c[i]) * (p[i] - c[i])
			}
			return d
		}
		for i, p := range palette {
			if distance(p) < distance(palette[best]) {
				best = uint16(i)
			}
		}
		return best
	}
	want := func(c vt.Color, color [3]int) {
		t.Helper()
		if got := consoleColor(c, 99); got != nearest(color) {
			t.Errorf("the colour %#x, %#x, becomes %d, want %d", c, color, got, nearest(color))
		}
	}
	if got := consoleColor(vt.Default, 99); got != 99 {
		t.Errorf("the default becomes %d", got)
	}
	for i, efi := range []uint16{0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15} { // black, red, green, yellow, blue ...
		if got := consoleColor(vt.Color(i), 99); got != efi {
			t.Errorf("the colour %d becomes %d, want %d", i, got, efi)
		}
	}
	levels := [6]int{0, 95, 135, 175, 215, 255}
	for i := range 216 {
		want(vt.Color(16+i), [3]int{levels[i/36], levels[i/6%6], levels[i%6]})
	}
	for i := range 24 {
		want(vt.Color(232+i), [3]int{8 + 10*i, 8 + 10*i, 8 + 10*i})
	}
	random := rand.New(rand.NewPCG(2, 6))
	for range 5000 {
		r, g, b := random.IntN(256), random.IntN(256), random.IntN(256)
		want(vt.RGB|vt.Color(r<<16|g<<8|b), [3]int{r, g, b})
	}
}
