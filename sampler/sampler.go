// Package sampler chooses tokens as llama.cpp does, by a chain of samplers in its order: repeat
// penalty, top-k, top-p, min-p, temperature, chance. llama2.c's choice is package llama's Sampler.
package sampler

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"

	"bootllama/simd"
)

// Options are llama.cpp's, by their names there. Each of them has a value at which it does
// nothing.
type Options struct {
	RepeatPenalty float32 // a logit of a recent token is divided by it, or multiplied if negative; 1: nothing
	RepeatLastN   int     // that many tokens are recent, -1: all; 0: nothing
	TopK          int     // the likeliest tokens, so many of them; 0: all
	TopP          float32 // the fewest of the likeliest tokens that have this probability together; 1: all
	MinP          float32 // the tokens that have this share of the likeliest one's probability; 0: all
	Temperature   float32 // logits are divided by it before chance decides; 0: the likeliest token
	Seed          uint64  // the same seed and logits, the same tokens
}

// Sampler is a chain. One goroutine at a time may use it.
type Sampler struct {
	o          Options
	kernels    *simd.Kernels
	context    func() []int32
	random     *rand.PCG
	candidates []candidate // (vocab_size,)
	top        worstFirst  // the first of them
	probs      []float32   // (vocab_size,)
	seen       []uint32    // (vocab_size,): the call of Sample that met a token last
	calls      uint32
}

// candidate is a token that may be chosen.
type candidate struct {
	logit, prob float32
	id          int32
}

// compare puts the likelier token first, and of equal ones the lower.
func compare(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.id, b.id))
}

// New returns a sampler for a vocabulary of that size, which computes with kernels; all of them
// choose the same. context returns the tokens that the logits follow; it is called if there is a
// repeat penalty.
func New(vocabSize int, kernels *simd.Kernels, context func() []int32, o Options) *Sampler {
	if !(o.Temperature >= 0) || !(o.RepeatPenalty > 0) || !(o.TopP >= 0) || !(o.MinP >= 0) || o.TopK < 0 || o.RepeatLastN < -1 {
		panic(fmt.Sprintf("sampler: New: %+v", o))
	}
	return &Sampler{
		o: o, kernels: kernels, context: context, random: rand.NewPCG(o.Seed, 0),
		candidates: make([]candidate, vocabSize), probs: make([]float32, vocabSize), seen: make([]uint32, vocabSize),
	}
}

// Follow makes s draw the random numbers that other will draw.
func (s *Sampler) Follow(other *Sampler) { *s.random = *other.random }

// Sample returns the next token. It changes logits, (vocab_size,), which must be finite, and
// allocates nothing.
func (s *Sampler) Sample(logits []float32) int {
	if len(logits) != len(s.seen) {
		panic(fmt.Sprintf("sampler: Sample: %d logits for a vocabulary of %d", len(logits), len(s.seen)))
	}
	if s.o.RepeatPenalty != 1 && s.o.RepeatLastN != 0 {
		s.penalize(logits)
	}
	if s.o.Temperature == 0 {
		return s.kernels.Argmax(logits)
	}
	return s.choose(s.minP(s.topP(s.topK(logits))))
}

// penalize applies the repeat penalty (Keskar et al. 2019, as llama.cpp has it).
func (s *Sampler) penalize(logits []float32) {
	recent := s.context()
	if n := s.o.RepeatLastN; n > 0 {
		recent = recent[max(0, len(recent)-n):]
	}
	s.calls++
	for _, id := range recent {
		if s.seen[id] == s.calls {
			continue
		}
		if s.seen[id] = s.calls; logits[id] > 0 {
			logits[id] /= s.o.RepeatPenalty
		} else {
			logits[id] *= s.o.RepeatPenalty
		}
	}
}

// topK returns the likeliest tokens, in order, or all of them in the order of their ids.
func (s *Sampler) topK(logits []float32) []candidate {
	k := s.o.TopK
	if k == 0 || k >= len(logits) {
		c := s.candidates
		for i, logit := range logits {
			c[i] = candidate{logit: logit, id: int32(i)}
		}
		return c
	}
	c := s.candidates[:k]
	for i := range c {
		c[i] = candidate{logit: logits[i], id: int32(i)}
	}
	s.top = c
	heap.Init(&s.top)
	for i, logit := range logits[k:] {
		if logit > c[0].logit { // an equal one has a higher id
			c[0] = candidate{logit: logit, id: int32(k + i)}
			heap.Fix(&s.top, 0)
		}
	}
	slices.SortFunc(c, compare)
	return c
}

// worstFirst is the heap of topK.
type worstFirst []candidate

func (w worstFirst) Len() int           { return len(w) }
func (w worstFirst) Less(i, j int) bool { return compare(w[i], w[j]) > 0 }
func (w worstFirst) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w worstFirst) Push(any)           { panic("sampler: Push") } // topK needs Init and Fix only
func (w worstFirst) Pop() any           { panic("sampler: Pop") }

// topP returns the nucleus of the candidates (Holtzman et al. 2020), in order. Unlike run.c's it
// ends with the token that reaches the probability, not with the one that exceeds it.
func (s *Sampler) topP(c []candidate) []candidate {
	if s.o.TopP >= 1 {
		return c
	}
	s.softmax(c, 1)
	// As in run.c, those below the cutoff cannot be in it and need not be sorted.
	cutoff := (1 - s.o.TopP) / float32(max(1, len(c)-1))
	likeliest, n := c[0], 0
	for _, v := range c {
		if compare(v, likeliest) < 0 {
			likeliest = v
		}
		if v.prob >= cutoff {
			c[n] = v
			n++
		}
	}
	if n == 0 { // about equally likely all, and rounding
		c[0], n = likeliest, 1
	}
	c = c[:n]
	slices.SortFunc(c, compare)
	var sum float32
	for i, v := range c {
		if sum += v.prob; sum >= s.o.TopP {
			return c[:i+1]
		}
	}
	return c
}

// minP returns the candidates that are likely enough beside the likeliest one.
func (s *Sampler) minP(c []candidate) []candidate {
	if s.o.MinP == 0 {
		return c
	}
	most := likeliest(c)
	return slices.DeleteFunc(c, func(v candidate) bool { return v.logit < most && simd.Exp(v.logit-most) < s.o.MinP })
}

// likeliest returns the logit of the likeliest candidate.
func likeliest(c []candidate) float32 {
	most := c[0].logit
	for _, v := range c {
		most = max(most, v.logit)
	}
	return most
}

// softmax sets the candidates' probabilities at a temperature. The likeliest one's logit is
// taken off before, so that no quotient overflows.
func (s *Sampler) softmax(c []candidate, temperature float32) {
	probs, most := s.probs[:len(c)], likeliest(c)
	for i, v := range c {
		probs[i] = v.logit - most
	}
	s.kernels.Softmax(probs, temperature)
	for i := range c {
		c[i].prob = probs[i]
	}
}

// choose lets chance decide.
func (s *Sampler) choose(c []candidate) int {
	s.softmax(c, s.o.Temperature)
	coin := float32(s.random.Uint64()>>40) / (1 << 24) // in [0, 1)
	var cdf float32
	for _, v := range c {
		if cdf += v.prob; coin < cdf {
			return int(v.id)
		}
	}
	return int(c[len(c)-1].id) // rounding errors
}
