package session

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestReadLine: the longest line is read, one byte more is too long, and an error comes after what was read before it.
func TestReadLine(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	broken := errors.New("broken keyboard")
	for _, c := range []struct {
		in    string
		end   error
		lines []int // their lengths; -1: too long
		err   error
	}{
		{x(MaxLine) + "\n" + x(3), io.EOF, []int{MaxLine, 3}, io.EOF},
		{x(MaxLine) + "\r\n\r\n\n", io.EOF, []int{MaxLine, 0, 0}, io.EOF},
		{x(MaxLine), io.EOF, []int{MaxLine}, io.EOF},
		{x(MaxLine+2) + "\n" + x(3) + "\n", io.EOF, []int{-1, 3}, io.EOF},
		{x(5*MaxLine) + "\n" + x(3) + "\n", io.EOF, []int{-1, 3}, io.EOF},
		{x(5 * MaxLine), io.EOF, []int{-1}, io.EOF},
		{x(3), broken, nil, broken},
		{x(3) + "\n", broken, []int{3}, broken},
		{x(5 * MaxLine), broken, nil, broken},
	} {
		r := bufio.NewReaderSize(io.MultiReader(strings.NewReader(c.in), iotest.ErrReader(c.end)), MaxLine+2)
		for i, want := range c.lines {
			line, err := readLine(r)
			if want < 0 && !errors.Is(err, bufio.ErrTooLong) || want >= 0 && (err != nil || line != x(want)) {
				t.Errorf("%d bytes, line %d: %d bytes, %v, want %d", len(c.in), i, len(line), err, want)
			}
		}
		if _, err := readLine(r); err != c.err {
			t.Errorf("%d bytes: at the end %v, want %v", len(c.in), err, c.err)
		}
	}
}
