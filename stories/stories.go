// Package stories is for models that continue texts: an Engine of a session in which each line
// begins a story.
package stories

import (
	"context"
	"errors"
	"io"
	"strings"

	"bootllama"
	"bootllama/session"
)

// Usage tells the user how a session with a Teller goes.
const Usage = "Type how a story begins, or nothing, and press Enter. Ctrl-C stops a story, /quit leaves.\n"

// Teller tells the stories.
type Teller struct {
	Generator *llama.Generator
	Steps     int // positions of a story, as in Generator.Steps

	told  []session.Message // beginnings and stories
	stats session.Stats
}

// Again tells another story with the last beginning.
func (s *Teller) Again(ctx context.Context, out io.Writer) error {
	n := len(s.told) - 2
	if n < 0 {
		return session.ErrNothing
	}
	beginning := s.told[n].Text
	s.told = s.told[:n]
	return s.Reply(ctx, out, beginning)
}

// Clear forgets the stories.
func (s *Teller) Clear() error {
	s.told, s.stats = nil, session.Stats{}
	return nil
}

// Said returns the beginnings and the stories so far.
func (s *Teller) Said() []session.Message { return s.told }

// Stats returns figures of the last story.
func (s *Teller) Stats() session.Stats { return s.stats }

// Reply writes one story, or the reason why there is none.
func (s *Teller) Reply(ctx context.Context, out io.Writer, beginning string) error {
	s.stats = session.Stats{}
	tokens, err := s.Generator.Tokenizer.Encode(beginning, false, false) // as run's prompt: BOS is no part of the text
	if err != nil {
		return session.Unreadable{Reason: err}
	}
	if bos, _ := s.Generator.Tokenizer.Encode("", true, false); len(bos)+len(tokens) == 0 {
		return session.Say(out, "The model begins no text by itself: give it a word.")
	}
	if steps := s.Generator.Steps(s.Steps); len(tokens) > steps {
		return session.Say(out, "That line is %d tokens long and the story may have %d. Try a shorter one.", len(tokens), steps)
	}
	var story strings.Builder
	stats, err := s.Generator.GenerateText(ctx, io.MultiWriter(out, &story), beginning, s.Steps)
	s.told = append(s.told, session.Message{Person: true, Text: beginning}, session.Message{Text: story.String()})
	s.stats = session.Stats{Tokens: stats.Positions - stats.Prompt, Elapsed: stats.Elapsed, Passes: stats.Passes, Used: stats.Positions, Size: s.Generator.Transformer.Config.SeqLen}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil // the session knows whether it was an interrupt
	}
	return err
}
