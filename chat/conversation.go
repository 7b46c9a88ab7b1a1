package chat

import (
	"context"
	"fmt"
	"io"
	"os"

	"bootllama"
)

// The prompts of a conversation, as in run.c's chat.
const (
	systemPrompt    = "Enter system prompt (optional): "
	userPrompt      = "User: "
	assistantPrompt = "Assistant: "
)

// Conversation is run.c's chat with a model that was finetuned for the format of
// Llama 2 Chat (Touvron et al. 2023): the user says a line, the assistant answers
// until it generates EOS, and again. All of it stays in the model's context.
type Conversation struct {
	Generator *llama.Generator
	Steps     int     // positions of the whole conversation, as in Generator.Steps
	System    *string // what the assistant is told beforehand, perhaps nothing; nil: the user is asked
	User      *string // what the user says first; nil: the user is asked
	// Interrupt ends the assistant's turn or, in the user's, the conversation. It
	// may be nil.
	Interrupt <-chan os.Signal
}

// Run holds the conversation on in and out and ends with a newline: when the
// positions are used up, also in the middle of a turn, at the end of in, at an
// interrupt in the user's turn, or when ctx is done; none of these is an error.
// A read of in that is under way then is left behind.
//
// What it writes and how it draws random numbers is as in run.c, with these
// quirks: a token is sampled at the prompt's positions too, and when that is EOS a
// newline is written; so is, in front of the next "User: ", the token that the
// model generates after EOS, unless an interrupt had put EOS in its mouth.
func (c *Conversation) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	// A vocabulary without byte tokens may have no words for the template.
	if _, err := c.encode(value(c.System), value(c.User)); err != nil {
		return fmt.Errorf("prompt in Llama 2's chat template: %w", err)
	}
	input := newInput(in, out, c.Interrupt)
	defer input.close()
	var (
		g        = c.Generator
		text     = llama.NewTextWriter(out)
		userTurn = true
		words    []int // what is left of the user's turn
		ahead    int   // how many of them have been through the layers already,
		batch    int   // of so many that went together
		next     int
		one      = make([]int, 1) // a batch of it
		cut      bool             // the assistant's turn was, by an interrupt
	)
	for pos, steps := 0, g.Steps(c.Steps); pos < steps && ctx.Err() == nil; pos++ {
		if userTurn {
			if err := text.Flush(); err != nil {
				return err
			}
			var err error
			words, err = c.ask(ctx, input, pos == 0)
			ahead = 0
			if err == io.EOF {
				return nil // with the newline: see input.ask
			}
			if err != nil {
				return err
			}
			if _, err := io.WriteString(out, assistantPrompt); err != nil {
				return err
			}
		}
		token := next
		if len(words) == 0 {
			batch, ahead = 1, 1
			one[0] = token
			g.Transformer.Prefill(one, pos)
		} else {
			if ahead == 0 {
				batch = min(len(words), llama.Batch, steps-pos)
				ahead = batch
				g.Transformer.Prefill(words[:batch], pos)
			}
			token, words = words[0], words[1:]
		}
		userTurn = token == g.Tokenizer.EOS
		next = g.Sampler.Sample(g.Transformer.Logits(batch - ahead))
		ahead--
		if c.interrupted() && !userTurn {
			// As though the assistant had come to its end; what was not yet
			// read to it of the user's turn, it will not hear.
			words, ahead, next, cut = nil, 0, g.Tokenizer.EOS, true
		}
		var err error
		switch {
		case userTurn && cut:
			cut = false // silence: the person stopped the assistant
		case next == g.Tokenizer.EOS:
			err = text.WritePiece("\n")
		case len(words) == 0:
			err = text.WritePiece(g.Tokenizer.Decode(token, next))
		}
		if err != nil {
			return err
		}
	}
	if err := text.WritePiece("\n"); err != nil {
		return err
	}
	return text.Flush()
}

// ask returns the tokens of the user's turn, the first one with the system prompt.
// It asks again for lines for which the model has no tokens.
func (c *Conversation) ask(ctx context.Context, input *input, first bool) ([]int, error) {
	for {
		var system string
		var err error
		switch {
		case !first:
		case c.System != nil:
			system = *c.System
		default:
			if system, err = input.ask(ctx, systemPrompt); err != nil {
				return nil, err
			}
		}
		var user string
		if first && c.User != nil {
			user = *c.User
		} else if user, err = input.ask(ctx, userPrompt); err != nil {
			return nil, err
		}
		tokens, err := c.encode(system, user)
		if err == nil {
			return tokens, nil
		}
		if err := say(input.out, "The model cannot read that: %v.", err); err != nil {
			return nil, err
		}
	}
}

// encode returns the tokens of a turn of the user in the template of Llama 2 Chat.
func (c *Conversation) encode(system, user string) ([]int, error) {
	if system != "" {
		user = "<<SYS>>\n" + system + "\n<</SYS>>\n\n" + user
	}
	return c.Generator.Tokenizer.Encode("[INST] "+user+" [/INST]", true, false)
}

// interrupted reports whether there was an interrupt since it was last asked for.
func (c *Conversation) interrupted() bool {
	select {
	case <-c.Interrupt:
		return true
	default:
		return false
	}
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
