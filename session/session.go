// Package session is what a person sits at: a conversation with an Engine, line by line. It
// knows a reader and a writer, or a Terminal, and nothing of models, so that the host and the bare
// machine are the same to it.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Prompt is what stands before a line that is asked for.
const Prompt = "> "

// Engine is who answers.
type Engine interface {
	// Reply writes an answer to what the person says, with a newline at the end. When ctx is
	// done it stops soon, which is no error. What it cannot read is an Unreadable.
	Reply(ctx context.Context, out io.Writer, text string) error
	// Again is Reply to what was said last, with other random numbers, in the place of the last
	// answer. It is ErrNothing if nothing was said.
	Again(ctx context.Context, out io.Writer) error
	// Clear begins a new conversation.
	Clear() error
	// Said returns the conversation so far.
	Said() []Message
	// Stats returns figures of the last answer.
	Stats() Stats
}

// ErrNothing is the error of Again before anything was said.
var ErrNothing = errors.New("nothing was said yet")

// Message is what somebody has said.
type Message struct {
	Person bool // or else the model
	Text   string
}

// Stats are figures of an answer.
type Stats struct {
	Tokens     int // of the answer
	Elapsed    time.Duration
	Passes     int // over the model's weights: fewer than Tokens where guesses were right
	Used, Size int // of the context, in tokens
}

// Unreadable is the error of Reply for a text that the model cannot read, with the reason.
type Unreadable struct{ Reason error }

func (u Unreadable) Error() string { return u.Reason.Error() }
func (u Unreadable) Unwrap() error { return u.Reason }

// Talk is an Engine with what a person may see and change of it.
type Talk struct {
	Engine   Engine
	Title    string // what it is, in a line
	Hint     string // what a person may do first; "": that is plain
	Settings []Setting
	Facts    func() string // of /show: lines
}

// Setting is something that a person may change.
type Setting struct {
	Name, Help string
	Value      func() string // "" for a text that is empty
	Set        func(value string) error
}

// Model is a model that a person may choose. Kind is what it is, for a person, such as its
// architecture and types.
type Model struct {
	Path, Name, Kind string
	Size, Need       int64  // bytes of its files, and of the memory that it needs
	Reason           string // why it cannot be loaded, or ""
}

// Session is a conversation between a person and an Engine.
type Session struct {
	Talk
	Usage string  // how it goes, for a person without a Terminal
	First *string // what the person says first; nil: the person is asked for it
	// Interrupt ends the answer or, at the prompt, the session; on a Terminal only the line that
	// is typed. It may be nil.
	Interrupt <-chan os.Signal

	// What commands of a Terminal do; nil where that cannot be done.

	// Models lists the models that there are.
	Models func() ([]Model, error)
	// Load loads a model that Models has listed, in the place of the present one. If that
	// fails, the Talk, if it has an Engine, is with the model that there was.
	Load func(path string) (Talk, error)
	// Save writes a conversation to a file, of a name of its own for "", and returns the file's.
	Save func(name, text string) (string, error)
	// Power switches the machine off, or starts it anew.
	Power func(reboot bool) error
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
	if err := s.first(ctx, out); err != nil {
		return err
	}
	lines := NewLines(in, out, s.Interrupt)
	defer lines.Close()
	for {
		line, err := lines.Ask(ctx, Prompt)
		if err == io.EOF || strings.TrimSpace(line) == "/quit" {
			return nil
		}
		if err == nil {
			err = s.answer(ctx, func(ctx context.Context) error { return s.Engine.Reply(ctx, out, line) })
		}
		if errors.As(err, new(Unreadable)) {
			err = Say(out, unreadable, err)
		}
		if err != nil {
			return err
		}
	}
}

const unreadable = "The model cannot read that: %v."

// first answers what the person says first.
func (s *Session) first(ctx context.Context, out io.Writer) error {
	if s.First == nil {
		return nil
	}
	err := s.answer(ctx, func(ctx context.Context) error { return s.Engine.Reply(ctx, out, *s.First) })
	if errors.As(err, new(Unreadable)) {
		return fmt.Errorf("prompt: %w", err)
	}
	return err
}

// answer calls f with a context that an interrupt ends.
func (s *Session) answer(ctx context.Context, f func(ctx context.Context) error) error {
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
	err := f(ctx)
	cancel()
	<-done
	return err
}
