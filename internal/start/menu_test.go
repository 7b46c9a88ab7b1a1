package start

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"bootllama/metal/vt"
	"bootllama/session"
)

// person presses keys at a menu, and looks at the screen before each. The key 't' lets a second go by.
type person struct {
	t      *testing.T
	keys   []session.Key
	screen screen
	saw    []string // the screen before each key
}

// screen is a terminal's.
type screen struct{ vt.Terminal }

func (s *screen) Write(p []byte) (int, error) {
	for _, b := range p {
		s.Terminal.Write(b)
	}
	return len(p), nil
}

// text is what a person reads, without blanks at the end of lines.
func (s *screen) text() string {
	columns, rows := s.Size()
	var lines []string
	for y := range rows {
		var line strings.Builder
		for x := range columns {
			if r := s.Cell(x, y).Rune; r != 0 {
				line.WriteRune(r)
			}
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func (p *person) Next(ctx context.Context) (key session.Key, err error) {
	p.saw = append(p.saw, p.screen.text())
	if len(p.keys) == 0 {
		return key, io.EOF
	}
	if key, p.keys = p.keys[0], p.keys[1:]; key.Is(0, 't') {
		if _, counts := ctx.Deadline(); !counts {
			p.t.Error("the menu does not count any more, and waits for a second")
		}
		return key, context.DeadlineExceeded
	}
	return key, nil
}

// typed makes keys of a text: ^ and v are the arrows, < is Enter, . is Escape.
func typed(text string) (keys []session.Key) {
	for _, r := range text {
		switch r {
		case '^':
			keys = append(keys, session.Key{Code: session.KeyUp})
		case 'v':
			keys = append(keys, session.Key{Code: session.KeyDown})
		case '<':
			keys = append(keys, session.Key{Code: session.KeyEnter})
		case '.':
			keys = append(keys, session.Key{Code: session.KeyEscape})
		case 'G':
			keys = append(keys, session.Key{Code: session.KeyEnd})
		case 'D':
			keys = append(keys, session.Key{Code: session.KeyPageDown})
		default:
			keys = append(keys, session.Key{Rune: r})
		}
	}
	return keys
}

// at puts a person in front of a menu.
func at(t *testing.T, columns, rows int, keys string, m Menu) (*person, session.Model, error) {
	t.Helper()
	p := &person{t: t, keys: typed(keys)}
	p.screen.Resize(columns, rows)
	m.Out, m.Columns, m.Rows = &p.screen, columns, rows
	taken, err := m.Run(t.Context(), p)
	if got := p.screen.text(); got != "" {
		t.Errorf("the menu leaves on the screen:\n%s", got)
	}
	if _, _, visible := p.screen.Cursor(); !visible {
		t.Error("the menu leaves the cursor hidden")
	}
	return p, taken, err
}

var some = []session.Model{
	{Path: "a", Name: "tiny.gguf", Kind: "qwen3 596M Q4_K", Size: 397e6, Need: 1 << 29},
	{Path: "b", Name: "models/large.gguf", Kind: "llama 8.0B Q4_K", Size: 4.9e9, Need: 6 << 30, Reason: "needs 6144 MiB of memory, there are 1900"},
	{Path: "c", Name: "models/日本.gguf", Kind: "llama 1.2B Q8_0", Size: 1.3e9, Need: 2 << 30},
	{Path: "d", Name: "odd\x1b[31m.bin", Size: 12, Reason: "the file has 12 bytes, too few for a checkpoint's header of 28, and this reason is longer than a line of the menu so that it is broken"},
	{Name: "the built-in one", Kind: "tells children's tales", Size: 1.2e6, Need: 30 << 20},
}

// TestMenuScreen: what a person sees at 80 columns and 25 rows.
func TestMenuScreen(t *testing.T) {
	p, _, err := at(t, 80, 25, "tv.", Menu{Title: "Choose a model. There are 1900 MiB of memory.", Models: some, Wait: 9500 * time.Millisecond})
	if !errors.Is(err, ErrLeft) || len(p.saw) != 3 {
		t.Fatalf("%v, %d screens", err, len(p.saw))
	}
	const list = ` Choose a model. There are 1900 MiB of memory.

   1  tiny.gguf          qwen3 596M Q4_K           397 MB  needs 512 MiB
   2  models/large.gguf  llama 8.0B Q4_K           4.9 GB  needs 6144 MiB of m…
   3  models/日本.gguf   llama 1.2B Q8_0           1.3 GB  needs 2048 MiB
   4  odd?[31m.bin                                   12 B  the file has 12 byt…
   5  the built-in one   tells children's tales      1 MB  needs 30 MiB
`
	for i, want := range []string{
		list + "\n\n\n Arrow keys or digits choose, Enter starts, Esc leaves.\n Number 1 starts in 10 s; any key stops that.",
		list + "\n\n\n Arrow keys or digits choose, Enter starts, Esc leaves.\n Number 1 starts in 9 s; any key stops that.",
		list + "\n  needs 6144 MiB of memory, there are 1900\n\n Arrow keys or digits choose, Enter starts, Esc leaves.",
	} {
		if p.saw[i] != want {
			t.Errorf("screen %d:\n%s\nwant\n%s", i, p.saw[i], want)
		}
	}
}

// TestMenuColours: the chosen line is reversed, what cannot be loaded is grey.
func TestMenuColours(t *testing.T) {
	var s screen
	s.Resize(80, 25)
	m := Menu{Title: "t", Models: some, Out: &s, Columns: 80, Rows: 25}
	if err := m.draw(); err != nil {
		t.Fatal(err)
	}
	for y, want := range map[int]struct {
		reverse, grey bool
	}{2: {true, false}, 3: {false, true}, 4: {false, false}, 5: {false, true}} {
		c := s.Cell(10, y)
		if reverse, grey := c.Attr&vt.Reverse != 0, c.Fg == 8; reverse != want.reverse || grey != want.grey {
			t.Errorf("line %d: reversed %v, grey %v (%+v)", y, reverse, grey, c)
		}
	}
	m.Chosen = 1
	if err := m.draw(); err != nil {
		t.Fatal(err)
	}
	if c := s.Cell(10, 3); c.Attr&vt.Reverse == 0 || c.Fg != 8 {
		t.Errorf("the chosen one that cannot be loaded: %+v", c)
	}
}

// TestMenuKeys: every way to choose.
func TestMenuKeys(t *testing.T) {
	many := make([]session.Model, 120)
	for i := range many {
		many[i] = session.Model{Path: fmt.Sprint(i + 1), Name: fmt.Sprintf("model %d", i+1), Need: 1}
	}
	for _, c := range []struct {
		models []session.Model
		keys   string
		want   string
	}{
		{some, "<", "a"}, {some, "tttt", "a"}, {some, "vv<", "c"}, {some, "3<", "c"}, {some, "jjk^jj<", "c"}, {some, "v<v<", "c"}, {some, "2<<<3<", "c"},
		{some, "G<", ""}, {some, "^^^<", "a"}, {some, "vvvvvvv<", ""}, {some, "93<", "c"}, {some, "0<", "a"}, {some, "tx<", "a"},
		{some, ".", "left"}, {some, "vq", "left"}, {some, "v", "EOF"},
		{many, "117<", "117"}, {many, "12v<", "13"}, {many, "121<", "1"}, {many, "G<", "120"}, {many, "D<", "18"}, {many, "5v0<", "6"},
	} {
		_, taken, err := at(t, 80, 25, c.keys, Menu{Models: c.models, Wait: 4 * time.Second})
		got := taken.Path
		switch {
		case errors.Is(err, ErrLeft):
			got = "left"
		case err != nil:
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.keys, got, c.want)
		}
	}
}

// TestMenuScrolls: with more models than rows the chosen one is shown, and how many are not. On the smallest screens nothing
// breaks.
func TestMenuScrolls(t *testing.T) {
	many := make([]session.Model, 40)
	for i := range many {
		many[i] = session.Model{Path: "p", Name: fmt.Sprintf("model-%d", i+1), Kind: "k", Need: 1}
	}
	p, _, _ := at(t, 80, 25, "D"+strings.Repeat("v", 3)+"G"+strings.Repeat("^", 20)+".", Menu{Title: "T", Models: many})
	for i, want := range map[int][]string{
		0: {"model-1 ", "model-17 ", "(23 more below)"}, 1: {"model-18 ", "(1 more above)", "(22 more below)"}, 4: {"model-21 ", "(4 more above)"},
		5: {"model-40 ", "(23 more above)"}, 25: {"model-20 ", "(19 more above)", "(4 more below)"},
	} {
		for _, w := range want {
			if !strings.Contains(p.saw[i]+" ", w) {
				t.Errorf("after %d keys there is no %q:\n%s", i, w, p.saw[i])
			}
		}
		if n := strings.Count(p.saw[i], "\n"); n > 24 {
			t.Errorf("after %d keys: %d lines", i, n)
		}
	}
	for _, s := range [][2]int{{20, 5}, {1, 1}, {40, 12}, {300, 100}} {
		if _, taken, err := at(t, s[0], s[1], "vv<", Menu{Title: "T", Models: many}); err != nil || taken.Name != "model-3" {
			t.Errorf("%v: %v, %v", s, taken, err)
		}
	}
}

// TestMenuDefault: a model that cannot be loaded does not start by itself.
func TestMenuDefault(t *testing.T) {
	if _, taken, err := at(t, 80, 25, "v<", Menu{Models: some, Chosen: 1, Wait: time.Second}); err != nil || taken.Path != "c" {
		t.Errorf("%v, %v", taken, err)
	}
	p := &person{t: t}
	p.screen.Resize(80, 25)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := Menu{Models: some, Out: &p.screen, Columns: 80, Rows: 25}
	if _, err := m.Run(ctx, session.NewKeyboard(never{})); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// never is a keyboard at which nobody sits.
type never struct{}

func (never) Read([]byte) (int, error) { select {} }
