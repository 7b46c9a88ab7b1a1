// Package chat is run.c's chat.
package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"bootllama"
	"bootllama/session"
)

// The prompts are run.c's.
const (
	systemPrompt    = "Enter system prompt (optional): "
	userPrompt      = "User: "
	assistantPrompt = "Assistant: "
)

// Conversation is run.c's chat with a model that was finetuned for the format of Llama 2
// Chat (Touvron et al. 2023). The user enters a line and the assistant answers until it
// generates EOS, in turns. The whole conversation stays in the model's context.
type Conversation struct {
	Generator *llama.Generator
	Steps     int     // positions of the whole conversation, as in Generator.Steps
	System    *string // system prompt, perhaps empty; nil: the user is asked for it
	User      *string // the user's first line; nil: the user is asked for it
	// Interrupt ends the assistant's turn or, during the user's turn, the conversation. It
	// may be nil.
	Interrupt <-chan os.Signal
}

// Run holds the conversation on in and out and writes a newline at its end. It ends when
// all positions are used, even within the assistant's turn, at the end of in, at an interrupt
// during the user's turn, and when ctx is done. None of these is an error. A Read of in that
// has begun then is not waited for. When the positions end within the user's turn, the error
// says what does not fit.
//
// The output and the use of random numbers are run.c's, with its quirks: a token is sampled
// at each position of the prompt too, and if it is EOS, a newline is written. The token that
// the model generates after its EOS is written before the next "User: "; after an interrupt
// it is not.
func (c *Conversation) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	// A vocabulary without byte tokens may lack characters of the template.
	if _, err := c.encode(*cmp.Or(c.System, new("")), *cmp.Or(c.User, new(""))); err != nil {
		return fmt.Errorf("prompt in Llama 2's chat template: %w", err)
	}
	input := session.NewLines(in, out, c.Interrupt)
	defer input.Close()
	end, _ := c.Generator.Tokenizer.Encode("", false, true) // EOS, or nothing
	var (
		g           = c.Generator
		eos         = append(end, -1)[0]
		text        = llama.NewTextWriter(out)
		userTurn    = true
		queue       []int            // tokens for the next positions: the rest of the prompt
		next        = make([]int, 1) // the token that was sampled last
		first       int              // where in the batch the tokens of the last call of Prefill begin
		batch       int              // how many there are
		ahead       int              // how many of these have no logits yet
		interrupted bool             // the assistant's turn ended by an interrupt
		turn, left  int              // tokens of the user's turn, and of positions for it
		steps       = g.Steps(c.Steps)
	)
	for pos := 0; pos < steps && ctx.Err() == nil; pos++ {
		if userTurn {
			if err := text.Flush(); err != nil {
				return err
			}
			var err error
			queue, err = c.ask(ctx, input, out, pos == 0)
			turn, left = len(queue), steps-pos
			ahead = 0 // also where EOS was in the middle of a prompt
			if err == io.EOF {
				return nil // input.Ask has written the newline
			}
			if err != nil {
				return err
			}
			if _, err := io.WriteString(out, assistantPrompt); err != nil {
				return err
			}
		}
		if len(queue) == 0 {
			queue = next
		}
		if ahead == 0 {
			batch = min(len(queue), llama.Batch, steps-pos)
			ahead = batch
			var err error // none without an end of the context
			if first, err = g.Prefill(context.Background(), queue[:batch], pos); err != nil {
				return err
			}
		}
		token := queue[0]
		queue = queue[1:]
		userTurn = token == eos
		var err error
		if next[0], err = g.Next(first + batch - ahead); err != nil {
			return err
		}
		ahead--
		if c.interrupt() && !userTurn {
			// As if the assistant had generated EOS. The rest of the prompt is dropped.
			queue, ahead, next[0], interrupted = nil, 0, eos, true
		}
		switch {
		case userTurn && interrupted:
			interrupted = false
		case next[0] == eos:
			err = text.WritePiece("\n")
		case len(queue) == 0:
			err = text.WritePiece(g.Tokenizer.Decode(token, next[0]))
		}
		if err != nil {
			return err
		}
	}
	err := errors.Join(text.WritePiece("\n"), text.Flush())
	if err == nil && len(queue) > 0 && ctx.Err() == nil {
		return fmt.Errorf("what you said has %d tokens with its template, %d too many: %d of the chat's %d are left (-n; the model's context holds %d)",
			turn, len(queue), left, steps, g.Transformer.Config.SeqLen)
	}
	return err
}

// ask returns the tokens of the user's turn; those of the first turn begin with the system
// prompt. It asks again if the model has no tokens for a line.
func (c *Conversation) ask(ctx context.Context, input *session.Lines, out io.Writer, first bool) ([]int, error) {
	answer := func(prompt string, given *string) (string, error) {
		if first && given != nil {
			return *given, nil
		}
		return input.Ask(ctx, prompt)
	}
	for {
		var system string
		var err error
		if first {
			if system, err = answer(systemPrompt, c.System); err != nil {
				return nil, err
			}
		}
		user, err := answer(userPrompt, c.User)
		if err != nil {
			return nil, err
		}
		tokens, err := c.encode(system, user)
		if err == nil {
			return tokens, nil
		}
		if err := session.Say(out, "The model cannot read that: %v.", err); err != nil {
			return nil, err
		}
	}
}

// encode returns the tokens of a user's turn in the template of Llama 2 Chat.
func (c *Conversation) encode(system, user string) ([]int, error) {
	if system != "" {
		user = "<<SYS>>\n" + system + "\n<</SYS>>\n\n" + user
	}
	return c.Generator.Tokenizer.Encode("[INST] "+user+" [/INST]", true, false)
}

// interrupt reports whether there was an interrupt since the last call.
func (c *Conversation) interrupt() bool {
	select {
	case <-c.Interrupt:
		return true
	default:
		return false
	}
}
