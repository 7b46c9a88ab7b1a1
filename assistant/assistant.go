// Package assistant is a conversation with a model that was trained for it, in the format that
// its GGUF file names: an Engine of a session.
package assistant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bootllama"
	"bootllama/assistant/template"
	"bootllama/session"
)

// Usage tells the user how a session with an Assistant goes.
const Usage = "Say something, and press Enter. Ctrl-C stops an answer, /quit leaves.\n"

// Tokenizer is what an Assistant needs of its model's tokenizer.
type Tokenizer interface {
	// EncodeTemplate returns the tokens of a text in parts, as template.Render returns them: special
	// tokens are found in every other one. bos puts BOS in front, if the model is used to it and
	// the text does not begin with it.
	EncodeTemplate(parts []string, bos bool) ([]int, error)
	// Decode returns the text of token when it follows the token prev.
	Decode(prev, token int) string
	// Ends reports whether token ends an answer.
	Ends(token int) bool
}

// Assistant is a conversation with a model that was trained for it. What is said is kept as
// text; before each answer its tokens are those of the whole conversation in the model's
// format, and the keys and values of as many of the first as have not changed are kept.
type Assistant struct {
	Generator *llama.Generator
	Tokenizer Tokenizer
	Template  *template.Template
	Think     bool    // the model may think first, if Template.Switch
	System    *string // what the model is told before; nil: what its format says
	Steps     int     // the most tokens of an answer; 0: as many as there is room for
	// Progress, if not nil, is called while the model reads what it shall answer: with the number
	// of tokens that it has read, from 0 on, and of how many; also at an interrupt, done is
	// total at the end.
	Progress func(done, total int)

	said []template.Message // the conversation so far, the system's text first if there is one
	ids  []int              // its tokens, and those of the answer so far
	held int                // of so many, the first ones, the model has the keys and values

	stats session.Stats
}

// Clear begins a new conversation. A System that does not fit into the model's context is an
// error.
func (a *Assistant) Clear() error {
	a.said, a.held = nil, 0
	if a.System != nil {
		a.said = []template.Message{{Role: template.System, Text: *a.System}}
	}
	if err := a.fits(a.said); err != nil {
		return fmt.Errorf("system text: %w", err)
	}
	return nil
}

// SetSystem changes what the model is told before the conversation; nil: what its format says. A
// text that does not fit into the model's context is an error, and changes nothing.
func (a *Assistant) SetSystem(text *string) error {
	var said []template.Message
	if text != nil {
		said = []template.Message{{Role: template.System, Text: *text}}
	}
	if err := a.fits(said); err != nil {
		return err
	}
	a.said = append(said, a.said[min(a.turns(), len(a.said)):]...)
	a.System = text
	return nil
}

// Said returns the conversation so far.
func (a *Assistant) Said() (said []session.Message) {
	for _, m := range a.said[min(a.turns(), len(a.said)):] {
		said = append(said, session.Message{Person: m.Role == template.User, Text: m.Text})
	}
	return said
}

// Stats returns figures of the last answer.
func (a *Assistant) Stats() session.Stats { return a.stats }

// Again answers again what the user has said last, in the place of the last answer, unless it is
// stopped before there is a word of it.
func (a *Assistant) Again(ctx context.Context, out io.Writer) error {
	n := len(a.said) - 2
	if n < a.turns() {
		return session.ErrNothing
	}
	before := slices.Clone(a.said)
	a.said = a.said[:n]
	err := a.Reply(ctx, out, before[n].Text)
	if len(a.said) == n {
		a.said = before
	}
	return err
}

// fits returns an error, a session.Unreadable, if the model cannot read messages.
func (a *Assistant) fits(said []template.Message) error {
	ids, err := a.encode(said)
	if size := a.size(); err == nil && len(ids) > size {
		err = fmt.Errorf("it has %d tokens in the model's format, and the context holds %d", len(ids), size)
	}
	if err != nil {
		return session.Unreadable{Reason: err}
	}
	return nil
}

// size returns the number of positions.
func (a *Assistant) size() int { return a.Generator.Transformer.Config.SeqLen }

// encode returns the tokens of messages that the model shall answer.
func (a *Assistant) encode(said []template.Message) ([]int, error) {
	return a.Tokenizer.EncodeTemplate(a.Template.Render(said, a.Think), true)
}

// turns returns the index of the first message behind the system's.
func (a *Assistant) turns() int {
	if a.System != nil {
		return 1
	}
	return 0
}

// Reply writes the answer to what the user says, and a newline. What the model cannot read does
// not become a part of the conversation, nor what it has not read to its end at an interrupt.
// An answer that ends by one does.
func (a *Assistant) Reply(ctx context.Context, out io.Writer, line string) error {
	a.stats = session.Stats{}
	if strings.TrimSpace(line) == "" {
		return nil
	}
	message := template.Message{Role: template.User, Text: line}
	if err := a.fits(append(a.said[:a.turns():a.turns()], message)); err != nil {
		return err
	}
	a.said = append(a.said, message)
	prompt, err := a.encode(a.said)
	if err != nil {
		return err // fits has encoded the same texts
	}
	text := llama.NewTextWriter(out)
	text.Exact = true
	answer, err := a.answer(ctx, prompt, text)
	stopped := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if stopped && len(answer) == 0 {
		a.said = a.said[:len(a.said)-1]
		return session.Say(out, "Stopped before the answer: the model has not heard that.")
	}
	a.said = append(a.said, template.Message{Role: template.Assistant, Text: a.text(answer)})
	a.stats.Used, a.stats.Size = min(len(a.ids), a.size()), a.size()
	if stopped {
		err = nil
	}
	return errors.Join(err, text.WritePiece("\n"), text.Flush())
}

// text returns what tokens say that end ids.
func (a *Assistant) text(tokens []int) string {
	var b strings.Builder
	prev := a.ids[len(a.ids)-len(tokens)-1]
	for _, token := range tokens {
		b.WriteString(a.Tokenizer.Decode(prev, token))
		prev = token
	}
	return b.String()
}

// answer writes the answer to a prompt and returns its tokens, also with an error.
func (a *Assistant) answer(ctx context.Context, prompt []int, text *llama.TextWriter) ([]int, error) {
	a.set(prompt)
	n := 0 // tokens of the answer
	var start time.Time
	var passes int // when it was
	answer := func() []int { return a.ids[len(a.ids)-n:] }
	for a.Steps == 0 || n < a.Steps {
		if len(a.ids) > a.size() {
			told, err := a.forget(answer())
			if err == nil {
				err = errors.Join(text.WritePiece(told), text.Flush())
			}
			if err != nil || len(a.ids) > a.size() {
				return answer(), err
			}
		}
		last, err := a.read(ctx)
		if err != nil {
			return answer(), err
		}
		if start.IsZero() {
			start, passes = time.Now(), a.Generator.Passes
		} else {
			a.stats.Tokens, a.stats.Elapsed, a.stats.Passes = a.stats.Tokens+1, time.Since(start), a.Generator.Passes-passes
		}
		next, err := a.Generator.Next(last)
		if err != nil || a.Tokenizer.Ends(next) {
			return answer(), err
		}
		if err := text.WritePiece(a.Tokenizer.Decode(a.ids[len(a.ids)-1], next)); err != nil {
			return answer(), err
		}
		a.ids = append(a.ids, next)
		n++
	}
	return answer(), nil
}

// set makes tokens the ids, of which those stay held that both begin with.
func (a *Assistant) set(tokens []int) {
	n := 0
	for n < min(a.held, len(tokens)) && a.ids[n] == tokens[n] {
		n++
	}
	if a.ids == nil {
		a.ids = make([]int, 0, a.size()+1)
	}
	a.ids, a.held = append(a.ids[:0], tokens...), n
}

// read lets the model read the ids that it does not hold, or the last one again, in batches.
// It returns the index of the last one in its batch. When ctx is done it ends behind a batch
// and returns ctx.Err().
func (a *Assistant) read(ctx context.Context) (last int, err error) {
	a.held = min(a.held, len(a.ids)-1)
	start, total := a.held, len(a.ids)-a.held
	report := func(done int) {
		if total > 1 && a.Progress != nil {
			a.Progress(done, total)
		}
	}
	for {
		if err := ctx.Err(); err != nil || a.held == len(a.ids) {
			report(total)
			return last, err
		}
		report(a.held - start)
		batch := a.ids[a.held:min(a.held+llama.Batch, len(a.ids))]
		first, err := a.Generator.Prefill(ctx, batch, a.held)
		if err != nil {
			continue // ctx is done
		}
		a.held += len(batch)
		last = first + len(batch) - 1
	}
}

// forget drops the oldest turns, until half of the context is free or there is none but the
// user's last, and sets the ids anew: those of what is left, then the answer so far. It
// returns what the user shall be told.
func (a *Assistant) forget(answer []int) (told string, err error) {
	answer = slices.Clone(answer)
	turns := 0
	for first := a.turns(); len(a.said) > first+1 && 2*len(a.ids) > a.size(); turns++ {
		a.said = slices.Delete(a.said, first, first+2)
		prompt, err := a.encode(a.said)
		if err != nil {
			return "", err
		}
		a.set(append(prompt, answer...))
	}
	lineEnd := "\n"
	if len(answer) == 0 {
		lineEnd = ""
	}
	if len(a.ids) > a.size() {
		return fmt.Sprintf("%s[The context holds %d tokens and is full: the answer ends here.]", lineEnd, a.size()), nil
	}
	return fmt.Sprintf("%s[The context holds %d tokens and is full: the oldest turns, %d, are forgotten.]\n", lineEnd, a.size(), turns), nil
}
