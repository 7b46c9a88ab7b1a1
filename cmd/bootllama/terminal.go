package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/term"

	"bootllama/internal/stdio"
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
	pressed chan []byte // never closed: size may write to it at any time
	over    chan struct{}
	rest    []byte
}

// newKeyboard reads terminal until its end or until Ctrl-], for which it calls stop.
func newKeyboard(terminal io.Reader, stop func()) *keyboard {
	const ctrlRightBracket = 0x1d
	k := &keyboard{pressed: make(chan []byte, 4096), over: make(chan struct{})} // more than a user types ahead
	go func() {
		defer close(k.over)
		for {
			keys := make([]byte, 256)
			n, err := terminal.Read(keys)
			keys = keys[:n]
			if i := bytes.IndexByte(keys, ctrlRightBracket); i >= 0 {
				stop()
				return
			}
			k.pressed <- keys
			if err != nil {
				return // the terminal is gone; SIGHUP ends the command
			}
		}
	}()
	return k
}

// size tells the machine how large the terminal is, as xterm answers CSI 18 t.
func (k *keyboard) size(columns, rows int) {
	select {
	case k.pressed <- fmt.Appendf(nil, "\x1b[8;%d;%dt", rows, columns):
	default: // a machine that takes no keys needs no size
	}
}

// tellSize tells the machine the size of the terminal, now and when it changes, until ctx ends.
func (t terminals) tellSize(ctx context.Context, k *keyboard) {
	tell := func() {
		if columns, rows, err := term.GetSize(t.fd); err == nil { // some terminals do not know
			k.size(columns, rows)
		}
	}
	tell()
	changed := make(chan os.Signal, 1)
	notifyResized(changed)
	go func() {
		defer signal.Stop(changed)
		for {
			select {
			case <-changed:
				tell()
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (k *keyboard) Read(p []byte) (int, error) {
	for len(k.rest) == 0 {
		select {
		case k.rest = <-k.pressed:
			continue
		default:
		}
		select {
		case k.rest = <-k.pressed:
		case <-k.over:
			select {
			case k.rest = <-k.pressed: // the last ones
			default:
				return 0, io.EOF
			}
		}
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

// statements writes to a terminal what a machine's program writes, its control sequences too, except for questions that a
// terminal would answer (ECMA-48's DSR and DA, xterm's CSI t, OSC with ?, DCS): the machine is a terminal itself, has
// answered them, and a second answer would be keys. Sequences may come in several calls.
type statements struct {
	w        io.Writer
	sequence []byte // the beginning of one, from ESC on
	out      []byte
}

func (s *statements) Write(p []byte) (int, error) {
	const enq, esc = 0x05, 0x1b
	s.out = s.out[:0]
	for _, b := range p {
		switch {
		case b == esc && !s.isString(): // whatever was there is not finished
			s.out = append(s.out, s.sequence...)
			s.sequence = append(s.sequence[:0], b)
		case len(s.sequence) > 0:
			s.sequence = append(s.sequence, b)
			if s.complete() {
				if !s.isQuestion() {
					s.out = append(s.out, s.sequence...)
				}
				s.sequence = s.sequence[:0]
			}
		case b != enq:
			s.out = append(s.out, b)
		}
	}
	if _, err := s.w.Write(s.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// isString reports whether the sequence is one that ST or BEL ends: OSC or DCS and the like.
func (s *statements) isString() bool {
	return len(s.sequence) > 1 && bytes.IndexByte([]byte("]PX^_"), s.sequence[1]) >= 0
}

const longestSequence = 4096

func (s *statements) complete() bool {
	last := s.sequence[len(s.sequence)-1]
	switch {
	case len(s.sequence) == longestSequence:
		return true
	case s.isString():
		return last == '\a' || bytes.HasSuffix(s.sequence[2:], []byte("\x1b\\"))
	case len(s.sequence) == 2:
		return last != '[' && last >= 0x30
	case s.sequence[1] == '[':
		return last < ' ' || last >= 0x40
	}
	return last >= 0x30
}

func (s *statements) isQuestion() bool {
	last := s.sequence[len(s.sequence)-1]
	switch s.sequence[1] {
	case '[':
		return bytes.IndexByte([]byte("cntx"), last) >= 0 || bytes.HasSuffix(s.sequence, []byte("$p")) || bytes.HasPrefix(s.sequence, []byte("\x1b[>")) && last == 'q'
	case ']':
		return bytes.IndexByte(s.sequence, '?') >= 0
	}
	return s.sequence[1] == 'Z' || s.isString()
}
