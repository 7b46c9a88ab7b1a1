package guess

import (
	"context"
	"fmt"
	"time"

	"bootllama"
)

// Draft guesses what a smaller model of the same vocabulary goes on with (speculative decoding: Leviathan
// et al. 2023, Chen et al. 2023). One goroutine at a time may use it.
type Draft struct {
	// Model is the smaller one, which nothing else uses. Its Tokenizer is not used.
	Model llama.Generator
	// Follow, if not nil, is called before Model guesses. It makes Model.Sampler draw the random numbers
	// that the large model's sampler will draw next: with nearly the same probabilities these choose
	// the same token more often than not.
	Follow func()

	most  int // guesses
	pace  pace
	text  []int // the tokens whose keys and values the model has
	found []int
}

// Same returns an error that has the first difference of the tokens of a model and of its draft.
func Same(model, draft llama.Vocab) error {
	if a, b := model.VocabSize(), draft.VocabSize(); a != b {
		return fmt.Errorf("it has %d tokens in place of %d", b, a)
	}
	for i := range model.VocabSize() {
		if a, b := model.Decode(i, i), draft.Decode(i, i); a != b || model.Ends(i) != draft.Ends(i) {
			return fmt.Errorf("its token %d is %q in place of %q", i, b, a)
		}
	}
	return nil
}

// NewDraft returns a Draft that guesses up to most tokens at a time.
func NewDraft(model llama.Generator, most int) *Draft {
	return &Draft{Model: model, most: most, text: make([]int, 0, model.Transformer.Config.SeqLen), found: make([]int, 0, most)}
}

// Guess returns up to n tokens that may follow text, or nothing where that is faster. They are valid until
// the next call. It allocates nothing.
func (d *Draft) Guess(text []int32, n int) []int { return d.guess(text, n, time.Now()) }

// guess is Guess at a time.
func (d *Draft) guess(text []int32, n int, now time.Time) []int {
	if n = min(n, d.most, cap(d.text)-len(text)); n <= 0 {
		return nil
	}
	d.pace.passed(text, d.found, now)
	d.found = d.found[:0]
	if n = d.pace.choose(0, n); n == 0 {
		return nil
	}
	last, ok := d.read(text)
	if !ok {
		d.pace.skip()
		return nil
	}
	if d.Follow != nil {
		d.Follow()
	}
	for len(d.found) < n {
		token, err := d.Model.Next(last)
		if err != nil { // its logits are no finite numbers
			break
		}
		if d.found = append(d.found, token); len(d.found) < n {
			last = d.run(int32(token))
		}
	}
	return d.found
}

// read runs the tokens of text that the model has not read, or llama.Batch of them: then it is not
// ok, and the next call goes on, so that no call takes long. last is the last one's place in the batch.
func (d *Draft) read(text []int32) (last int, ok bool) {
	held := 0
	for held < min(len(d.text), len(text)-1) && d.text[held] == int(text[held]) {
		held++
	}
	d.text = d.text[:held]
	return d.run(text[held:min(held+llama.Batch, len(text))]...), len(d.text) == len(text)
}

// run runs tokens behind those that the model has read.
func (d *Draft) run(tokens ...int32) (last int) {
	pos := len(d.text)
	for _, token := range tokens {
		d.text = append(d.text, int(token))
	}
	first, _ := d.Model.Prefill(context.Background(), d.text[pos:], pos) // which has no end
	return first + len(tokens) - 1
}
