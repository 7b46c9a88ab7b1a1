package chat

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
)

// maxLine is the limit of a line in bytes. No context of these models holds more.
const maxLine = 1 << 16

// input asks the user for lines. A goroutine reads them, so that ask can wait for an
// interrupt at the same time.
type input struct {
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

// newInput returns an input that writes prompts to out and reads lines from in. The caller
// must close it.
func newInput(in io.Reader, out io.Writer, interrupt <-chan os.Signal) *input {
	i := &input{out, interrupt, make(chan struct{}), make(chan line, 1)}
	go func() {
		r := bufio.NewReaderSize(in, maxLine+2) // and the end of the line
		for range i.requests {
			text, err := readLine(r)
			i.lines <- line{text, err}
		}
	}()
	return i
}

// close ends the goroutine, once a Read that has begun returns.
func (i *input) close() { close(i.requests) }

// ask writes the prompt and returns the line that the user answers, without its end. At the
// end of input, at an interrupt and when ctx is done the error is io.EOF. Before ask returns
// that or an error of reading, it writes a newline after the prompt.
func (i *input) ask(ctx context.Context, prompt string) (string, error) {
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
			if err := say(i.out, "That line is longer than %d bytes. Try a shorter one.", maxLine); err != nil {
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
