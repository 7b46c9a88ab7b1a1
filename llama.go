// Package llama is the Llama 2 model of Karpathy's llama2.c in Go: checkpoints,
// the transformer, the tokenizer, the sampler and the loop that generates text.
// It follows run.c function for function and generates the same tokens; the
// golden tests compare the two.
//
// Every result is the same bit for bit on every machine, with every kernel, number of
// threads and size of batch: sums are taken in index order and a product is rounded
// before it is added (see package simd). Everything is sized when a model is
// loaded: generating allocates nothing.
package llama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"bootllama/arena"
	"bootllama/simd"
	"bootllama/workers"
)

// Config is the shape of a model.
type Config struct {
	Dim       int // width of the residual stream
	HiddenDim int // width of the feed-forward layers
	NLayers   int // number of layers
	NHeads    int // number of query heads
	NKVHeads  int // number of key and value heads, each shared by NHeads/NKVHeads query heads
	VocabSize int // number of tokens
	SeqLen    int // number of positions: the longest sequence

	// What llama2.c fixes, see Llama2, and other models of the family choose.
	HeadSize     int     // width of one attention head, even
	NormEpsilon  float32 // what rmsnorm adds to the mean of the squares
	RoPEBase     float32 // pair i of a head turns by pos / RoPEBase**(2i/head_size)
	RoPEHalves   bool    // a pair is values i and i+head_size/2 of a head, not 2i and 2i+1
	RoPEDivisors bool    // the angles are divided by Weights.RoPEDivisors
	QKVBias      bool    // queries, keys and values have a bias
	QKNorm       bool    // queries and keys are normalized, head by head
	KVFloat16    bool    // keys and values are kept as float16
}

// Llama2 returns c with the values that llama2.c fixes.
func (c Config) Llama2() Config {
	c.HeadSize, c.NormEpsilon, c.RoPEBase = c.Dim/c.NHeads, 1e-5, 10000
	c.RoPEHalves, c.RoPEDivisors, c.QKVBias, c.QKNorm, c.KVFloat16 = false, false, false, false, false
	return c
}

// QDim returns the width of the queries of one position.
func (c Config) QDim() int { return c.HeadSize * c.NHeads }

// KVDim returns the width of the keys, and of the values, of one position.
func (c Config) KVDim() int { return c.HeadSize * c.NKVHeads }

// String returns the fields of llama2.c's header, in order and by their names.
func (c Config) String() string {
	return fmt.Sprintf("dim %d, hidden_dim %d, n_layers %d, n_heads %d, n_kv_heads %d, vocab_size %d, seq_len %d",
		c.Dim, c.HiddenDim, c.NLayers, c.NHeads, c.NKVHeads, c.VocabSize, c.SeqLen)
}

// Weights are the parameters of a model, in the order of the legacy checkpoint.
type Weights struct {
	TokenEmbeddingTable Matrix    // (vocab_size, dim)
	RMSAttWeight        []float32 // (layer, dim): rmsnorm before attention
	WQ                  []Matrix  // (layer) (n_heads*head_size, dim)
	WK                  []Matrix  // (layer) (n_kv_heads*head_size, dim)
	WV                  []Matrix  // (layer) (n_kv_heads*head_size, dim)
	WO                  []Matrix  // (layer) (dim, n_heads*head_size)
	RMSFFNWeight        []float32 // (layer, dim): rmsnorm before the feed-forward network
	W1                  []Matrix  // (layer) (hidden_dim, dim): gate
	W2                  []Matrix  // (layer) (dim, hidden_dim): down
	W3                  []Matrix  // (layer) (hidden_dim, dim): up
	RMSFinalWeight      []float32 // (dim,)
	WCls                Matrix    // (vocab_size, dim): classifier; the embedding table itself when shared

	// Only where Config says so.
	BQ, BK, BV   []float32 // (layer, n_heads*head_size), (layer, n_kv_heads*head_size) twice
	RMSQWeight   []float32 // (layer, head_size): rmsnorm of each head of the query
	RMSKWeight   []float32 // (layer, head_size): rmsnorm of each head of the key
	RoPEDivisors []float32 // (head_size/2,)
}

// Batch is the most tokens that go through the layers at once: enough for the weights of a
// long prompt to be read once for many tokens, and a multiple of what the kernels take.
const Batch = 96

// Guesses is the most tokens that a pass of Generator.Prefill may guess: it has logits for so many
// more.
const Guesses = 15

// runState is the activations of a batch of tokens and the memory of the positions so far.
// Rows of activations are a token each; a single token uses the first.
type runState struct {
	x       []float32         // (batch, dim): activation at the current positions
	xb      *simd.Activations // (batch, dim): the same inside a residual branch
	xb2     []float32         // (batch, dim): output of a residual branch
	hb      *simd.Activations // (batch, hidden_dim): hidden layer of the feed-forward network
	hb2     []float32         // (batch, hidden_dim): the same, for w3
	q, k, v []float32         // (batch, n_heads*head_size), (batch, kv_dim) twice: query, key, value
	att     []float32         // (threads, attentionTokens, attStride): attention scores of one head
	heads   *simd.Activations // (batch, n_heads*head_size): output of the heads; xb itself if that fits
	final   *simd.Activations // (1+guesses, dim): input of the classifier
	logits  []float32         // (1+guesses, vocab_size)
	scratch []byte            // (threads, inputs.scratch): for matmul

	ropeCos, ropeSin []float32 // (seq_len, head_size/2): rotation of each position and pair

	keyCache   simd.Cache // (layer, n_kv_heads) matrices (seq_len, head_size) in tiles
	valueCache simd.Cache // (layer, n_kv_heads) matrices (head_size, seq_len) in tiles
}

// batch is the input of Prefill and the layer that it is in. Prefill writes it between two
// steps; the steps, which run on all workers, only read it.
type batch struct {
	tokens []int // 1 to Batch
	pos    int   // of the first token
	logits int   // of this token Logits has returned them last
	first  int   // Logits has computed those of the tokens from this one
	end    int   // up to this one
	layer  int
}

// Transformer is a model ready to run: configuration, weights, state. One goroutine at a time
// may use it; Transformers of the same Checkpoint have nothing but the weights in common,
// which they only read, and may be made, run and closed at the same time.
type Transformer struct {
	Config  Config
	Weights Weights

	name    string      // of the model's file, for messages
	arena   arena.Arena // of state
	state   runState
	batch   batch
	tokens  []int32       // (seq_len,): the token at each position
	product sharedProduct // see matmul.go
	kernels *simd.Kernels
	rotate  func(vec, cos, sin []float32) // the kernel for the model's pairs
	team    *workers.Team[Transformer]
}

// Options says how a Transformer computes. It does not change what comes out.
type Options struct {
	Threads int           // goroutines that share the work; 0: GOMAXPROCS
	Kernels *simd.Kernels // nil: the fastest that this processor has
}

// NewTransformer is c.NewTransformer for programs that end without memory: it panics.
func NewTransformer(c *Checkpoint, o Options) *Transformer {
	t, err := c.NewTransformer(o)
	if err != nil {
		panic(fmt.Sprintf("llama: NewTransformer: %v", err))
	}
	return t
}

// NewTransformer allocates the state for a checkpoint, all of it: see Header.Memory. An error
// says that there is no memory for it.
func (c *Checkpoint) NewTransformer(o Options) (*Transformer, error) {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	t := &Transformer{Config: c.Config, Weights: c.Weights, name: c.Name, kernels: cmp.Or(o.Kernels, simd.Best())}
	t.state = c.newRunState(&t.arena, o.Threads)
	if err := t.arena.Err; err != nil {
		return nil, errors.Join(fmt.Errorf("%s: keys, values and state: %w", c.Name, err), t.arena.Free())
	}
	t.batch.tokens, t.tokens = make([]int, 0, Batch), make([]int32, c.Config.SeqLen)
	c.Config.RoPE(t.state.ropeCos, t.state.ropeSin, c.Weights.RoPEDivisors)
	if t.rotate = t.kernels.Rotate; c.Config.RoPEHalves {
		t.rotate = t.kernels.RotateHalves
	}
	t.team = workers.New[Transformer](o.Threads)
	return t, nil
}

// newRunState allocates the state of a model.
func (h Header) newRunState(m *arena.Arena, threads int) runState {
	p, in := h.Config, h.inputs()
	keys, values := p.cacheSize()
	xb := newActivation(m, Batch, p.Dim, in, 1)
	heads := xb // as in run.c
	if p.QDim() != p.Dim || in.headsTerms != 1 {
		heads = newActivation(m, Batch, p.QDim(), in, in.headsTerms)
	}
	return runState{
		x:          arena.Make[float32](m, Batch*p.Dim),
		xb:         xb,
		xb2:        arena.Make[float32](m, Batch*p.Dim),
		hb:         newActivation(m, Batch, p.HiddenDim, in, 1),
		hb2:        arena.Make[float32](m, Batch*p.HiddenDim),
		q:          arena.Make[float32](m, Batch*p.qStride()),
		k:          arena.Make[float32](m, Batch*p.KVDim()),
		v:          arena.Make[float32](m, Batch*p.KVDim()),
		att:        arena.Make[float32](m, threads*attentionTokens*p.attStride()),
		heads:      heads,
		final:      newActivation(m, 1+Guesses, p.Dim, in, 1),
		logits:     arena.Make[float32](m, (1+Guesses)*p.VocabSize),
		scratch:    arena.Make[byte](m, threads*in.scratch),
		ropeCos:    arena.Make[float32](m, p.SeqLen*p.HeadSize/2),
		ropeSin:    arena.Make[float32](m, p.SeqLen*p.HeadSize/2),
		keyCache:   newCache(m, p, keys),
		valueCache: newCache(m, p, values),
	}
}

// newCache allocates the keys or the values of all layers and heads, of so many numbers each.
func newCache(m *arena.Arena, p Config, size int) (c simd.Cache) {
	if size *= p.NLayers * p.NKVHeads; p.KVFloat16 {
		c.F16 = arena.Make[uint16](m, size)
	} else {
		c.F32 = arena.Make[float32](m, size)
	}
	return c
}

// Close ends the goroutines that share the work and frees the state. Neither t nor the logits
// that it returned may be used afterwards.
func (t *Transformer) Close() error {
	t.team.Close()
	return t.arena.Free()
}

// KVBytes returns the size of one number of the keys and values.
func (c Config) KVBytes() int64 {
	if c.KVFloat16 {
		return 2
	}
	return 4
}

// cacheSize returns the number of values that the keys, and the values, of one layer and
// head take, in tiles.
func (c Config) cacheSize() (keys, values int) {
	return simd.SizeF32(c.SeqLen, c.HeadSize), simd.SizeF32(c.HeadSize, c.SeqLen)
}

// cacheBytes returns the size of the keys and values of all positions.
func (c Config) cacheBytes() int64 {
	keys, values := c.cacheSize()
	return c.KVBytes() * int64(c.NLayers) * int64(c.NKVHeads) * int64(keys+values)
}

// RoPE fills the tables of rotary position embedding (Su et al. 2021), cos and sin,
// (seq_len, head_size/2) each: position pos turns pair i of every head by
// pos / RoPEBase**(2i/head_size) / divisors[i]. run.c computes it in float32 anew for
// every token; the steps and their rounding are the same.
func (c Config) RoPE(cos, sin, divisors []float32) {
	half := c.HeadSize / 2
	freq := make([]float32, half)
	for i := range freq {
		freq[i] = 1 / simd.Pow(c.RoPEBase, float32(2*i)/float32(c.HeadSize))
		if divisors != nil {
			freq[i] /= divisors[i]
		}
	}
	for pos := range c.SeqLen {
		for i, f := range freq {
			sin[pos*half+i], cos[pos*half+i] = simd.SinCos(float32(pos) * f)
		}
	}
}

// Forward runs the transformer on one token at position pos and returns the
// logits of the token that follows, (vocab_size,). They are the model's own and
// valid until the next call; the caller may change them. The positions before
// pos are those of earlier calls, so a sequence starts at 0 and goes up by one.
func (t *Transformer) Forward(token, pos int) []float32 {
	t.Prefill([]int{token}, pos)
	return t.Logits(0)
}

// Prefill runs tokens, 1 to Batch of them, through the layers, at positions from pos on, all
// at once. It does the same as Forward for each of them but for the logits, which
// Logits computes.
func (t *Transformer) Prefill(tokens []int, pos int) {
	t.PrefillContext(context.Background(), tokens, pos) // which has no end
}

// PrefillContext is Prefill that ends behind a layer when ctx is done, with ctx.Err(). These
// positions are then as if they had not been run.
func (t *Transformer) PrefillContext(ctx context.Context, tokens []int, pos int) error {
	t.check(tokens, pos)
	p, w, s, n := &t.Config, &t.Weights, &t.state, len(tokens)
	t.batch.tokens, t.batch.pos, t.batch.end = append(t.batch.tokens[:0], tokens...), pos, 0
	for i, token := range tokens {
		t.tokens[pos+i] = int32(token)
	}

	t.each(n, (*Transformer).embed)
	for l := range p.NLayers {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.batch.layer = l
		t.each(n, (*Transformer).attentionInput)
		t.matmul(n, s.xb, product{s.q, p.qStride(), &w.WQ[l]}, product{s.k, p.KVDim(), &w.WK[l]}, product{s.v, p.KVDim(), &w.WV[l]})
		t.each(n*p.NKVHeads, (*Transformer).keyAndValue)
		t.each(p.NHeads*t.attentions(), (*Transformer).attention)
		t.matmul(n, s.heads, product{s.xb2, p.Dim, &w.WO[l]})
		t.each(n, (*Transformer).residual)

		t.each(n, (*Transformer).ffnInput)
		t.gatedMatmul(n, s.xb, product{s.hb.F32, s.hb.Stride, &w.W1[l]}, product{s.hb2, p.HiddenDim, &w.W3[l]})
		t.matmul(n, s.hb, product{s.xb2, p.Dim, &w.W2[l]})
		t.each(n, (*Transformer).residual)
	}
	return nil
}

// Logits returns the logits of the token that follows token i of the last Prefill,
// (vocab_size,). They are the model's own and valid until the next call; the caller may
// change them. Those of tokens behind i, if there are any, are computed with them, in the same
// product, and wait for their calls.
func (t *Transformer) Logits(i int) []float32 {
	p, w, s, b := &t.Config, &t.Weights, &t.state, &t.batch
	if i < 0 || i >= len(b.tokens) {
		panic(fmt.Sprintf("llama: Logits(%d): the last batch had %d tokens", i, len(b.tokens)))
	}
	if i <= b.logits || i >= b.end { // the caller may have changed what it has got
		b.first, b.end = i, min(i+1+Guesses, len(b.tokens))
		t.each(b.end-i, (*Transformer).classifierInput)
		t.matmul(b.end-i, s.final, product{s.logits, p.VocabSize, &w.WCls})
	}
	b.logits = i
	return s.logits[(i-b.first)*p.VocabSize:][:p.VocabSize]
}

// Context returns the tokens that the logits of the last call of Logits follow, from position 0
// on. They are valid until the next Prefill.
func (t *Transformer) Context() []int32 { return t.tokens[:t.batch.pos+t.batch.logits+1] }

// check panics unless the model has these tokens and positions.
func (t *Transformer) check(tokens []int, pos int) {
	p := &t.Config
	if n := len(tokens); n < 1 || n > Batch {
		panic(fmt.Sprintf("llama: Prefill of %d tokens: must be 1 to %d", n, Batch))
	}
	for i, token := range tokens {
		if token < 0 || token >= p.VocabSize || pos < 0 || pos >= p.SeqLen-i {
			panic(fmt.Sprintf("llama: Forward(token %d, pos %d): the model has %d tokens and %d positions",
				token, pos+i, p.VocabSize, p.SeqLen))
		}
	}
}

// The steps of the transformer. Each is done for token i of the batch or, where it is done
// for each head, too, for i = head*tokens + token.

// embed starts the residual stream with the embedding of the token.
func (t *Transformer) embed(_, i int) {
	t.Weights.TokenEmbeddingTable.row(t.x(i), t.batch.tokens[i])
}

// x returns the residual stream of a token.
func (t *Transformer) x(i int) []float32 { return t.state.x[i*t.Config.Dim:][:t.Config.Dim] }

// attentionInput and ffnInput normalize the residual stream for a branch.
func (t *Transformer) attentionInput(_, i int) { t.rmsnorm(i, t.Weights.RMSAttWeight) }
func (t *Transformer) ffnInput(_, i int)       { t.rmsnorm(i, t.Weights.RMSFFNWeight) }

// classifierInput normalizes the residual stream of the token that many behind the first.
func (t *Transformer) classifierInput(_, i int) {
	t.kernels.RMSNorm(t.state.final.Row(i), t.x(t.batch.first+i), t.Weights.RMSFinalWeight, t.Config.NormEpsilon)
}

func (t *Transformer) rmsnorm(i int, weight []float32) {
	p := &t.Config
	t.kernels.RMSNorm(t.state.xb.Row(i), t.x(i), weight[t.batch.layer*p.Dim:][:p.Dim], p.NormEpsilon)
}

// residual adds the output of a branch to the residual stream.
func (t *Transformer) residual(_, i int) {
	dim := t.Config.Dim
	t.kernels.Add(t.x(i), t.state.xb2[i*dim:][:dim])
}

// keyAndValue finishes one head of keys and values, and the NHeads/NKVHeads neighbouring
// heads of queries that share it: biases, norms, rotation to their position (RoPE). Then
// key and value go into the caches.
func (t *Transformer) keyAndValue(_, i int) {
	p, w, s, b := &t.Config, &t.Weights, &t.state, &t.batch
	h, i := i/len(b.tokens), i%len(b.tokens)
	pos, shared := b.pos+i, p.NHeads/p.NKVHeads*p.HeadSize
	q := s.q[i*p.qStride()+h*shared:][:shared]
	k := s.k[i*p.KVDim()+h*p.HeadSize:][:p.HeadSize]
	v := s.v[i*p.KVDim()+h*p.HeadSize:][:p.HeadSize]
	if p.QKVBias {
		t.kernels.Add(q, w.BQ[b.layer*p.QDim()+h*shared:][:shared])
		t.kernels.Add(k, w.BK[b.layer*p.KVDim()+h*p.HeadSize:][:p.HeadSize])
		t.kernels.Add(v, w.BV[b.layer*p.KVDim()+h*p.HeadSize:][:p.HeadSize])
	}
	if p.QKNorm {
		for q := range slices.Chunk(q, p.HeadSize) {
			t.kernels.RMSNorm(q, q, w.RMSQWeight[b.layer*p.HeadSize:][:p.HeadSize], p.NormEpsilon)
		}
		t.kernels.RMSNorm(k, k, w.RMSKWeight[b.layer*p.HeadSize:][:p.HeadSize], p.NormEpsilon)
	}
	half := p.HeadSize / 2
	cos, sin := s.ropeCos[pos*half:][:half], s.ropeSin[pos*half:][:half]
	t.rotate(q, cos, sin)
	t.rotate(k, cos, sin)
	keys, values := t.cache(h)
	s.keyCache.SetRow(keys, k, pos)
	s.valueCache.SetColumn(values, v, pos, p.SeqLen)
}

// cache returns where in keyCache the keys (seq_len, head_size) of a head in the current layer
// are, and where in valueCache its values (head_size, seq_len).
func (t *Transformer) cache(kvHead int) (keys, values int) {
	k, v := t.Config.cacheSize()
	i := t.batch.layer*t.Config.NKVHeads + kvHead
	return i * k, i * v
}

// attentionTokens is how many tokens of a batch attend at a time: keys and values are then read
// once for as many, by the kernels for several tokens.
const attentionTokens = 12

// attentions returns how many such parts a batch has.
func (t *Transformer) attentions() int {
	return (len(t.batch.tokens) + attentionTokens - 1) / attentionTokens
}

// attention is scaled dot-product attention (Vaswani et al. 2017) of one head of some tokens, each
// to the positions up to its own. Those behind it get weights of zero, which add nothing.
func (t *Transformer) attention(worker, i int) {
	p, s, b := &t.Config, &t.state, &t.batch
	parts := t.attentions()
	h, first := i/parts, i%parts*attentionTokens
	n := min(attentionTokens, len(b.tokens)-first)
	positions, headSize, stride := b.pos+first+n, p.HeadSize, p.attStride()
	keys, values := t.cache(h / (p.NHeads / p.NKVHeads))
	q := s.q[first*p.qStride()+h*headSize:]
	out := s.heads.F32[first*s.heads.Stride+h*headSize:]
	att := s.att[worker*attentionTokens*stride:][:attentionTokens*stride]
	t.kernels.MatMulCache(att, stride, q, p.qStride(), n, headSize, &s.keyCache, keys, simd.TileF32*headSize, positions)
	for i := range n {
		own := b.pos + first + i + 1
		t.kernels.Softmax(att[i*stride:][:own], float32(math.Sqrt(float64(headSize))))
		clear(att[i*stride+own:][:positions-own])
	}
	t.kernels.MatMulCache(out, s.heads.Stride, att, stride, n, positions, &s.valueCache, values, simd.TileF32*p.SeqLen, headSize)
}

// qStride and attStride are the distances of the queries, and of the attention weights, of two
// tokens.
func (c Config) qStride() int   { return c.QDim() + linePad/4 }
func (c Config) attStride() int { return c.SeqLen + linePad/4 }
