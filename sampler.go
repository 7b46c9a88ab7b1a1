package llama

import (
	"cmp"
	"fmt"
	"slices"

	"bootllama/simd"
)

// Sampler chooses the next token from logits. It is deterministic: the same
// seed and logits choose the same tokens, those that run.c chooses.
type Sampler struct {
	temperature float32
	topP        float32
	rngState    uint64
	probIndex   []probIndex // (vocab_size,): candidates of top-p sampling
	kernels     *simd.Kernels
}

// probIndex is a token and its probability.
type probIndex struct {
	prob  float32
	index int
}

// NewSampler returns a sampler for t's logits, which uses t's kernels.
// Temperature 0 always takes the likeliest token; 1 samples from the model's own
// distribution, higher values, up to infinity, from a flatter one. topP in (0, 1) restricts the
// choice to the smallest set of tokens whose probabilities exceed topP together
// (Holtzman et al. 2020); other values do not restrict it. A seed of 0 makes the
// generator return nothing but 0: callers replace it, as run.c does.
func (t *Transformer) NewSampler(temperature, topP float32, seed uint64) *Sampler {
	if !(temperature >= 0) || topP != topP {
		panic(fmt.Sprintf("llama: NewSampler: temperature %v, top-p %v", temperature, topP))
	}
	return &Sampler{temperature, topP, seed, make([]probIndex, t.Config.VocabSize), t.kernels}
}

// Follow makes s draw the random numbers that other will draw.
func (s *Sampler) Follow(other *Sampler) { s.rngState = other.rngState }

// Sample returns the next token. It overwrites logits, (vocab_size,), which must be finite
// (Generator.Next checks them), with probabilities unless the temperature is 0, and allocates
// nothing.
func (s *Sampler) Sample(logits []float32) int {
	if len(logits) != len(s.probIndex) {
		panic(fmt.Sprintf("llama: Sample: %d logits for a vocabulary of %d", len(logits), len(s.probIndex)))
	}
	if s.temperature == 0 {
		return s.kernels.Argmax(logits)
	}
	// Where the largest quotient overflows, run.c has Inf - Inf. As softmax does not change with
	// what all logits have in common, that is subtracted: the choice is then greedy.
	if top := logits[s.kernels.Argmax(logits)]; s.temperature < 1 && !simd.Finite([]float32{top / s.temperature}) {
		for i := range logits {
			logits[i] -= top
		}
	}
	s.kernels.Softmax(logits, s.temperature)
	coin := randomF32(&s.rngState)
	if s.topP <= 0 || s.topP >= 1 {
		return sampleMult(logits, coin)
	}
	return s.sampleTopP(logits, coin)
}

// sampleMult samples from probabilities, which sum to 1, with a coin in [0, 1).
func sampleMult(probabilities []float32, coin float32) int {
	var cdf float32
	for i, p := range probabilities {
		cdf += p
		if coin < cdf {
			return i
		}
	}
	return len(probabilities) - 1 // rounding errors
}

// sampleTopP samples from the likeliest tokens that exceed topP together.
//
// run.c sorts them with qsort, which leaves the order of equal probabilities
// open. glibc's qsort, which the goldens were made with, is a stable merge sort: equal
// probabilities stay in the order of their tokens. Here the order compares tokens, too, so
// that any sort gives the same result.
func (s *Sampler) sampleTopP(probabilities []float32, coin float32) int {
	// Tokens below the cutoff cannot be in the set and need not be sorted.
	cutoff := (1 - s.topP) / float32(len(probabilities)-1)
	candidates := s.probIndex[:0]
	for i, p := range probabilities {
		if p >= cutoff {
			candidates = append(candidates, probIndex{p, i})
		}
	}
	if len(candidates) == 0 {
		// topP below 1/vocab_size and all tokens about equally likely (run.c
		// reads before its array), or logits that are no numbers.
		return s.kernels.Argmax(probabilities)
	}
	slices.SortFunc(candidates, func(a, b probIndex) int {
		if c := cmp.Compare(b.prob, a.prob); c != 0 {
			return c
		}
		return cmp.Compare(a.index, b.index)
	})

	var cumulative float32
	last := len(candidates) - 1 // rounding errors: all of them
	for i, c := range candidates {
		cumulative += c.prob
		if cumulative > s.topP {
			last = i
			break
		}
	}

	r := coin * cumulative
	var cdf float32
	for _, c := range candidates[:last+1] {
		cdf += c.prob
		if r < cdf {
			return c.index
		}
	}
	return candidates[last].index // rounding errors
}

// randomU32 is the generator xorshift64* (Marsaglia 2003, Vigna 2016): the high
// half of its output.
func randomU32(state *uint64) uint32 {
	*state ^= *state >> 12
	*state ^= *state << 25
	*state ^= *state >> 27
	return uint32((*state * 0x2545f4914f6cdd1d) >> 32)
}

// randomF32 returns a random number in [0, 1) with 24 bits.
func randomF32(state *uint64) float32 {
	return float32(randomU32(state)>>8) / (1 << 24)
}
