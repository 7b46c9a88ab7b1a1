package main

import (
	"bytes"
	"io"
)

// settled passes on to w, which is no screen, what a screen would show in the end: what stands behind a carriage return
// waits for the line's end, and another carriage return has drawn over it (the bar of a load).
type settled struct {
	w       io.Writer
	drawing bool   // a carriage return has been in this line
	line    []byte // what came behind it
}

func (s *settled) Write(p []byte) (int, error) {
	var out []byte
	for rest := p; len(rest) > 0; {
		i := bytes.IndexAny(rest, "\r\n")
		if i < 0 {
			i = len(rest)
		}
		if s.drawing {
			s.line = append(s.line, rest[:i]...)
		} else {
			out = append(out, rest[:i]...)
		}
		if i == len(rest) {
			break
		}
		if rest[i] == '\n' {
			out = append(append(out, s.line...), '\n')
		}
		s.line, s.drawing = s.line[:0], rest[i] == '\r'
		rest = rest[i+1:]
	}
	if _, err := s.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// close passes on a last line that has no end.
func (s *settled) close() error {
	_, err := s.w.Write(s.line)
	s.line = nil
	return err
}
