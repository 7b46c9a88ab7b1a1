// Package tty finds out whether a person sits at a terminal, on the host and on the bare machine.
package tty

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"bootllama/session"
)

// Open returns the terminal that in and out are, nil if one of them is none, or is none that
// understands sequences. out may be another writer to the file. Colours are left out where
// the environment has NO_COLOR (https://no-color.org).
func Open(in, file *os.File, out io.Writer) *session.Terminal {
	fd, screen := int(in.Fd()), int(file.Fd())
	if !term.IsTerminal(fd) || !term.IsTerminal(screen) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &session.Terminal{
		Keys:    session.NewKeyboard(in),
		Out:     out,
		Raw:     func() (restore func(), err error) { return raw(fd, screen) },
		Size:    func() (columns, rows int) { return size(screen) },
		Resized: resized(),
		Plain:   os.Getenv("NO_COLOR") != "",
	}
}

// raw puts a terminal into raw mode.
func raw(fd, screen int) (restore func(), err error) {
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	undo := understand(screen)
	return sync.OnceFunc(func() {
		undo()
		term.Restore(fd, before) // fails only if the terminal is gone
	}), nil
}

// size returns the size of a terminal, the usual one where it does not tell.
func size(screen int) (columns, rows int) {
	columns, rows, err := term.GetSize(screen)
	if err != nil || columns < 1 || rows < 1 {
		return 80, 24
	}
	return columns, rows
}
