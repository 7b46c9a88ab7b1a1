// Package chat holds sessions between a user and a model. In a Session the model continues
// each line of the user as a story. A Conversation is run.c's chat, in which the model
// answers; an Assistant answers in the format that its file names. The package only needs a
// reader and a writer, so that a terminal and the console of a bare machine are the same to it.
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

// Session is a series of stories from one model.
type Session struct {
	Generator *llama.Generator
	Steps     int // positions of a story, as in Generator.Steps
	// Interrupt ends the story or, at the prompt, the session. It may be nil.
	Interrupt <-chan os.Signal
}

// Run holds the session on in and out. It ends at the end of in, at the line /quit, at an
// interrupt at the prompt, and when ctx is done. None of these is an error. A Read of in
// that has begun then is not waited for.
func (s *Session) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	if _, err := io.WriteString(out, usage); err != nil {
		return err
	}
	return hold(ctx, in, out, s.Interrupt, func(ctx context.Context, beginning string) error {
		return s.tell(ctx, out, beginning)
	})
}

// hold asks for lines and lets answer answer each, until input ends as Run says. An interrupt
// ends the context of an answer.
func hold(ctx context.Context, in io.Reader, out io.Writer, interrupt <-chan os.Signal, answer func(ctx context.Context, line string) error) error {
	input := newInput(in, out, interrupt)
	defer input.close()
	for {
		line, err := input.ask(ctx, prompt)
		if err == io.EOF || strings.TrimSpace(line) == "/quit" {
			return nil
		}
		if err == nil {
			err = interruptible(ctx, interrupt, func(ctx context.Context) error { return answer(ctx, line) })
		}
		if err != nil {
			return err
		}
	}
}

// interruptible calls f with a context that an interrupt ends.
func interruptible(ctx context.Context, interrupt <-chan os.Signal, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-interrupt:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := f(ctx)
	cancel()
	<-done
	return err
}

// tell writes one story, or the reason why there is none.
func (s *Session) tell(ctx context.Context, out io.Writer, beginning string) error {
	tokens, err := s.Generator.Tokenizer.Encode(beginning, false, false) // as run's prompt: BOS is no part of the text
	if err != nil {
		return say(out, "The model cannot read that: %v.", err)
	}
	if bos, _ := s.Generator.Tokenizer.Encode("", true, false); len(bos)+len(tokens) == 0 {
		return say(out, "The model begins no text by itself: give it a word.")
	}
	if steps := s.Generator.Steps(s.Steps); len(tokens) > steps {
		return say(out, "That line is %d tokens long and the story may have %d. Try a shorter one.", len(tokens), steps)
	}
	_, err = s.Generator.GenerateText(ctx, out, beginning, s.Steps)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil // input.ask tells hold if it was not an interrupt
	}
	return err
}

// say writes a message to the user.
func say(out io.Writer, format string, a ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", a...)
	return err
}
