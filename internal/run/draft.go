package run

import (
	"fmt"
	"io"

	"bootllama"
	"bootllama/guess"
	"bootllama/sampler"
)

// draft returns the options of the model that guesses, whose tokenizer is that of the model, unless it has its own.
func (o Options) draft() Options {
	d := o
	d.Model, d.Draft, d.Tokenizer, d.Mode, d.Think = o.Draft, "", "", "", false
	if h, err := Header(d.Model); err == nil && d.Context > h.Config.SeqLen {
		d.Context = 0
	}
	if !IsGGUFFile(d.Model) {
		d.KV, d.Special, d.TopK, d.RepeatLastN, d.MinP, d.RepeatPenalty = "", false, nil, nil, nil, nil
		if OwnTokenizer(d.Model) == "" {
			d.Tokenizer = o.TokenizerFile()
		}
	}
	return d
}

// checkDraft returns the memory that the draft takes, 0 without one. The error says why it cannot guess for the model.
func (o Options) checkDraft(model llama.Header) (memory int64, err error) {
	if o.Draft == "" {
		return 0, nil
	}
	tok, err := loadTokenizer(o, model)
	if err != nil {
		return 0, err
	}
	d := o.draft()
	h, err := d.Header()
	if err != nil {
		return 0, fmt.Errorf("draft %w", err)
	}
	own, err := loadTokenizer(d, h)
	if err != nil {
		return 0, fmt.Errorf("draft %w", err)
	}
	if err := guess.Same(tok, own); err != nil {
		return 0, fmt.Errorf("draft model: %s cannot guess for %s: %w", h.Name, model.Name, err)
	}
	return h.Memory().Total() - llama.Overhead, nil
}

// loadDraft loads the model that guesses, which checkDraft has checked.
func (m *loaded) loadDraft(stderr io.Writer) (err error) {
	if m.draft, err = load(m.o.draft(), false, stderr); err != nil {
		return fmt.Errorf("draft %w", err)
	}
	m.guesses = guess.NewDraft(*m.draft.generator, m.o.guesses())
	m.generator.Guess = m.guesses.Guess
	return nil
}

// setDraftSampler makes the draft choose as the model will, with the same random numbers.
func (m *loaded) setDraftSampler(seed uint64) {
	switch s := m.generator.Sampler.(type) {
	case *llama.Sampler:
		own := m.o.runCSampler(m.draft.generator.Transformer, seed)
		m.guesses.Model.Sampler, m.guesses.Follow = own, func() { own.Follow(s) }
	case *sampler.Sampler:
		own := m.o.newSampler(m.draft.generator.Transformer, m.checkpoint.Header, m.kernels, seed)
		m.guesses.Model.Sampler, m.guesses.Follow = own, func() { own.Follow(s) }
	}
}
