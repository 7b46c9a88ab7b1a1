package llama

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"bootllama/simd"
)

// Generator generates text. Its parts have the same vocabulary size.
type Generator struct {
	Transformer *Transformer
	Tokenizer   Vocab
	Sampler     interface {
		Sample(logits []float32) int // as Sampler's
	}
	// Guess, if not nil, returns what may follow a text, up to n tokens, or nothing. It changes
	// how fast text is generated, and nothing else: see Prefill.
	Guess func(text []int32, n int) []int
	// Passes counts the passes over the weights.
	Passes int
}

// Vocab is what generating needs of a tokenizer: *Tokenizer, or one of another format.
type Vocab interface {
	// Encode returns the tokens of text. bos puts BOS in front, if the model's texts begin
	// with it; eos adds EOS.
	Encode(text string, bos, eos bool) ([]int, error)
	// Decode returns the bytes of token when it follows the token prev, -1 at the beginning of
	// a text. It allocates nothing.
	Decode(prev, token int) string
	// Ends reports whether the model generates token when its text is complete.
	Ends(token int) bool
	VocabSize() int
}

// Stats counts what a generation did.
type Stats struct {
	Positions int           // positions that went through the model
	Prompt    int           // of them, those of the prompt, BOS included
	Passes    int           // over the weights, for the others
	Elapsed   time.Duration // from the end of the prompt to the end of the last position
}

// TokensPerSecond returns the speed of generating: without a prompt it is what run.c
// reports, which counts from the end of the first position on.
func (s Stats) TokensPerSecond() float64 {
	return float64(s.Positions-s.Prompt) / max(s.Elapsed, 1).Seconds()
}

// Steps returns the number of positions for an option steps: 0, or more than the model
// has, means all of them.
func (g *Generator) Steps(steps int) int {
	if seqLen := g.Transformer.Config.SeqLen; steps <= 0 || steps > seqLen {
		return seqLen
	}
	return steps
}

// Prefill is Transformer.PrefillContext for tokens that begin the text, if pos is 0, or go on with it,
// and returns where in the batch they begin: see Next. In the same pass over the weights go
// tokens that are guessed to follow, which costs little. Where a guess was right, the next call
// has nothing to do; where it was wrong, the next call takes its position, with keys and values,
// and those behind it. So each token is sampled once, in order, from the logits that it would have
// had without guesses (speculative decoding: Stern et al. 2018, Leviathan et al. 2023).
func (g *Generator) Prefill(ctx context.Context, tokens []int, pos int) (first int, err error) {
	t := g.Transformer
	t.check(tokens, pos)
	b := t.batch.tokens
	if first = pos - t.batch.pos; first > 0 && first+len(tokens) <= len(b) && slices.Equal(tokens, b[first:][:len(tokens)]) {
		return first, nil
	}
	b = append(b[:0], tokens...)
	room := min(Guesses, Batch-len(b), t.Config.SeqLen-pos-len(b))
	if g.Guess != nil && room > 0 {
		for i, token := range tokens {
			t.tokens[pos+i] = int32(token)
		}
		for _, token := range g.Guess(t.tokens[:pos+len(b)], room) {
			if token < 0 || token >= t.Config.VocabSize || len(b) == len(tokens)+room {
				break
			}
			b = append(b, token)
		}
	}
	g.Passes++
	return 0, t.PrefillContext(ctx, b, pos)
}

// Next samples the token that follows token i of the last batch. It is an error if the
// model's numbers are no longer finite there, with weights that are too large.
func (g *Generator) Next(i int) (int, error) {
	t := g.Transformer
	logits := t.Logits(i)
	var squares float32 // rmsnorm makes zeroes of what overflows here
	for _, v := range t.x(i) {
		squares += float32(v * v)
	}
	if !simd.Finite(logits) || !simd.Finite([]float32{squares}) {
		return 0, fmt.Errorf("%s: the logits of position %d are no finite numbers: the weights are too large, or damaged", t.name, t.batch.pos+i)
	}
	return g.Sampler.Sample(logits), nil
}

// runC reports whether the model is llama2.c's, whose text ends at BOS in a prompt, too.
func (g *Generator) runC() bool {
	_, ok := g.Tokenizer.(*Tokenizer)
	return ok
}

// Generate writes a text that starts with prompt, token by token: emit gets
// each token after BOS, the prompt's own first, with its text, a piece as
// Decode returns it. It ends after steps positions (see Steps), a prompt that is
// longer included, or when the model generates a token that ends texts, which is not
// emitted. When ctx is done it ends before the next token and returns ctx.Err().
func (g *Generator) Generate(ctx context.Context, prompt string, steps int, emit func(token int, piece string) error) (Stats, error) {
	var stats Stats
	known, err := g.Tokenizer.Encode(prompt, true, false)
	if err != nil {
		return stats, fmt.Errorf("prompt: %w", err)
	}
	steps = g.Steps(steps)
	if bos, _ := g.Tokenizer.Encode("", true, false); len(bos) == 0 { // then the first token is text
		if len(known) == 0 {
			return stats, errors.New("prompt: the model begins no text by itself: give it a word")
		}
		if err := emit(known[0], g.Tokenizer.Decode(-1, known[0])); err != nil {
			return stats, err
		}
		steps--
	}
	stats.Prompt = min(len(known), steps)
	var start time.Time
	var passes int // when it was
	for stats.Positions < steps && ctx.Err() == nil {
		// All known tokens go through the model in batches: first those of the prompt, then
		// each token that was sampled.
		n := min(len(known), Batch, steps-stats.Positions)
		first, err := g.Prefill(ctx, known[:n], stats.Positions)
		if err != nil {
			return stats, err
		}
		for i, token := range known[:n] {
			sampled := i+1 == len(known)
			if sampled {
				token, err := g.Next(first + i)
				if err != nil {
					return stats, err
				}
				known = append(known, token)
			}
			next := known[i+1]
			if stats.Positions++; stats.Positions == stats.Prompt {
				start, passes = time.Now(), g.Passes
			}
			if stats.Positions > stats.Prompt {
				stats.Elapsed, stats.Passes = time.Since(start), g.Passes-passes
			}
			if g.Tokenizer.Ends(next) && (sampled || g.runC()) {
				return stats, nil
			}
			if err := emit(next, g.Tokenizer.Decode(token, next)); err != nil {
				return stats, err
			}
			if err := ctx.Err(); err != nil {
				return stats, err
			}
		}
		known = known[:copy(known, known[n:])]
	}
	return stats, ctx.Err()
}

// GenerateText generates like Generate and writes each piece to w at once, and a newline
// at the end, also after an error.
func (g *Generator) GenerateText(ctx context.Context, w io.Writer, prompt string, steps int) (Stats, error) {
	text := NewTextWriter(w)
	text.Exact = !g.runC()
	stats, err := g.Generate(ctx, prompt, steps, func(_ int, piece string) error {
		return text.WritePiece(piece)
	})
	if e := text.end(); err == nil {
		err = e
	}
	return stats, err
}

// TextWriter writes pieces of text for a person to see. Unless it is Exact, it drops what run.c's
// safe_printf drops, pieces of a single byte that would be a control code, except that
// bytes of 0x80 and above stay: they are the parts of a UTF-8 character that
// came as byte tokens. Such a character is written whole, in one Write, since
// consoles cannot put it together from parts.
type TextWriter struct {
	Exact bool
	w     io.Writer
	buf   []byte // the beginning of a character that is not complete yet
}

// NewTextWriter returns a TextWriter on w.
func NewTextWriter(w io.Writer) *TextWriter {
	return &TextWriter{w: w, buf: make([]byte, 0, 256)}
}

// WritePiece writes a piece, up to its last complete character.
func (t *TextWriter) WritePiece(piece string) error {
	if len(piece) == 1 && isControl(piece[0]) && !t.Exact {
		return nil
	}
	t.buf = append(t.buf, piece...)
	return t.write(complete(t.buf))
}

// Flush writes the rest at the end of a text, even if it is no complete character.
func (t *TextWriter) Flush() error { return t.write(len(t.buf)) }

// write writes the first n bytes of buf.
func (t *TextWriter) write(n int) error {
	if n == 0 {
		return nil
	}
	_, err := t.w.Write(t.buf[:n])
	t.buf = t.buf[:copy(t.buf, t.buf[n:])]
	return err
}

// end writes the rest and a newline, in one Write.
func (t *TextWriter) end() error {
	t.buf = append(t.buf, '\n')
	return t.Flush()
}

// isControl reports whether b is neither printable nor white space in ASCII
// (C's isprint and isspace), nor part of a longer character.
func isControl(b byte) bool {
	return (b < ' ' && (b < '\t' || b > '\r')) || b == 0x7f
}

// complete returns the length of b without an unfinished UTF-8 character at its end.
func complete(b []byte) int {
	for i := max(0, len(b)-utf8.UTFMax); i < len(b); i++ {
		if utf8.RuneStart(b[i]) && !utf8.FullRune(b[i:]) {
			return i
		}
	}
	return len(b)
}
