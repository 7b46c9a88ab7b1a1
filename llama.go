// Package llama is the Llama 2 model of Karpathy's llama2.c in Go: checkpoints,
// the transformer, the tokenizer, the sampler and the loop that generates text.
// It follows run.c function for function and generates the same tokens; the
// golden tests compare the two.
//
// Every result is the same bit for bit on every machine, with every kernel, number of
// threads and size of batch: sums are taken in index order and a product is rounded
// before it is added (see math.go and package simd). Everything is sized when a model is
// loaded: generating allocates nothing.
package llama

import (
	"fmt"
	"math"
	"runtime"

	"bootllama/simd"
	"bootllama/workers"
)

// Config is the shape of a model: the header of a checkpoint.
type Config struct {
	Dim       int // width of the residual stream
	HiddenDim int // width of the feed-forward layers
	NLayers   int // number of layers
	NHeads    int // number of query heads; Dim is a multiple of it
	NKVHeads  int // number of key and value heads, each shared by NHeads/NKVHeads query heads
	VocabSize int // number of tokens
	SeqLen    int // number of positions: the longest sequence
}

// HeadSize returns the width of one attention head.
func (c Config) HeadSize() int { return c.Dim / c.NHeads }

// KVDim returns the width of the keys, and of the values, of one position.
func (c Config) KVDim() int { return c.HeadSize() * c.NKVHeads }

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
}

// Matrix is (rows, columns) in tiles, which package simd describes. It is float32, or int8
// in groups of neighbours in a row that share a scale (runq.c's QuantizedTensor).
type Matrix struct {
	Rows, Columns int
	Group         int       // size of the groups; 0: float32
	F32           []float32 // tiles of float32, or nil
	Q             []uint8   // tiles of int8, plus 128, or nil
	S             []float32 // their scales
}

// Batch is the most tokens that go through the layers at once: enough for the weights of a
// long prompt to be read once for many tokens, and a multiple of what the kernels take.
const Batch = 96

// runState is the wave of activations of a batch and the memory of the positions so far.
// Rows of activations are a token each; a single token uses the first.
type runState struct {
	x       []float32  // (batch, dim): activation at the current positions
	xb      activation // (batch, dim): the same inside a residual branch
	xb2     []float32  // (batch, dim): output of a residual branch
	hb      activation // (batch, hidden_dim): hidden layer of the feed-forward network
	hb2     []float32  // (batch, hidden_dim): the same, for w3
	q, k, v []float32  // (batch, dim), (batch, kv_dim) twice: query, key, value
	att     []float32  // (threads, seq_len): attention scores of one head
	final   activation // (1, dim): input of the classifier
	logits  []float32  // (vocab_size,)

	keyCache   []float32 // (layer, n_kv_heads) matrices (seq_len, head_size) in tiles
	valueCache []float32 // (layer, n_kv_heads) matrices (head_size, seq_len) in tiles

	// What the step that the workers share is about: see Prefill.
	tokens   []int
	pos      int // of the first token
	layer    int
	input    *activation
	n        int // tokens of a matmul
	products [3]product
	one      [1]int
}

// Transformer is a model ready to run: configuration, weights, state.
type Transformer struct {
	Config  Config
	Weights Weights

	state   runState
	ropeCos []float32 // (seq_len, head_size/2): rotation of each position and pair
	ropeSin []float32 // (seq_len, head_size/2)
	kernels *simd.Kernels
	team    *workers.Team[Transformer]
}

// Options says how a Transformer computes. It does not change what comes out.
type Options struct {
	Threads int           // goroutines that share the work; 0: GOMAXPROCS
	Kernels *simd.Kernels // nil: the fastest that this processor has
}

// NewTransformer allocates the state for a checkpoint, all of it: see Header.Memory.
func NewTransformer(c *Checkpoint, o Options) *Transformer {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Kernels == nil {
		o.Kernels = simd.Best()
	}
	p := c.Config
	keys, values := p.cacheSize()
	t := &Transformer{Config: p, Weights: c.Weights, kernels: o.Kernels, state: runState{
		x:          newState(c, Batch*p.Dim),
		xb:         newActivation(c, Batch, p.Dim),
		xb2:        newState(c, Batch*p.Dim),
		hb:         newActivation(c, Batch, p.HiddenDim),
		hb2:        newState(c, Batch*p.HiddenDim),
		q:          newState(c, Batch*p.Dim),
		k:          newState(c, Batch*p.KVDim()),
		v:          newState(c, Batch*p.KVDim()),
		att:        newState(c, o.Threads*p.SeqLen),
		final:      newActivation(c, 1, p.Dim),
		logits:     newState(c, p.VocabSize),
		keyCache:   newState(c, p.NLayers*p.NKVHeads*keys),
		valueCache: newState(c, p.NLayers*p.NKVHeads*values),
	}}
	half := p.HeadSize() / 2
	t.ropeCos, t.ropeSin = newState(c, p.SeqLen*half), newState(c, p.SeqLen*half)
	t.makeRoPE()
	t.team = workers.New[Transformer](o.Threads)
	return t
}

// Close ends the goroutines that share the work. t may not be used afterwards.
func (t *Transformer) Close() { t.team.Close() }

// Threads returns how many goroutines share the work.
func (t *Transformer) Threads() int { return t.team.Size() }

// Kernels returns what the work is done with.
func (t *Transformer) Kernels() *simd.Kernels { return t.kernels }

// cacheSize returns the number of values that the keys, and the values, of one layer and
// head take, in tiles.
func (c Config) cacheSize() (keys, values int) {
	return simd.SizeF32(c.SeqLen, c.HeadSize()), simd.SizeF32(c.HeadSize(), c.SeqLen)
}

// newState allocates what may be large. When there is no memory for it, the Go heap says so.
func newState(c *Checkpoint, n int) []float32 {
	s, err := allocate[float32](c, uint64(n))
	if err != nil {
		return make([]float32, n)
	}
	return s
}

// stateSize foretells what NewTransformer allocates for one thread, the caches excepted.
func stateSize(h Header) int64 {
	p := h.Config
	n := Batch*(3*p.Dim+2*p.KVDim()+p.HiddenDim) + p.SeqLen*(1+p.HeadSize()) + p.VocabSize
	return 4*int64(n) + activationSize(h, Batch, p.Dim) + activationSize(h, Batch, p.HiddenDim) + activationSize(h, 1, p.Dim)
}

// makeRoPE fills the table of rotations: position pos turns pair i of every
// head by pos / 10000**(2i/head_size). run.c computes it in float32 anew for
// every token; the steps and their rounding are the same.
func (t *Transformer) makeRoPE() {
	half := t.Config.HeadSize() / 2
	freq := make([]float32, half)
	for i := range freq {
		freq[i] = 1 / pow10000(float32(2*i)/float32(t.Config.HeadSize()))
	}
	for pos := range t.Config.SeqLen {
		for i, f := range freq {
			t.ropeSin[pos*half+i], t.ropeCos[pos*half+i] = sincosf(float32(pos) * f)
		}
	}
}

// activation is a batch of vectors on their way into one or more matmuls. For int8
// weights they are int8 too, in groups like theirs.
type activation struct {
	n, stride int
	f32       []float32 // (batch, stride), of which each row has n

	group, groups, qStride int          // 0: float32 weights
	q                      []int8       // (batch, qStride): (groups, simd.Padded(group))
	g                      []simd.Group // (batch, groups)
}

// linePad keeps rows apart whose length is a power of two: they would share a few lines
// of a cache.
const linePad = 64

func newActivation(c *Checkpoint, batch, n int) activation {
	a := activation{n: n, stride: n + linePad/4, group: c.GroupSize}
	a.f32 = newState(c, batch*a.stride)
	if a.group != 0 {
		a.groups = n / a.group
		a.qStride = a.groups*simd.Padded(a.group) + linePad
		a.q = make([]int8, batch*a.qStride)
		a.g = make([]simd.Group, batch*a.groups)
	}
	return a
}

// activationSize foretells what newActivation allocates.
func activationSize(h Header, batch, n int) int64 {
	size := 4 * (n + linePad/4)
	if h.GroupSize != 0 {
		groups := n / h.GroupSize
		size += groups*(simd.Padded(h.GroupSize)+8) + linePad
	}
	return int64(batch) * int64(size)
}

// row returns the vector of a token.
func (a *activation) row(i int) []float32 { return a.f32[i*a.stride:][:a.n] }

// row sets x (columns,) to a row of a matrix.
func (m *Matrix) row(x []float32, row int) {
	if m.Group == 0 {
		simd.RowF32(x, m.F32, row)
	} else {
		simd.RowInt8(x, m.Q, m.S, row, m.Group)
	}
}

// Forward runs the transformer on one token at position pos and returns the
// logits of the token that follows, (vocab_size,). They are the model's own and
// valid until the next call; the caller may change them. The positions before
// pos are those of earlier calls, so a sequence starts at 0 and goes up by one.
func (t *Transformer) Forward(token, pos int) []float32 {
	t.state.one[0] = token
	t.Prefill(t.state.one[:], pos)
	return t.Logits(0)
}

// Prefill runs tokens, 1 to Batch of them, through the layers, at positions from pos on, all
// at once. It does the same as Forward for each of them but for the logits, which
// Logits computes.
func (t *Transformer) Prefill(tokens []int, pos int) {
	p, w, s := &t.Config, &t.Weights, &t.state
	t.check(tokens, pos)
	n := len(tokens)
	s.tokens, s.pos = tokens, pos

	t.each(n, (*Transformer).embed)
	for s.layer = range p.NLayers {
		l := s.layer
		t.each(n, (*Transformer).attentionInput)
		t.matmul(n, &s.xb, product{s.q, p.Dim, &w.WQ[l]}, product{s.k, p.KVDim(), &w.WK[l]}, product{s.v, p.KVDim(), &w.WV[l]})
		t.each(n, (*Transformer).keyAndValue)
		t.team.Do(t, n*p.NHeads, (*Transformer).attention)
		t.matmul(n, &s.xb, product{s.xb2, p.Dim, &w.WO[l]})
		t.each(n, (*Transformer).residual)

		t.each(n, (*Transformer).ffnInput)
		t.matmul(n, &s.xb, product{s.hb.f32, s.hb.stride, &w.W1[l]}, product{s.hb2, p.HiddenDim, &w.W3[l]})
		t.each(n, (*Transformer).swiglu)
		t.matmul(n, &s.hb, product{s.xb2, p.Dim, &w.W2[l]})
		t.each(n, (*Transformer).residual)
	}
}

// Logits returns the logits of the token that follows token i of the last Prefill,
// (vocab_size,). They are the model's own and valid until the next call; the caller may
// change them.
func (t *Transformer) Logits(i int) []float32 {
	p, w, s := &t.Config, &t.Weights, &t.state
	if i < 0 || i >= len(s.tokens) {
		panic(fmt.Sprintf("llama: Logits(%d): the last batch had %d tokens", i, len(s.tokens)))
	}
	t.kernels.RMSNorm(s.final.row(0), s.x[i*p.Dim:][:p.Dim], w.RMSFinalWeight)
	t.matmul(1, &s.final, product{s.logits, p.VocabSize, &w.WCls})
	return s.logits
}

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

// each does a step for each of n tokens. One is not worth sharing.
func (t *Transformer) each(n int, step func(t *Transformer, worker, i int)) {
	if n == 1 {
		step(t, 0, 0)
		return
	}
	t.team.Do(t, n, step)
}

// The steps of the transformer, for token i of the batch.

// embed starts the residual stream with the token's embedding.
func (t *Transformer) embed(_, i int) {
	s := &t.state
	t.Weights.TokenEmbeddingTable.row(s.x[i*t.Config.Dim:][:t.Config.Dim], s.tokens[i])
}

// attentionInput and ffnInput normalize the residual stream for a branch.
func (t *Transformer) attentionInput(_, i int) { t.rmsnorm(i, t.Weights.RMSAttWeight) }
func (t *Transformer) ffnInput(_, i int)       { t.rmsnorm(i, t.Weights.RMSFFNWeight) }

func (t *Transformer) rmsnorm(i int, weight []float32) {
	dim, s := t.Config.Dim, &t.state
	t.kernels.RMSNorm(s.xb.row(i), s.x[i*dim:][:dim], weight[s.layer*dim:][:dim])
}

// residual adds what a branch put out to the residual stream.
func (t *Transformer) residual(_, i int) {
	dim, s := t.Config.Dim, &t.state
	t.kernels.Add(s.x[i*dim:][:dim], s.xb2[i*dim:][:dim])
}

// keyAndValue rotates query and key to their position (RoPE), and puts key and value into
// the caches.
func (t *Transformer) keyAndValue(_, i int) {
	p, s := &t.Config, &t.state
	pos, headSize, kvDim := s.pos+i, p.HeadSize(), p.KVDim()
	cos := t.ropeCos[pos*headSize/2:][:headSize/2]
	sin := t.ropeSin[pos*headSize/2:][:headSize/2]
	k, v := s.k[i*kvDim:][:kvDim], s.v[i*kvDim:][:kvDim]
	t.kernels.Rotate(s.q[i*p.Dim:][:p.Dim], cos, sin)
	t.kernels.Rotate(k, cos, sin)
	for h := range p.NKVHeads {
		keys, values := t.cache(h)
		simd.SetRowF32(keys, k[h*headSize:][:headSize], pos)
		simd.SetColumnF32(values, v[h*headSize:][:headSize], pos, p.SeqLen)
	}
}

// cache returns the keys (seq_len, head_size) and values (head_size, seq_len) of a head in
// the current layer.
func (t *Transformer) cache(kvHead int) (keys, values []float32) {
	s := &t.state
	k, v := t.Config.cacheSize()
	i := s.layer*t.Config.NKVHeads + kvHead
	return s.keyCache[i*k:][:k], s.valueCache[i*v:][:v]
}

// attention is scaled dot-product attention (Vaswani et al. 2017) of one head of one token
// to the positions up to its own. NHeads/NKVHeads neighbouring heads share keys and values.
// part counts tokens within heads.
func (t *Transformer) attention(worker, part int) {
	p, s := &t.Config, &t.state
	n := len(s.tokens)
	h, i := part/n, part%n
	positions, headSize := s.pos+i+1, p.HeadSize()
	keys, values := t.cache(h / (p.NHeads / p.NKVHeads))
	q := s.q[i*p.Dim+h*headSize:][:headSize]
	out := s.xb.row(i)[h*headSize:][:headSize]
	att := s.att[worker*p.SeqLen:][:positions]
	t.kernels.MatMulF32(att, positions, q, headSize, 1, headSize, keys, simd.TileF32*headSize, positions)
	t.kernels.Softmax(att, float32(math.Sqrt(float64(headSize))))
	t.kernels.MatMulF32(out, headSize, att, positions, 1, positions, values, simd.TileF32*p.SeqLen, headSize)
}

// swiglu is the activation of the feed-forward network, w2(silu(w1(x)) * w3(x)).
func (t *Transformer) swiglu(_, i int) {
	s := &t.state
	t.kernels.SwiGLU(s.hb.row(i), s.hb2[i*s.hb.n:][:s.hb.n])
}

// product is an output of a matmul: out (batch, stride), of which each row gets a value for
// each row of w.
type product struct {
	out    []float32
	stride int
	w      *Matrix
}

// matmul sets the outputs to w @ x for n tokens. All weights have the same columns. Nearly
// all of the time is spent here.
func (t *Transformer) matmul(n int, x *activation, products ...product) {
	s := &t.state
	s.input, s.n = x, n
	if x.group != 0 {
		t.each(n, (*Transformer).quantize)
	}
	clear(s.products[copy(s.products[:], products):])
	parts := 0
	for i := range products {
		parts += blocks(products[i].w.Rows, t.blockRows(products[i].w))
	}
	t.team.Do(t, parts, (*Transformer).multiply)
}

// quantize makes the input int8.
func (t *Transformer) quantize(_, i int) {
	x := t.state.input
	t.kernels.Quantize(x.q[i*x.qStride:][:x.qStride], x.g[i*x.groups:][:x.groups], x.row(i), x.group)
}

// Sizes of a part of a matmul: small enough for the last one to keep nobody waiting,
// large enough to read memory in long runs.
const (
	minBlock = 16 << 10 // bytes of weights
	maxBlock = 256 << 10
)

// blockRows returns how many rows of w are a part of a matmul: whole tiles.
func (t *Transformer) blockRows(w *Matrix) int {
	rowBytes := 4 * w.Columns
	if w.Group != 0 {
		rowBytes = w.Columns + 4*w.Columns/w.Group
	}
	block := min(max(w.Rows*rowBytes/(8*t.team.Size()), minBlock), maxBlock)
	if t.state.n > 1 {
		block = minBlock
	}
	rows := max(block/rowBytes/simd.TileF32, 1) * simd.TileF32
	for blocks(w.Rows, rows) > workers.MaxParts/3 {
		rows *= 2
	}
	return rows
}

func blocks(rows, block int) int { return (rows + block - 1) / block }

// multiply computes a part of the products: some rows, for all tokens.
func (t *Transformer) multiply(_, part int) {
	s := &t.state
	for i := range s.products {
		y := &s.products[i]
		block := t.blockRows(y.w)
		if n := blocks(y.w.Rows, block); part >= n {
			part -= n
			continue
		}
		row := part * block
		rows := min(block, y.w.Rows-row)
		y.w.multiply(t.kernels, y.out[row:], y.stride, s.input, s.n, row, rows)
		return
	}
}

// multiply sets out (tokens, stride) to the products of some rows of m.
func (m *Matrix) multiply(k *simd.Kernels, out []float32, stride int, x *activation, tokens, row, rows int) {
	if m.Group == 0 {
		k.MatMulF32(out, stride, x.f32, x.stride, tokens, m.Columns, m.F32[row*m.Columns:], simd.TileF32*m.Columns, rows)
		return
	}
	w := m.Q[row*x.groups*simd.Padded(m.Group):]
	k.MatMulInt8(out, stride, x.q, x.qStride, x.g, x.groups, tokens, x.groups, m.Group, w, m.S[row*x.groups:], rows)
}

// ReadWeights reads all weights that a token takes, on all threads, and does nothing with
// them: no token can take less time. It returns their size in bytes.
func (t *Transformer) ReadWeights() int64 {
	w, size := &t.Weights, int64(0)
	t.state.n = 1
	read := func(m *Matrix) {
		t.state.products = [3]product{{w: m}}
		t.team.Do(t, blocks(m.Rows, t.blockRows(m)), (*Transformer).readBlock)
		size += int64(4*len(m.F32) + len(m.Q) + 4*len(m.S))
	}
	for l := range t.Config.NLayers {
		for _, ms := range [][]Matrix{w.WQ, w.WK, w.WV, w.WO, w.W1, w.W3, w.W2} {
			read(&ms[l])
		}
	}
	read(&w.WCls)
	return size
}

// readBlock reads the part of a matrix that multiply would.
func (t *Transformer) readBlock(_, part int) {
	m := t.state.products[0].w
	block := t.blockRows(m)
	row := part * block
	rows := blocks(min(block, m.Rows-row), simd.TileInt8) * simd.TileInt8
	if m.Group == 0 {
		rows = blocks(rows, simd.TileF32) * simd.TileF32
		t.kernels.Read(bytesOf(m.F32[row*m.Columns:][:rows*m.Columns]))
		return
	}
	groups := m.Columns / m.Group
	width := groups * simd.Padded(m.Group)
	t.kernels.Read(bytesOf(m.Q[row*width:][:rows*width]))
	t.kernels.Read(bytesOf(m.S[row*groups:][:rows*groups]))
}
