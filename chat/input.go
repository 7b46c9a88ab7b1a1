package chat

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
)

// maxLine bounds a line in bytes; no model here has a context that long.
const maxLine = 1 << 16

// input asks a person for lines.
type input struct {
	out       io.Writer
	want      chan struct{}
	lines     <-chan line
	interrupt <-chan os.Signal
}

// newInput returns an input that prompts on out and reads in. It is to be closed.
func newInput(in io.Reader, out io.Writer, interrupt <-chan os.Signal) *input {
	want := make(chan struct{})
	return &input{out, want, readLines(in, want), interrupt}
}

// close ends the reading; a read that is under way is left behind.
func (i *input) close() { close(i.want) }

// ask writes the prompt and returns the line that answers it, without its end.
// At the end of input, at an interrupt and when ctx is done the error is io.EOF.
// Then, and when reading failed, ask has ended the line that the prompt began.
func (i *input) ask(ctx context.Context, prompt string) (string, error) {
	for {
		if _, err := io.WriteString(i.out, prompt); err != nil {
			return "", err
		}
		i.want <- struct{}{}
		var l line
		select {
		case l = <-i.lines:
		case <-i.interrupt:
			l.err = io.EOF
		case <-ctx.Done():
			l.err = io.EOF
		}
		switch {
		case errors.Is(l.err, errTooLong):
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

// line is a line without its end, or why there is none.
type line struct {
	text string
	err  error
}

var errTooLong = errors.New("line too long")

// readLines reads a line of in for each value of want, so that the session can
// wait for something else at the same time and nothing is read ahead.
func readLines(in io.Reader, want <-chan struct{}) <-chan line {
	lines := make(chan line, 1)
	go func() {
		r := bufio.NewReaderSize(in, maxLine+2) // room for the line's end
		for range want {
			lines <- readLine(r)
		}
	}()
	return lines
}

// readLine reads one line, of which one that is too long is passed over.
func readLine(r *bufio.Reader) line {
	b, err := r.ReadSlice('\n')
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return line{err: err}
		}
		return line{err: errTooLong}
	case err == io.EOF && len(b) > 0:
		return line{text: text} // the last line has no end
	case err != nil:
		return line{err: err}
	}
	return line{text: text}
}
