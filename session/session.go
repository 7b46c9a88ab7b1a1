// Package session is what a person sits at: a conversation with an Engine, line by line. It
// knows a reader and a writer, and nothing of models, so that the host and the bare machine are
// the same to it.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Prompt is what stands before a line that is asked for.
const Prompt = "> "

// Engine is who answers.
type Engine interface {
	// Reply writes an answer to what the person says, with a newline at the end. When ctx is
	// done it stops soon, which is no error. What it cannot read is an Unreadable.
	Reply(ctx context.Context, out io.Writer, text string) error
}

// Unreadable is the error of Reply for a text that the model cannot read, with the reason.
type Unreadable struct{ Reason error }

func (u Unreadable) Error() string { return u.Reason.Error() }
func (u Unreadable) Unwrap() error { return u.Reason }

// Session is a conversation between a person and an Engine.
type Session struct {
	Engine Engine
	Usage  string  // the person is told first how it goes
	First  *string // what the person says first; nil: the person is asked for it
	// Interrupt ends the answer or, at the prompt, the session. It may be nil.
	Interrupt <-chan os.Signal
}

// Run holds the session on in and out. It ends at the end of in, at the line /quit, at an
// interrupt at the prompt, and when ctx is done. None of these is an error. A Read of in that
// has begun then is not waited for. That First is Unreadable is an error; of a line that was typed
// the person is told.
func (s *Session) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	if s.Usage != "" {
		if _, err := io.WriteString(out, s.Usage); err != nil {
			return err
		}
	}
	if s.First != nil {
		err := s.reply(ctx, out, *s.First)
		if errors.As(err, new(Unreadable)) {
			return fmt.Errorf("prompt: %w", err)
		}
		if err != nil {
			return err
		}
	}
	lines := NewLines(in, out, s.Interrupt)
	defer lines.Close()
	for {
		line, err := lines.Ask(ctx, Prompt)
		if err == io.EOF || strings.TrimSpace(line) == "/quit" {
			return nil
		}
		if err == nil {
			err = s.reply(ctx, out, line)
		}
		if errors.As(err, new(Unreadable)) {
			err = Say(out, "The model cannot read that: %v.", err)
		}
		if err != nil {
			return err
		}
	}
}

// reply lets the engine answer until an interrupt.
func (s *Session) reply(ctx context.Context, out io.Writer, text string) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-s.Interrupt:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := s.Engine.Reply(ctx, out, text)
	cancel()
	<-done
	return err
}
