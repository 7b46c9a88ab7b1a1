package start

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"bootllama/session"
)

// Keys are where a menu's keys come from: see session.Keyboard.
type Keys interface {
	Next(ctx context.Context) (session.Key, error)
}

// Menu lets a person choose a model on a terminal.
type Menu struct {
	Title  string // the line above
	Models []session.Model
	Chosen int           // the model that is chosen at first
	Wait   time.Duration // after it the model that is chosen at first is taken, unless a key is pressed; 0: never

	Out           io.Writer
	Columns, Rows int

	top    int    // the first model that is shown
	typed  int    // the number that is being typed
	notice string // what the person should know about the last key
	left   int    // seconds of Wait; 0: a key was pressed
}

// ErrLeft is the error of Run when the person has chosen nothing.
var ErrLeft = errors.New("nothing was chosen")

// Run shows the menu until a model is chosen, and returns it. The screen is then empty.
func (m *Menu) Run(ctx context.Context, keys Keys) (session.Model, error) {
	m.left = int((m.Wait + time.Second - 1) / time.Second)
	if !m.canBeTaken(m.Chosen) {
		m.left = 0 // nothing can be taken without a person
	}
	if _, err := io.WriteString(m.Out, "\x1b[?25l\x1b[0m\x1b[2J"); err != nil {
		return session.Model{}, err
	}
	taken, err := m.choose(ctx, keys)
	_, e := io.WriteString(m.Out, "\x1b[0m\x1b[2J\x1b[H\x1b[?25h")
	if err == nil {
		err = e
	}
	if err != nil {
		return session.Model{}, err
	}
	return m.Models[taken], nil
}

// choose shows the menu after each key, and each second while it counts.
func (m *Menu) choose(ctx context.Context, keys Keys) (taken int, err error) {
	for {
		if err := m.draw(); err != nil {
			return 0, err
		}
		key, err := m.next(ctx, keys)
		switch {
		case err == nil:
		case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			if m.left--; m.left == 0 {
				return m.Chosen, nil
			}
			continue
		default:
			return 0, err
		}
		m.left, m.notice = 0, ""
		switch {
		case key.Code == session.KeyEnter && m.canBeTaken(m.Chosen):
			return m.Chosen, nil
		case key.Code == session.KeyEnter:
			m.notice = "This model cannot be loaded here."
		case key.Code == session.KeyEscape, key.Is(0, 'q'), key.Is(session.Ctrl, 'c'), key.Is(session.Ctrl, 'd'):
			return 0, ErrLeft
		default:
			m.move(key)
		}
	}
}

// next returns the next key, or context.DeadlineExceeded when a second of those that are left is over.
func (m *Menu) next(ctx context.Context, keys Keys) (session.Key, error) {
	if m.left > 0 {
		second, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		ctx = second
	}
	return keys.Next(ctx)
}

func (m *Menu) canBeTaken(i int) bool {
	return i >= 0 && i < len(m.Models) && m.Models[i].Reason == ""
}

// move moves the choice as a key says.
func (m *Menu) move(key session.Key) {
	to, number := m.Chosen, 0
	switch {
	case key.Code == session.KeyUp, key.Is(0, 'k'), key.Is(session.Ctrl, 'p'):
		to--
	case key.Code == session.KeyDown, key.Is(0, 'j'), key.Is(session.Ctrl, 'n'), key.Code == session.KeyTab:
		to++
	case key.Code == session.KeyPageUp:
		to -= m.shown()
	case key.Code == session.KeyPageDown:
		to += m.shown()
	case key.Code == session.KeyHome:
		to = 0
	case key.Code == session.KeyEnd:
		to = len(m.Models) - 1
	case key.Code == session.KeyRune && key.Mod == 0 && key.Rune >= '0' && key.Rune <= '9':
		digit := int(key.Rune - '0')
		if number = 10*m.typed + digit; number > len(m.Models) {
			number = digit
		}
		if number >= 1 && number <= len(m.Models) {
			to = number - 1
		} else {
			m.notice, number = fmt.Sprintf("There are %d models.", len(m.Models)), 0
		}
	}
	m.typed = number
	m.Chosen = max(0, min(to, len(m.Models)-1))
}

const linesAround = 8 // of the menu, that are no models

// shown is how many models fit on the screen.
func (m *Menu) shown() int { return max(1, min(len(m.Models), m.Rows-linesAround)) }

// draw draws the whole menu: a title, the models, one a line, the reason of the chosen one if it cannot be loaded, and the
// keys. The last row of the screen stays empty, so that nothing scrolls.
func (m *Menu) draw() error {
	n := m.shown()
	m.top = max(0, min(m.top, m.Chosen), m.Chosen-n+1)
	var b strings.Builder
	line := func(style, text string) {
		fmt.Fprintf(&b, "\x1b[%sm%s\x1b[0m\x1b[K\r\n", style, cut(text, m.Columns-1))
	}
	b.WriteString("\x1b[H")
	line("1", " "+m.Title)
	above, below := "", ""
	if m.top > 0 {
		above = fmt.Sprintf("      (%d more above)", m.top)
	}
	if more := len(m.Models) - m.top - n; more > 0 {
		below = fmt.Sprintf("      (%d more below)", more)
	}
	line("90", above)
	w := m.widths()
	for i := m.top; i < m.top+n; i++ {
		line(m.style(i), m.line(i, w))
	}
	line("90", below)
	b.WriteString(m.footer())
	b.WriteString("\x1b[J")
	_, err := io.WriteString(m.Out, b.String())
	return err
}

// style is how the line of a model looks: reversed if it is chosen, grey if it cannot be loaded.
func (m *Menu) style(i int) string {
	switch taken := m.canBeTaken(i); {
	case i == m.Chosen && taken:
		return "7"
	case i == m.Chosen:
		return "90;7"
	case taken:
		return "0"
	}
	return "90"
}

// footer is what stands below the models: why the chosen one cannot be loaded, or a notice, in two lines, and the keys.
func (m *Menu) footer() string {
	text := m.notice
	if !m.canBeTaken(m.Chosen) {
		text = strings.TrimSpace(m.notice + " " + m.Models[m.Chosen].Reason)
	}
	first := cut(text, m.Columns-3)
	if len(first) < len(text) { // the rest goes to the second line
		first = wordsIn(text, m.Columns-3)
	}
	second := cut(strings.TrimSpace(text[len(first):]), m.Columns-3)
	keys := " Arrow keys or digits choose, Enter starts, Esc leaves."
	count := ""
	if m.left > 0 {
		count = fmt.Sprintf(" Number %d starts in %d s; any key stops that.", m.Chosen+1, m.left)
	}
	return fmt.Sprintf("\x1b[33m  %s\x1b[0m\x1b[K\r\n\x1b[33m  %s\x1b[0m\x1b[K\r\n%s\x1b[K\r\n%s\x1b[K", first, second, cut(keys, m.Columns-1), cut(count, m.Columns-1))
}

// widths are the columns of names and kinds.
type widths struct{ name, kind int }

func (m *Menu) widths() (w widths) {
	for _, model := range m.Models {
		w.name, w.kind = max(w.name, columns(model.Name)), max(w.kind, columns(model.Kind))
	}
	w.kind = min(w.kind, 26)
	w.name = min(w.name, max(12, m.Columns-w.kind-36))
	return w
}

// line is the line of a model: its number, name, kind, the size of its files, and the memory that it needs.
func (m *Menu) line(i int, w widths) string {
	model := m.Models[i]
	text := fmt.Sprintf(" %3d  %s  %s  %8s", i+1, pad(model.Name, w.name), pad(model.Kind, w.kind), session.Size(model.Size))
	if model.Reason != "" {
		text += "  " + model.Reason
	} else {
		text += "  needs " + session.Memory(model.Need)
	}
	return pad(text, m.Columns-1)
}

// columns is the width of a text on a terminal.
func columns(s string) (n int) {
	for _, r := range s {
		n += session.Width(r)
	}
	return n
}

// cut shortens a text to a width. Control codes, which names and reasons may have, are shown as ?.
func cut(s string, width int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
	if columns(s) <= width {
		return s
	}
	n := 0
	for i, r := range s {
		if n += session.Width(r); n > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// pad makes a text exactly as wide as width.
func pad(s string, width int) string {
	s = cut(s, width)
	return s + strings.Repeat(" ", max(0, width-columns(s)))
}

// wordsIn returns the words at the beginning of a text that are no wider than width.
func wordsIn(s string, width int) string {
	end := 0
	for i, r := range s {
		if r == ' ' && columns(s[:i]) <= width {
			end = i
		}
	}
	return s[:end]
}
