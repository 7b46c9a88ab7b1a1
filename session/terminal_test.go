package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"bootllama/metal/vt"
)

// person sits at a terminal in a bubble of synctest: what she types is done when press returns, and she sees the cells of
// a vt.Terminal.
type person struct {
	t         *testing.T
	vt        *vt.Terminal
	keyboard  *io.PipeWriter
	terminal  *Terminal
	resized   chan os.Signal
	interrupt chan os.Signal
	raw       int
	written   strings.Builder
	fails     int           // this write from now on fails; 0: none
	ended     chan struct{} // closed when the session has
	err       error         // of the session
}

var errScreen = errors.New("broken screen")

func (p *person) Write(b []byte) (int, error) {
	if p.fails--; p.fails == 0 {
		return 0, errScreen
	}
	p.written.Write(b)
	for _, c := range b {
		p.vt.Write(c)
	}
	return len(b), nil
}

func sit(t *testing.T, columns, rows int) *person {
	r, w := io.Pipe()
	p := &person{t: t, vt: new(vt.Terminal), keyboard: w, resized: make(chan os.Signal, 1), ended: make(chan struct{})}
	p.vt.Resize(columns, rows)
	p.terminal = &Terminal{
		Keys: NewKeyboard(r), Out: p, Size: p.vt.Size, Resized: p.resized,
		Raw: func() (func(), error) { p.raw++; return func() { p.raw-- }, nil },
	}
	return p
}

// hold lets the person hold a session.
func (p *person) hold(s *Session) {
	go func() {
		p.err = s.RunTerminal(p.t.Context(), p.terminal)
		close(p.ended)
	}()
	synctest.Wait()
}

// ask lets the person be asked for a text, over and over.
func (p *person) ask() (texts *[]string) {
	texts = new([]string)
	go func() {
		for p.err == nil {
			var text string
			if text, p.err = p.terminal.Ask(p.t.Context(), Prompt); p.err == nil {
				*texts = append(*texts, text)
			}
		}
		close(p.ended)
	}()
	synctest.Wait()
	return texts
}

// press types keys, each by itself.
func (p *person) press(keys ...string) {
	for _, key := range keys {
		io.WriteString(p.keyboard, key)
		time.Sleep(time.Second) // for ESC
		synctest.Wait()
	}
}

// leave ends input, and waits for the end of the session.
func (p *person) leave() {
	p.t.Helper()
	p.keyboard.Close()
	<-p.ended
	if p.err != nil && p.err != io.EOF {
		p.t.Error(p.err)
	}
	if p.raw != 0 || p.vt.BracketedPaste() {
		p.t.Errorf("the terminal was not restored")
	}
}

// screen returns the rows that are seen, without those at the end that are empty; a wide character is one.
func (p *person) screen() (rows []string) {
	columns, height := p.vt.Size()
	for y := range height {
		var row strings.Builder
		for x := range columns {
			if r := p.vt.Cell(x, y).Rune; r != 0 {
				row.WriteRune(r)
			}
		}
		rows = append(rows, strings.TrimRight(row.String(), " "))
	}
	for len(rows) > 0 && rows[len(rows)-1] == "" {
		rows = rows[:len(rows)-1]
	}
	return rows
}

// sees compares the last rows with those wanted; a | stands in front of the cell with the cursor.
func (p *person) sees(want ...string) {
	p.t.Helper()
	got := p.screen()
	x, y, _ := p.vt.Cursor()
	for len(got) <= y {
		got = append(got, "")
	}
	row, columns := []rune(got[y]), 0
	at := 0
	for ; at < len(row) && columns < x; at++ {
		columns += Width(row[at])
	}
	got[y] = string(row[:at]) + strings.Repeat(" ", x-columns) + "|" + string(row[at:])
	if len(got) > len(want) {
		got = got[len(got)-len(want):]
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("sees\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEditing: the keys of Emacs and of terminals, on one line.
func TestEditing(t *testing.T) {
	const text = "one two  three"
	for _, c := range []struct{ keys, want string }{
		{"", "> one two  three|"},
		{"\x01", "> |one two  three"}, {"\x1b[H", "> |one two  three"}, {"\x1b[1~", "> |one two  three"},
		{"\x01\x05", "> one two  three|"}, {"\x01\x1b[F", "> one two  three|"},
		{"\x02\x1b[D\x1b[D\x06", "> one two  thr|ee"}, {"\x1b[C", "> one two  three|"}, {"\x01\x1b[D", "> |one two  three"},
		{"\x1bb", "> one two  |three"}, {"\x1b[1;5D\x1b[1;5D", "> one |two  three"}, {"\x01\x1bf", "> one| two  three"},
		{"\x01\x1b[1;5C\x1b[1;5C", "> one two|  three"}, {"\x01\x1b[1;5C\x1b[1;3C\x1bf\x1bf", "> one two  three|"},
		{"\x7f", "> one two  thre|"}, {"\x08\x08", "> one two  thr|"}, {"\x01\x7f", "> |one two  three"},
		{"\x01\x04", "> |ne two  three"}, {"\x01\x1b[3~\x1b[3~", "> |e two  three"}, {"\x1b[3~", "> one two  three|"},
		{"\x17", "> one two  |"}, {"\x17\x17", "> one |"}, {"\x1b\x7f", "> one two  |"}, {"\x01\x17", "> |one two  three"},
		{"\x1bb\x15", "> |three"}, {"\x1bb\x0b", "> one two  |"}, {"\x1bb\x0b\x01\x19", "> three|one two"},
		{"\x01\x1bd", "> | two  three"}, {"\x1bb\x15\x05\x19", "> threeone two  |"},
		{"\x01x\x1b[Cy", "> xoy|ne two  three"}, {"\x1b[5~\x1b[6~\x1b[2~\x1b\x1a", "> one two  three|"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := sit(t, 80, 24)
			p.ask()
			for _, r := range text {
				io.WriteString(p.keyboard, string(r))
			}
			p.press(c.keys)
			if p.sees(c.want); t.Failed() {
				t.Logf("keys %q", c.keys)
			}
			p.leave()
		})
	}
}

// TestTexts: what a text is that was typed, and what is seen of it.
func TestTexts(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []string
		want []string
		sees []string
	}{
		{"lines", []string{"a", "\r", "b", "\n"}, []string{"a", "b"}, []string{"> a", "> b", "> |"}},
		{"dropped", []string{"abc", "\x03", "d", "\r"}, []string{"d"}, []string{"> abc^C", "> d", "> |"}},
		{"Ctrl-D deletes", []string{"ab", "\x01", "\x04", "\r"}, []string{"b"}, []string{"> b", "> |"}},
		{"a backslash", []string{"ab\\", "\r", "c\\", "\r", "d"}, nil, []string{"> ab", "  c", "  d|"}},
		{"a backslash, sent", []string{"ab\\", "\r", "c", "\r"}, []string{"ab\nc"}, []string{"> ab", "  c", "> |"}},
		{"quotes", []string{`"""`, "\r", "a", "\r", "\r", `b"""`, "\r"}, []string{"a\n\nb"}, []string{`> """`, "  a", "", `  b"""`, "> |"}},
		{"quotes on a line", []string{`"""a"""`, "\r"}, []string{"a"}, []string{`> """a"""`, "> |"}},
		{"Alt-Enter", []string{"a", "\x1b\r", "b", "\r"}, []string{"a\nb"}, []string{"> a", "  b", "> |"}},
		{"history", []string{"first", "\r", "second", "\r", "new", "\x1b[A", "\x10", "\x1b[A"}, []string{"first", "second"}, []string{"> second", "> first|"}},
		{"history and back", []string{"first", "\r", "second", "\r", "new", "\x1b[A", "\x1b[A", "\x1b[B", "\x0e", "\x1b[B"}, []string{"first", "second"}, []string{"> second", "> new|"}},
		{"the same twice", []string{"a", "\r", "b", "\r", "b", "\r", "\x1b[A", "\x1b[A", "!", "\r"}, []string{"a", "b", "b", "a!"}, []string{"> a!", "> |"}},
		{"rows before history", []string{"x", "\r", "ab\\", "\r", "cde", "\x1b[A", "!", "\x1b[A"}, []string{"x"}, []string{"> x", "> x|"}},
		{"up and down", []string{"ab\\", "\r", "cde", "\x1b[A", "!", "\x1b[B", "?"}, nil, []string{"> ab!", "  cde?|"}},
		{"the home of a line", []string{"ab\\", "\r", "cde", "\x01", "x", "\x1b[1;5H", "y", "\x05", "z"}, nil, []string{"> yabz|", "  xcde"}},
		{"wide", []string{"漢字é", "\x1b[D", "\x1b[D"}, nil, []string{"> 漢|字é"}},
		{"combining", []string{"ae\u0301b", "\x7f", "\x7f"}, nil, []string{"> a|"}},
		{"a tab that was pasted", []string{"\x1b[200~a\tb\x1b[201~", "\r"}, []string{"a\tb"}, []string{"> a    b", "> |"}},
		{"pasted", []string{"<\x1b[200~a b\rc\r\x1b[201~>", "\r"}, []string{"<a b\nc\n>"}, []string{"> <a b", "  c", "  >", "> |"}},
		{"clear", []string{"a", "\r", "bc", "\x0c"}, []string{"a"}, []string{"> bc|"}},
		{"a backslash, the cursor before it", []string{"ab\\", "\x01", "\r"}, []string{"ab\\"}, []string{`> ab\`, "> |"}},
		{"only blanks", []string{" ", "\r", "\x1b[A"}, []string{" "}, []string{">", "> |"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := sit(t, 80, 24)
			texts := p.ask()
			p.press(c.keys...)
			if p.sees(c.sees...); !slices.Equal(*texts, c.want) {
				t.Errorf("%q, want %q", *texts, c.want)
			}
			if t.Failed() {
				t.Log(c.name)
			}
			p.leave()
		})
	}
}

// TestManyRows: a text of any length, on screens of any size: all that there is room for is seen, the cursor with it.
func TestManyRows(t *testing.T) {
	for _, columns := range []int{4, 5, 20, 21, 79, 80, 100, 101, 102, 200} {
		synctest.Test(t, func(t *testing.T) {
			p := sit(t, columns, 7)
			texts := p.ask()
			defer p.leave()
			limit := min(columns-1, 100)
			indent := min(2, limit/2)
			var want strings.Builder
			check := func() {
				t.Helper()
				text, rows := want.String(), []string{}
				for room := limit - indent; len(text) > room; text = text[room:] {
					rows = append(rows, text[:room])
				}
				rows = append(rows, text)
				first := max(0, len(rows)-6)
				got := p.screen()
				for i, row := range rows[first:] {
					prefix := "> "[2-indent:]
					if i+first > 0 {
						prefix = strings.Repeat(" ", indent)
					}
					if i >= len(got) || got[i] != strings.TrimRight(prefix+row, " ") {
						t.Fatalf("%d columns, %d characters: row %d of %q, want %q", columns, want.Len(), i, got, prefix+row)
					}
				}
				if x, y, _ := p.vt.Cursor(); y != len(rows)-1-first || x != indent+len(text) {
					t.Fatalf("%d columns, %d characters: cursor at %d, %d", columns, want.Len(), x, y)
				}
			}
			for i := range 60 * 4 {
				key := string(rune('a' + i%26))
				want.WriteString(key)
				io.WriteString(p.keyboard, key)
				synctest.Wait()
				check()
			}
			all := want.String()
			for range 60 {
				want.Reset()
				all = all[:len(all)-1]
				want.WriteString(all)
				p.press("\x7f")
				check()
			}
			p.press("\x01") // home: the first rows are seen
			if got := p.screen()[0]; got != strings.TrimRight(("> "[2-indent:])+all[:limit-indent], " ") {
				t.Errorf("%d columns: at home %q", columns, got)
			}
			if x, y, _ := p.vt.Cursor(); x != indent || y != 0 {
				t.Errorf("%d columns: at home the cursor is at %d, %d", columns, x, y)
			}
			p.press("\r")
			if !slices.Equal(*texts, []string{all}) {
				t.Errorf("%q", *texts)
			}
		})
	}
}

// TestPaste: 5,000 characters are one message, with the terminal's marks and without, at once and as a serial line has them.
func TestPaste(t *testing.T) {
	var b strings.Builder
	for i := 0; b.Len() < 5000; i++ {
		fmt.Fprintf(&b, "Line %d of a text that somebody has copied.\n", i)
	}
	text := strings.TrimSuffix(b.String(), "\n")
	typed := strings.ReplaceAll(text, "\n", "\r")
	for name, sent := range map[string]string{"marked": "\x1b[200~" + typed + "\x1b[201~", "not marked": typed, "with Enter": typed + "\r"} {
		for _, size := range []int{1 << 20, 1000, 100} {
			synctest.Test(t, func(t *testing.T) {
				p := sit(t, 80, 24)
				texts := p.ask()
				for rest := sent; rest != ""; rest = rest[min(size, len(rest)):] {
					io.WriteString(p.keyboard, rest[:min(size, len(rest))])
				}
				p.press("")
				if !strings.HasSuffix(sent, "\r") {
					if got := p.screen(); len(got) != 23 || got[22] != "  "+text[strings.LastIndex(text, "\n")+1:] {
						t.Errorf("%s, %d: %q", name, size, got)
					}
					p.press("\r")
				}
				if !slices.Equal(*texts, []string{text}) {
					t.Errorf("%s, %d: %d texts %.100q", name, size, len(*texts), *texts)
				}
				p.leave()
			})
		}
	}
}

// TestTooLong: a text ends at 65,536 bytes, and that is told.
func TestTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, 80, 24)
		texts := p.ask()
		p.press("\x1b[200~" + strings.Repeat("é", MaxLine/2-1) + "\x1b[201~")
		p.press("a")
		p.press("é")
		if !slices.Contains(p.screen(), "That is longer than 65536 bytes: its end is missing.") {
			t.Errorf("%q", p.screen())
		}
		p.press("b", "c", "\r")
		if len(*texts) != 1 || len((*texts)[0]) != MaxLine || !strings.HasSuffix((*texts)[0], "éab") {
			t.Errorf("%d texts", len(*texts))
		}
		p.leave()
	})
}

// TestWords: on terminals of any width no word is cut that fits, no line is longer than 100 columns, and nothing is missing,
// however the text is cut into writes.
func TestWords(t *testing.T) {
	text := "The quick brown fox jumps over the lazy dog, again and again.  Two blanks, and a verylongwordthatfitsintonolineof20columns or so.\n\n" +
		"\tA tab. 漢字は語の間に空白がない言葉です。 End é" + strings.Repeat(" word", 60) + "\n"
	for columns := 20; columns <= 200; columns += 7 {
		for _, size := range []int{1, 2, 3, 7, 1000} {
			p := sit(t, columns, 60)
			for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
				if n, err := p.terminal.Write([]byte(rest[:min(size, len(rest))])); err != nil || n != min(size, len(rest)) {
					t.Fatal(n, err)
				}
			}
			rows := p.screen()
			limit := min(columns, 100)
			for i, row := range rows {
				width := 0
				for _, r := range row {
					width += Width(r)
				}
				if width > limit {
					t.Errorf("%d columns: %q has %d", columns, row, width)
				}
				for _, word := range strings.Fields(row) {
					if !strings.Contains(" "+strings.Join(strings.Fields(text), " ")+" ", " "+word+" ") && !strings.ContainsAny(word, "漢字は語の間に空白がない言葉です。") && !strings.Contains("verylongwordthatfitsintonolineof20columns", word) {
						t.Errorf("%d columns, row %d: %q is cut", columns, i, word)
					}
				}
			}
			squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
			if got := squeeze(strings.Join(rows, "")); got != squeeze(text) {
				t.Errorf("%d columns, writes of %d: %q", columns, size, got)
			}
		}
	}
}

// TestWideWords: a line may end behind any wide character.
func TestWideWords(t *testing.T) {
	p := sit(t, 20, 24)
	fmt.Fprint(p.terminal, "wide 漢字漢字漢字漢字漢字漢字")
	p.sees("wide 漢字漢字漢字漢", "字漢字漢字|")
}

// TestColumns: what is a list stays one when its lines are wrapped, where there is room for it.
func TestColumns(t *testing.T) {
	for columns, want := range map[int][]string{
		40: {"name    a text that is longer than the", "        line, twice as long or even", "        longer", "other   short", "|"},
		12: {"name    a", "text that is", "longer than", "the line,", "twice as", "long or even", "longer", "other", "short", "|"},
	} {
		p := sit(t, columns, 24)
		p.terminal.list(8, "name    a text that is longer than the line, twice as long or even longer\nother   short")
		p.sees(want...)
	}
}

// TestControls: control codes of models do not reach the terminal, and half a character waits for the rest.
func TestControls(t *testing.T) {
	p := sit(t, 80, 24)
	p.terminal.Write([]byte("a\x1b[2Jb\x07\r\x9b\xc2\x85c\x7f\xe6\xbc"))
	p.terminal.Write([]byte("\xa2\xff\x00d\n"))
	if got := p.written.String(); got != "a[2Jb\ufffdc漢\ufffdd\r\n" {
		t.Errorf("%q", got)
	}
}

// TestWidths: a character takes as many columns as the machine's terminal gives it.
func TestWidths(t *testing.T) {
	for r := rune(0); r < 0x110000; r++ {
		if unicode.IsPrint(r) && Width(r) != vt.Width(r) {
			t.Errorf("%U %q: %d, the terminal has %d", r, r, Width(r), vt.Width(r))
		}
	}
}

// TestResize: the text is drawn anew at another width.
func TestResize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, 80, 24)
		p.ask()
		p.press("0123456789012345678901234567890123456789")
		p.vt.Resize(30, 24)
		p.resized <- os.Interrupt
		p.press("")
		p.sees("> 012345678901234567890123456", "  7890123456789|")
		p.leave()
	})
}

// TestAskEnds: at the end of input, at Ctrl-D, and when the context is done.
func TestAskEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, 80, 24)
		go io.WriteString(p.keyboard, "\x04")
		if _, err := p.terminal.Ask(t.Context(), Prompt); err != io.EOF {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := p.terminal.Ask(ctx, Prompt); err != io.EOF {
			t.Error(err)
		}
		go p.keyboard.CloseWithError(errors.New("broken keyboard"))
		if _, err := p.terminal.Ask(t.Context(), Prompt); err == nil || !strings.Contains(err.Error(), "broken keyboard") {
			t.Error(err)
		}
		p.sees(">", ">", ">", "|")
	})
}
