package chat

import (
	"context"
	"errors"
	"io"

	"bootllama"
	"bootllama/session"
)

// StoriesUsage tells the user how a session with Stories goes.
const StoriesUsage = "Type how a story begins, or nothing, and press Enter. Ctrl-C stops a story, /quit leaves.\n"

// Stories are told by a model that continues texts: it is the Engine of a session in which each
// line begins a story.
type Stories struct {
	Generator *llama.Generator
	Steps     int // positions of a story, as in Generator.Steps
}

// Reply writes one story, or the reason why there is none.
func (s *Stories) Reply(ctx context.Context, out io.Writer, beginning string) error {
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
	_, err = s.Generator.GenerateText(ctx, out, beginning, s.Steps)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil // the session knows whether it was an interrupt
	}
	return err
}
