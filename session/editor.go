package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// editor edits what a person says, on as many rows of the screen as it takes. The text wraps at
// the columns of its rows; all but the first begin below the text of the first.
type editor struct {
	t        *Terminal
	prompt   string
	text     []rune
	at       int // the cursor stands before text[at]
	top      int // the first row that is shown: there may be more than the screen has
	row      int // where the cursor is, counted from it
	killed   []rune
	history  []string
	entry    int    // of history what is shown; len(history): what is new,
	latest   string // which this is
	complete func(text string) []string
}

// errDropped is the error of Ctrl-C.
var errDropped = errors.New("the line was dropped")

// tabWidth is how wide a tab is shown that was pasted.
const tabWidth = 4

// run takes keys until the text is complete.
func (e *editor) run(ctx context.Context) error {
	e.top, e.row = 0, 0
	for first := true; ; first = false {
		if !e.t.Keys.Waiting() { // else it is drawn once for all of them
			if err := e.draw(); err != nil {
				return err
			}
			if first && e.t.Idle != nil {
				e.t.Idle()
			}
		}
		key, pressed, err := e.t.Keys.wait(ctx, e.t.Resized)
		if err != nil {
			if ctx.Err() != nil {
				err = io.EOF
			}
			return e.end("", err)
		}
		if !pressed {
			continue
		}
		switch done, err := e.press(key); {
		case err == errDropped:
			return e.end("^C", err)
		case err != nil:
			return err
		case done:
			return e.leave("")
		}
	}
}

// press does what a key means. It returns io.EOF where the person wants to leave.
func (e *editor) press(key Key) (done bool, err error) {
	switch {
	case key.Code == KeyEnter && key.Mod == 0:
		return e.enter(), nil
	case key.Code == KeyEnter:
		return false, e.insert("\n")
	case key.Code == KeyPaste:
		return false, e.insert(key.Text)
	case key.Is(0, key.Rune) || key.Is(Shift, key.Rune):
		return false, e.insert(string(key.Rune))
	case key.Code == KeyTab && key.Mod == 0:
		return false, e.tab()
	case key.Is(Ctrl, 'c'):
		return false, errDropped
	case key.Is(Ctrl, 'd') && len(e.text) == 0:
		return false, e.end("", io.EOF)
	case key.Is(Ctrl, 'l'):
		e.top, e.row = 0, 0
		return false, e.t.put("\x1b[H\x1b[2J")
	case key.Is(Ctrl, 'y'):
		return false, e.insert(string(e.killed))
	case key.Is(Ctrl, 'p') || key.Code == KeyUp:
		e.vertical(-1)
	case key.Is(Ctrl, 'n') || key.Code == KeyDown:
		e.vertical(+1)
	default:
		if to, ok := e.target(key); ok {
			e.at = to
		} else {
			e.kill(key)
		}
	}
	return false, nil
}

// target returns where a key moves the cursor to.
func (e *editor) target(key Key) (to int, ok bool) {
	word := key.Mod&(Ctrl|Alt) != 0
	switch {
	case key.Code == KeyLeft && word, key.Is(Alt, 'b'):
		return e.wordLeft(), true
	case key.Code == KeyRight && word, key.Is(Alt, 'f'):
		return e.wordRight(), true
	case key.Code == KeyLeft, key.Is(Ctrl, 'b'):
		return max(e.at-1, 0), true
	case key.Code == KeyRight, key.Is(Ctrl, 'f'):
		return min(e.at+1, len(e.text)), true
	case key.Code == KeyHome && word:
		return 0, true
	case key.Code == KeyEnd && word:
		return len(e.text), true
	case key.Code == KeyHome, key.Is(Ctrl, 'a'):
		return e.lineStart(), true
	case key.Code == KeyEnd, key.Is(Ctrl, 'e'):
		return e.lineEnd(), true
	}
	return 0, false
}

// kill deletes what a key deletes. More than a character can be put back by Ctrl-Y.
func (e *editor) kill(key Key) {
	from, to, keep := e.at, e.at, true
	switch word := key.Mod&(Ctrl|Alt) != 0; {
	case key.Code == KeyBackspace && word, key.Is(Ctrl, 'w'):
		from = e.wordLeft()
	case key.Code == KeyDelete && word, key.Is(Alt, 'd'):
		to = e.wordRight()
	case key.Code == KeyBackspace:
		from, keep = max(e.at-1, 0), false
		for from > 0 && Width(e.text[from]) == 0 && e.text[from] != '\n' && e.text[from] != '\t' {
			from-- // what combines with it goes with a character
		}
	case key.Code == KeyDelete, key.Is(Ctrl, 'd'):
		to, keep = min(e.at+1, len(e.text)), false
	case key.Is(Ctrl, 'u'):
		from = e.lineStart()
	case key.Is(Ctrl, 'k'):
		to = e.lineEnd()
	default:
		return
	}
	if keep && from < to {
		e.killed = slices.Clone(e.text[from:to])
	}
	e.text, e.at = slices.Delete(e.text, from, to), from
}

func (e *editor) lineStart() int {
	i := e.at
	for i > 0 && e.text[i-1] != '\n' {
		i--
	}
	return i
}

func (e *editor) lineEnd() int {
	if n := slices.Index(e.text[e.at:], '\n'); n >= 0 {
		return e.at + n
	}
	return len(e.text)
}

func (e *editor) wordLeft() int {
	i := e.at
	for i > 0 && unicode.IsSpace(e.text[i-1]) {
		i--
	}
	for i > 0 && !unicode.IsSpace(e.text[i-1]) {
		i--
	}
	return i
}

func (e *editor) wordRight() int {
	i := e.at
	for i < len(e.text) && unicode.IsSpace(e.text[i]) {
		i++
	}
	for i < len(e.text) && !unicode.IsSpace(e.text[i]) {
		i++
	}
	return i
}

// enter ends the text, unless a line shall follow.
func (e *editor) enter() (done bool) {
	quoted, ok := strings.CutPrefix(strings.TrimSpace(string(e.text)), `"""`)
	switch n := len(e.text); {
	case ok && !strings.HasSuffix(quoted, `"""`):
		e.text, e.at = slices.Insert(e.text, e.at, '\n'), e.at+1
	case n > 0 && e.at == n && e.text[n-1] == '\\':
		e.text[n-1] = '\n'
	default:
		return true
	}
	return false
}

// insert puts a text before the cursor, as far as there is room for it.
func (e *editor) insert(s string) error {
	room := MaxLine - len(string(e.text))
	full := len(s) > room
	if full {
		s = s[:max(room, 0)]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	added := []rune(s)
	e.text = slices.Insert(e.text, e.at, added...)
	if e.at += len(added); full {
		return e.tell("That is longer than %d bytes: its end is missing.", MaxLine)
	}
	return nil
}

// tell writes a line below the text, and the text anew below that.
func (e *editor) tell(format string, a ...any) error {
	at := e.at
	if err := e.leave(""); err != nil {
		return err
	}
	e.at, e.top, e.row = at, 0, 0
	return e.t.say(styleDim, format, a...)
}

// tab completes the text as far as the beginnings of what it may become agree.
func (e *editor) tab() error {
	text := string(e.text)
	if e.complete == nil || e.at < len(e.text) {
		return nil
	}
	all := e.complete(text)
	if len(all) == 0 {
		return nil
	}
	common := all[0]
	for _, s := range all[1:] {
		for !strings.HasPrefix(s, common) {
			common = common[:len(common)-1]
		}
	}
	if len(common) > len(text) || len(all) == 1 {
		return e.insert(common[len(text):])
	}
	return e.tell("%s", strings.Join(all, "  "))
}

// vertical moves the cursor up or down a row; beyond the text it goes through the history.
func (e *editor) vertical(by int) {
	rows, row, column := e.rows()
	if to := row + by; to >= 0 && to < len(rows) {
		at, x := rows[to].from, rows[to].indent
		for at < rows[to].to && x < column {
			x += cellWidth(e.text[at])
			at++
		}
		e.at = at
		return
	}
	if to := e.entry + by; to >= 0 && to <= len(e.history) {
		if e.entry == len(e.history) {
			e.latest = string(e.text)
		}
		e.entry = to
		text := e.latest
		if to < len(e.history) {
			text = e.history[to]
		}
		e.text = []rune(text)
		e.at = len(e.text)
	}
}

// textRow is a part of the text that stands on a row of the screen, from a column on.
type textRow struct{ from, to, indent int }

// cellWidth returns the columns that a character of the text takes.
func cellWidth(r rune) int {
	if r == '\t' {
		return tabWidth
	}
	return Width(r)
}

// rows divides the text into rows, and says where the cursor is.
func (e *editor) rows() (rows []textRow, row, column int) {
	columns, _ := e.t.Size()
	limit := max(min(columns-1, maxWidth), 2) // there is room for the cursor behind it
	indent := 0
	for _, r := range e.prompt {
		indent += Width(r)
	}
	if 2*indent > limit {
		indent = limit / 2 // and the prompt is cut
	}
	rows = []textRow{{0, 0, indent}}
	x := indent
	for i, r := range e.text {
		if x+cellWidth(r) > limit {
			rows = append(rows, textRow{i, i, indent})
			x = indent
		}
		if i == e.at {
			row, column = len(rows)-1, x
		}
		if x += cellWidth(r); r == '\n' {
			rows = append(rows, textRow{i + 1, i + 1, indent})
			x = indent
			continue
		}
		rows[len(rows)-1].to = i + 1
	}
	if e.at == len(e.text) {
		row, column = len(rows)-1, x
	}
	return rows, row, column
}

// draw shows the text in the place of what was shown before.
func (e *editor) draw() error {
	rows, row, column := e.rows()
	_, height := e.t.Size()
	height = max(height-1, 1) // what stands above stays in sight
	e.top = max(min(e.top, row, len(rows)-height), row-height+1, 0)
	shown := rows[e.top:min(e.top+height, len(rows))]
	var b strings.Builder
	if e.row > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", e.row)
	}
	for i, r := range shown {
		if b.WriteString("\r"); i > 0 {
			b.WriteString("\n")
		}
		if i+e.top == 0 {
			prompt := []rune(e.prompt)
			b.WriteString(e.t.styled(stylePrompt, string(prompt[max(0, len(prompt)-r.indent):])))
		} else {
			b.WriteString(strings.Repeat(" ", r.indent))
		}
		text := strings.ReplaceAll(string(e.text[r.from:r.to]), "\t", strings.Repeat(" ", tabWidth))
		b.WriteString(e.t.styled(stylePerson, text) + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	e.row = row - e.top
	if up := len(shown) - 1 - e.row; up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	fmt.Fprintf(&b, "\x1b[%dG", column+1)
	return e.t.put(b.String())
}

// leave shows the text as it is at its end, and mark behind it, and goes to the row below.
func (e *editor) leave(mark string) error {
	e.at = len(e.text)
	if err := e.draw(); err != nil {
		return err
	}
	return e.t.put(e.t.styled(styleDim, mark) + "\r\n")
}

// end leaves the text with an error.
func (e *editor) end(mark string, err error) error {
	if failed := e.leave(mark); failed != nil {
		return failed
	}
	return err
}
