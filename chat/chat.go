// Package chat is the session a person sees: a prompt, a story that begins with
// the line they typed, and again. It knows readers and writers only, so it is
// the same in a terminal and on a machine that has nothing else.
package chat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"bootllama"
)

const (
	usage  = "Type how a story begins, or nothing, and press Enter. Ctrl-C stops a story, /quit leaves.\n"
	prompt = "> "
	// maxLine bounds a line in bytes; no model here has a context that long.
	maxLine = 1 << 16
)

// Session is a conversation with one model.
type Session struct {
	Generator *llama.Generator
	Steps     int // positions a story may take, as in Generator.Steps
	// Interrupt stops the story that is being told or, at the prompt, ends the
	// session. It may be nil.
	Interrupt <-chan os.Signal
}

// Run holds the session on in and out. It ends at the end of in, at /quit, at an
// interrupt at the prompt, or when ctx is done; none of these is an error. A read
// of in that is under way then is left behind.
func (s *Session) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	if _, err := io.WriteString(out, usage); err != nil {
		return err
	}
	want := make(chan struct{})
	defer close(want)
	lines := readLines(in, want)
	for {
		if _, err := io.WriteString(out, prompt); err != nil {
			return err
		}
		want <- struct{}{}
		var l line
		select {
		case l = <-lines:
		case <-s.Interrupt:
			l.err = io.EOF
		case <-ctx.Done():
			l.err = io.EOF
		}
		switch {
		case errors.Is(l.err, errTooLong):
			if err := say(out, "That line is longer than %d bytes. Try a shorter one.", maxLine); err != nil {
				return err
			}
			continue
		case l.err != nil:
			// The cursor stands after the prompt.
			_, err := io.WriteString(out, "\n")
			if l.err != io.EOF {
				err = l.err
			}
			return err
		case strings.TrimSpace(l.text) == "/quit":
			return nil
		}
		if err := s.tell(ctx, out, l.text); err != nil {
			return err
		}
	}
}

// tell writes one story, or why there is none.
func (s *Session) tell(ctx context.Context, out io.Writer, beginning string) error {
	tokens, err := s.Generator.Tokenizer.Encode(beginning, true, false)
	if err != nil {
		return say(out, "The model cannot read that: %v.", err)
	}
	if steps := s.Generator.Steps(s.Steps); len(tokens) > steps {
		return say(out, "That line is %d tokens long and the story may have %d. Try a shorter one.", len(tokens), steps)
	}
	storyCtx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-s.Interrupt:
			cancel()
		case <-storyCtx.Done():
		}
	}()
	_, err = s.Generator.GenerateText(storyCtx, out, beginning, s.Steps)
	cancel()
	<-done
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil // Run sees whether ctx is done
	}
	return err
}

// say writes a line of the session's own.
func say(out io.Writer, format string, a ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", a...)
	return err
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
