package main

import (
	"bytes"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"bootllama/internal/stdio"
	"bootllama/internal/tty"
	"bootllama/session"
)

// terminals tells which of a command's streams are terminals.
type terminals struct {
	in, out, err bool
	fd           int // of in
}

func openTerminals(s streams) terminals {
	t := terminals{in: stdio.IsTerminal(s.stdin), out: stdio.IsTerminal(s.stdout), err: stdio.IsTerminal(s.stderr)}
	if t.in {
		t.fd = int(s.stdin.(*os.File).Fd())
	}
	return t
}

// text returns the streams with those that are terminals for text from elsewhere: see stdio.Text. On standard output, echo
// gets through as well, and on standard error the carriage return of the progress bar.
func (s streams) text(echo string) streams {
	t := openTerminals(s)
	if t.out {
		s.stdout = stdio.Text(s.stdout, echo)
	}
	if t.err {
		s.stderr = stdio.Text(s.stderr, "\r")
	}
	return s
}

// terminal returns the terminal that a session is held on, nil where standard input or output is none.
func (s streams) terminal() *session.Terminal {
	in, ok := s.stdin.(*os.File)
	out, _ := s.stdout.(stdio.Output)
	file, isFile := out.Writer.(*os.File)
	if !ok || !isFile {
		return nil
	}
	return tty.Open(in, file, out)
}

// raw switches the terminal to raw mode: it passes on every key unchanged and echoes none, because the machine echoes
// them. restore switches back; it may be called more than once.
func (t terminals) raw() (restore func(), err error) {
	state, err := term.MakeRaw(t.fd)
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() {
		term.Restore(t.fd, state) // fails only if the terminal is gone
	}), nil
}

// keyboard is a reader of a terminal's keys. A goroutine reads them ahead, so that Ctrl-] works at any time.
type keyboard struct {
	pressed <-chan []byte // closed at the end
	rest    []byte
}

// newKeyboard reads terminal until its end or until Ctrl-], for which it calls stop. It converts DEL, which a terminal
// sends for the backspace key, into BS: most terminal types of the firmware take DEL for the Delete key.
func newKeyboard(terminal io.Reader, stop func()) *keyboard {
	const backspace, del, ctrlRightBracket = 0x08, 0x7f, 0x1d
	pressed := make(chan []byte, 4096) // more than a user types ahead
	go func() {
		defer close(pressed)
		for {
			keys := make([]byte, 256)
			n, err := terminal.Read(keys)
			keys = bytes.ReplaceAll(keys[:n], []byte{del}, []byte{backspace})
			if i := bytes.IndexByte(keys, ctrlRightBracket); i >= 0 {
				stop()
				return
			}
			pressed <- keys
			if err != nil {
				return // the terminal is gone; SIGHUP ends the command
			}
		}
	}()
	return &keyboard{pressed: pressed}
}

func (k *keyboard) Read(p []byte) (int, error) {
	for len(k.rest) == 0 {
		keys, ok := <-k.pressed
		if !ok {
			return 0, io.EOF
		}
		k.rest = keys
	}
	n := copy(p, k.rest)
	k.rest = k.rest[n:]
	return n, nil
}

// crlf writes to a terminal in raw mode, which does not add a carriage return to a line feed.
type crlf struct{ w io.Writer }

func (c crlf) Write(p []byte) (int, error) {
	if _, err := c.w.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}
