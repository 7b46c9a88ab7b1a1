// Package chat holds the sessions with a person. Session tells stories that begin
// with the lines they type; Conversation is run.c's chat, where the model answers.
// The package knows readers and writers only, so it is the same in a terminal and
// on a machine that has nothing else.
package chat

import (
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
)

// Session is a series of stories that one model tells.
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
	input := newInput(in, out, s.Interrupt)
	defer input.close()
	for {
		beginning, err := input.ask(ctx, prompt)
		if err == io.EOF || strings.TrimSpace(beginning) == "/quit" {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.tell(ctx, out, beginning); err != nil {
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
