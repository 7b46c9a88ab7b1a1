package run

import (
	"math"

	"bootllama"
	"bootllama/sampler"
	"bootllama/simd"
	ggml "bootllama/tokenizer"
)

// runCSampler returns the sampler of a llama2.c model, run.c's with its defaults.
func (o Options) runCSampler(t *llama.Transformer, seed uint64) *llama.Sampler {
	s := o.samplerOptions(llama.Header{})
	return t.NewSampler(s.Temperature, s.TopP, seed)
}

// positive returns a probability as a float32 that is 0 only if p is: 0 is no restriction in
// run.c, where the least number is the likeliest token alone.
func positive(p float64) float32 {
	if float32(p) == 0 && p > 0 {
		return math.SmallestNonzeroFloat32
	}
	return float32(p)
}

// newSampler returns the sampler of a GGUF model, llama.cpp's with the defaults of its makers.
func (o Options) newSampler(t *llama.Transformer, h llama.Header, kernels *simd.Kernels, seed uint64) *sampler.Sampler {
	s := o.samplerOptions(h)
	s.Seed = seed // which is not o's where that is 0
	return sampler.New(t.Config.VocabSize, kernels, t.Context, s)
}

// samplerOptions returns the options, and the model's defaults for those that are not given.
func (o Options) samplerOptions(h llama.Header) sampler.Options {
	s := sampler.Options{Temperature: 1, TopP: 0.9} // run.c's
	if IsGGUF(h) {
		s = sampler.Defaults(h.Texts, o.Think)
	}
	if s.Seed = o.Seed; o.Temperature >= 0 {
		s.Temperature = float32(o.Temperature)
	}
	switch {
	case o.TopP == 0:
		s.TopP = 1 // as in run.c
	case o.TopP > 0:
		s.TopP = positive(o.TopP)
	}
	if o.TopK != nil {
		s.TopK = *o.TopK
	}
	if o.MinP != nil {
		s.MinP = float32(*o.MinP)
	}
	if o.RepeatPenalty != nil {
		s.RepeatPenalty = float32(*o.RepeatPenalty)
	}
	if o.RepeatLastN != nil {
		s.RepeatLastN = *o.RepeatLastN
	}
	return s
}

// checkGGUF returns an error if the options have some that are for GGUF models only, and the
// model is none.
func (o Options) checkGGUF(h llama.Header) error {
	if IsGGUF(h) {
		return nil
	}
	for _, f := range []struct {
		name  string
		given bool
	}{{"--top-k", o.TopK != nil}, {"--min-p", o.MinP != nil}, {"--repeat-penalty", o.RepeatPenalty != nil},
		{"--repeat-last-n", o.RepeatLastN != nil}, {"--special", o.Special}, {"--kv", o.KV != ""}} {
		if f.given {
			return Usagef("%s is for GGUF models, which %s is not", f.name, h.Name)
		}
	}
	return nil
}

// Piece returns the text of a token, also of a special one.
func Piece(v llama.Vocab, token int) string {
	if t, ok := v.(*ggml.Tokenizer); ok {
		return t.Text(token)
	}
	return v.Decode(token, token) // not at the beginning of a text
}

// special returns v with special tokens, see tokenizer.Tokenizer.Special.
func special(v llama.Vocab) llama.Vocab {
	if t, ok := v.(*ggml.Tokenizer); ok {
		return t.Special()
	}
	return v
}
