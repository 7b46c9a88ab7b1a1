package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// MaxLine is the limit of what a person says at once, in bytes.
const MaxLine = 1 << 16

// Lines asks for lines of a file, a pipe, or a terminal that edits lines itself. A goroutine
// reads them, so that Ask can wait for an interrupt at the same time.
type Lines struct {
	out       io.Writer
	interrupt <-chan os.Signal
	requests  chan struct{} // one for each line: nothing is read before it is asked for
	lines     chan line
}

// line is a line without its end, or the reason why there is none.
type line struct {
	text string
	err  error
}

// NewLines returns Lines that writes prompts to out and reads lines from in. An interrupt, which
// may be nil, ends them. The caller must close them.
func NewLines(in io.Reader, out io.Writer, interrupt <-chan os.Signal) *Lines {
	i := &Lines{out, interrupt, make(chan struct{}), make(chan line, 1)}
	go func() {
		r := bufio.NewReaderSize(in, MaxLine+2) // and the end of the line
		for range i.requests {
			text, err := readLine(r)
			i.lines <- line{text, err}
		}
	}()
	return i
}

// Close ends the goroutine, once a Read that has begun returns.
func (i *Lines) Close() { close(i.requests) }

// Ask writes the prompt and returns the line that the user answers, without its end. At the
// end of input, at an interrupt and when ctx is done the error is io.EOF. Before Ask returns
// that or an error of reading, it writes a newline after the prompt.
func (i *Lines) Ask(ctx context.Context, prompt string) (string, error) {
	for {
		if _, err := io.WriteString(i.out, prompt); err != nil {
			return "", err
		}
		i.requests <- struct{}{}
		var l line
		select {
		case l = <-i.lines:
		case <-i.interrupt:
			l.err = io.EOF
		case <-ctx.Done():
			l.err = io.EOF
		}
		switch {
		case errors.Is(l.err, bufio.ErrTooLong):
			if err := Say(i.out, "That line is longer than %d bytes. Try a shorter one.", MaxLine); err != nil {
				return "", err
			}
		case l.err != nil:
			if _, err := io.WriteString(i.out, "\n"); err != nil && l.err == io.EOF {
				return "", err
			}
			return "", l.err
		default:
			return l.text, nil
		}
	}
}

// readLine reads one line. A line that is too long is read to its end and dropped; the error
// is then bufio.ErrTooLong.
func readLine(r *bufio.Reader) (string, error) {
	b, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
		if err == nil || err == io.EOF {
			err = bufio.ErrTooLong
		}
		return "", err
	}
	if err == io.EOF && len(b) > 0 {
		err = nil // the last line has no newline
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), err
}

// Say writes a message to the user.
func Say(out io.Writer, format string, a ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", a...)
	return err
}
