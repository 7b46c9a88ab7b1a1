// Command terminal is four programs of Go's terminal world, unchanged, on Linux and on bare metal: a password and a line by
// golang.org/x/term, a full screen by tcell, and a list to choose from by bubbletea. It has a module of its own, since nothing
// else needs these.
//
//	go run . screen
//	bootllama efi .
package main

import (
	"fmt"
	"io"
	"os"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/gdamore/tcell/v2"
	"golang.org/x/term"

	_ "bootllama/metal"
)

func main() {
	programs := map[string]func() error{"password": password, "line": line, "screen": screen, "list": list}
	if len(os.Args) != 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: terminal password|line|screen|list")
		os.Exit(2)
	}
	if err := programs[os.Args[1]](); err != nil {
		fmt.Fprintf(os.Stderr, "terminal: %v\n", err)
		os.Exit(1)
	}
}

func password() error {
	fmt.Print("password: ")
	b, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Printf("\n%d characters: %q\n", len([]rune(string(b))), b)
	return err
}

// line reads lines with x/term's editor until Ctrl-D.
func line() error {
	fd := int(os.Stdin.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return err
	}
	defer term.Restore(fd, state) // fails only if the terminal is gone
	width, height, err := term.GetSize(fd)
	if err != nil {
		return err
	}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{os.Stdin, os.Stdout}, "> ")
	if err := t.SetSize(width, height); err != nil {
		return err
	}
	for {
		text, err := t.ReadLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%q\n", text)
	}
}

// screen shows the last keys on a full screen, until Escape.
func screen() error {
	s, err := tcell.NewScreen()
	if err != nil {
		return err
	}
	if err := s.Init(); err != nil {
		return err
	}
	defer s.Fini()
	bold := tcell.StyleDefault.Bold(true).Foreground(tcell.ColorYellow).Background(tcell.ColorNavy)
	write := func(x, y int, style tcell.Style, text string) {
		for _, r := range text {
			s.SetContent(x, y, r, nil, style)
			x++
		}
	}
	keys := ""
	for {
		width, height := s.Size()
		s.Clear()
		for x := range width {
			s.SetContent(x, 0, tcell.RuneHLine, nil, tcell.StyleDefault)
			s.SetContent(x, height-1, tcell.RuneHLine, nil, tcell.StyleDefault)
		}
		write(2, 0, bold, " tcell ")
		write(2, 2, tcell.StyleDefault, fmt.Sprintf("%d by %d", width, height))
		write(2, 4, tcell.StyleDefault, keys)
		s.ShowCursor(2+len([]rune(keys)), 4)
		s.Show()
		switch e := s.PollEvent().(type) {
		case *tcell.EventResize:
			s.Sync()
		case *tcell.EventKey:
			if e.Key() == tcell.KeyEscape {
				return nil
			}
			keys += "[" + e.Name() + "]"
		}
	}
}

// choice is bubbletea's model of a list.
type choice struct {
	at   int
	done bool
}

var items = []string{"one", "two", "three"}

func list() error {
	m, err := tea.NewProgram(choice{}).Run()
	if err != nil {
		return err
	}
	fmt.Printf("chosen: %s\n", items[m.(choice).at])
	return nil
}

func (c choice) Init() tea.Cmd { return nil }

func (c choice) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	if key, ok := message.(tea.KeyMsg); ok {
		switch key.String() {
		case "up":
			c.at = max(c.at-1, 0)
		case "down":
			c.at = min(c.at+1, len(items)-1)
		case "enter":
			c.done = true
			return c, tea.Quit
		}
	}
	return c, nil
}

func (c choice) View() string {
	text := "Choose:\n"
	for i, item := range items {
		mark := "  "
		if i == c.at {
			mark = "▶ "
		}
		text += mark + item + "\n"
	}
	return text
}
