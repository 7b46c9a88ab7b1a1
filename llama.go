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
	Q             []uint8   // tiles of int8 and their scales, or nil
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
	step     func(t *Transformer, worker, i int)
	things   int
	products [3]product
	ends     [maxParts]int
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
	p.makeRoPE(t.ropeCos, t.ropeSin)
	t.team = workers.New[Transformer](o.Threads)
	return t
}

// Close ends the goroutines that share the work. t may not be used afterwards.
func (t *Transformer) Close() { t.team.Close() }

// cacheSize returns the number of values that the keys, and the values, of one layer and
// head take, in tiles.
func (c Config) cacheSize() (keys, values int) {
	return simd.SizeF32(c.SeqLen, c.HeadSize()), simd.SizeF32(c.HeadSize(), c.SeqLen)
}

// newState allocates what may be large. When there is no memory for it, the Go heap says so.
func newState(c *Checkpoint, n int) []float32 { return newValues[float32](c, n) }

func newValues[T float32 | int8 | simd.Group](c *Checkpoint, n int) []T {
	s, err := allocate[T](c, uint64(n))
	if err != nil {
		return make([]T, n)
	}
	return s
}

// stateSize foretells what NewTransformer allocates for one thread, the caches excepted.
func stateSize(h Header) int64 {
	p := h.Config
	n := Batch*(3*p.Dim+2*p.KVDim()+p.HiddenDim) + p.SeqLen*(1+p.HeadSize()) + p.VocabSize
	return 4*int64(n) + activationSize(h, Batch, p.Dim) + activationSize(h, Batch, p.HiddenDim) + activationSize(h, 1, p.Dim)
}

// RoPE returns the rotations of rotary position embedding (Su et al. 2021), cos and sin,
// (seq_len, head_size/2) each, with the bits that the transformer uses.
func (c Config) RoPE() (cos, sin []float32) {
	n := c.SeqLen * (c.HeadSize() / 2)
	cos, sin = make([]float32, n), make([]float32, n)
	c.makeRoPE(cos, sin)
	return cos, sin
}

// makeRoPE fills the table of rotations: position pos turns pair i of every
// head by pos / 10000**(2i/head_size). run.c computes it in float32 anew for
// every token; the steps and their rounding are the same.
func (c Config) makeRoPE(cos, sin []float32) {
	half := c.HeadSize() / 2
	freq := make([]float32, half)
	for i := range freq {
		freq[i] = 1 / pow10000(float32(2*i)/float32(c.HeadSize()))
	}
	for pos := range c.SeqLen {
		for i, f := range freq {
			sin[pos*half+i], cos[pos*half+i] = sincosf(float32(pos) * f)
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
		a.q = newValues[int8](c, batch*a.qStride)
		a.g = newValues[simd.Group](c, batch*a.groups)
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
		simd.RowInt8(x, m.Q, row, m.Group)
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
		t.share(n*p.NKVHeads, (*Transformer).keyAndValue)
		t.share(n*p.NHeads, (*Transformer).attention)
		t.matmul(n, &s.xb, product{s.xb2, p.Dim, &w.WO[l]})
		t.each(n, (*Transformer).residual)

		t.each(n, (*Transformer).ffnInput)
		t.gatedMatmul(n, &s.xb, product{s.hb.f32, s.hb.stride, &w.W1[l]}, product{s.hb2, p.HiddenDim, &w.W3[l]})
		t.matmul(n, &s.hb, product{s.xb2, p.Dim, &w.W2[l]})
		t.each(n, (*Transformer).residual)
	}
}

// normEpsilon is what llama2.c's rmsnorm adds to the mean square.
const normEpsilon = 1e-5

// Logits returns the logits of the token that follows token i of the last Prefill,
// (vocab_size,). They are the model's own and valid until the next call; the caller may
// change them.
func (t *Transformer) Logits(i int) []float32 {
	p, w, s := &t.Config, &t.Weights, &t.state
	if i < 0 || i >= len(s.tokens) {
		panic(fmt.Sprintf("llama: Logits(%d): the last batch had %d tokens", i, len(s.tokens)))
	}
	t.kernels.RMSNorm(s.final.row(0), s.x[i*p.Dim:][:p.Dim], w.RMSFinalWeight, normEpsilon)
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
	t.share(n, step)
}

// share does a step for each of n things, in parts of several: a thing may take less time
// than it takes to get hold of it.
func (t *Transformer) share(n int, step func(t *Transformer, worker, i int)) {
	s := &t.state
	s.step, s.things = step, n
	t.team.Do(t, min(n, 8*t.team.Size()), 0, (*Transformer).several)
}

func (t *Transformer) several(worker, part int) {
	s := &t.state
	parts := min(s.things, 8*t.team.Size())
	for i := part * s.things / parts; i < (part+1)*s.things/parts; i++ {
		s.step(t, worker, i)
	}
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
	t.kernels.RMSNorm(s.xb.row(i), s.x[i*dim:][:dim], weight[s.layer*dim:][:dim], normEpsilon)
}

// residual adds what a branch put out to the residual stream.
func (t *Transformer) residual(_, i int) {
	dim, s := t.Config.Dim, &t.state
	t.kernels.Add(s.x[i*dim:][:dim], s.xb2[i*dim:][:dim])
}

// keyAndValue rotates key and queries to their position (RoPE), and puts key and value into
// the caches, for one head of keys and values of one token; NHeads/NKVHeads neighbouring
// heads of queries share it. part counts tokens within heads.
func (t *Transformer) keyAndValue(_, part int) {
	p, s := &t.Config, &t.state
	h, i := part/len(s.tokens), part%len(s.tokens)
	pos, headSize, shared := s.pos+i, p.HeadSize(), p.NHeads/p.NKVHeads*p.HeadSize()
	cos := t.ropeCos[pos*headSize/2:][:headSize/2]
	sin := t.ropeSin[pos*headSize/2:][:headSize/2]
	q := s.q[i*p.Dim+h*shared:][:shared]
	k := s.k[i*p.KVDim()+h*headSize:][:headSize]
	v := s.v[i*p.KVDim()+h*headSize:][:headSize]
	t.kernels.Rotate(q, cos, sin)
	t.kernels.Rotate(k, cos, sin)
	keys, values := t.cache(h)
	simd.SetRowF32(keys, k, pos)
	simd.SetColumnF32(values, v, pos, p.SeqLen)
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
// to the positions up to its own. part counts tokens within heads.
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
	t.setInput(n, x)
	t.setProducts(products...)
	tiles := 0
	for _, p := range products {
		tiles += p.w.tiles()
	}
	t.team.Do(t, t.divide(tiles), n*tiles*products[0].w.Columns, (*Transformer).multiply)
}

// gatedMatmul sets gate.out to silu(gate.w @ x) * (up.w @ x) for n tokens: SwiGLU (Shazeer
// 2020). up.out is scratch. Both weights have the same shape.
func (t *Transformer) gatedMatmul(n int, x *activation, gate, up product) {
	t.setInput(n, x)
	t.setProducts(gate, up)
	t.team.Do(t, t.divide(gate.w.tiles()), 2*n*gate.w.tiles()*gate.w.Columns, (*Transformer).multiplyGated)
}

func (t *Transformer) setInput(n int, x *activation) {
	t.state.input, t.state.n = x, n
	if x.group != 0 {
		t.each(n, (*Transformer).quantize)
	}
}

func (t *Transformer) setProducts(products ...product) {
	s := &t.state
	clear(s.products[copy(s.products[:], products):])
}

// quantize makes the input int8.
func (t *Transformer) quantize(_, i int) {
	x := t.state.input
	t.kernels.Quantize(x.q[i*x.qStride:][:x.qStride], x.g[i*x.groups:][:x.groups], x.row(i), x.group)
}

// maxParts bounds the parts of a matmul; there are some dozens.
const maxParts = 1 << 10

// divide divides tiles into parts, ends[i] being the end of part i. They get smaller and
// smaller: long ones, since memory is read fastest in long runs, and short ones in the end,
// so that nobody waits long for the last. It is the guided self-scheduling of Polychronopoulos
// and Kuck (1987).
func (t *Transformer) divide(tiles int) (parts int) {
	s, threads := &t.state, t.team.Size()
	for end := 0; end < tiles; parts++ {
		n := tiles - end
		if threads > 1 && parts < maxParts-1 {
			n = blocks(n, 2*threads)
		}
		end += n
		s.ends[parts] = end
	}
	return parts
}

// part returns the tiles of a part.
func (s *runState) part(i int) (from, to int) {
	if i > 0 {
		from = s.ends[i-1]
	}
	return from, s.ends[i]
}

func blocks(n, block int) int { return (n + block - 1) / block }

// multiply computes a part of the products: some tiles, for all tokens.
func (t *Transformer) multiply(_, part int) {
	s := &t.state
	from, to := s.part(part)
	for i := range s.products {
		p := &s.products[i]
		if p.w == nil || to <= 0 {
			return
		}
		tiles, height := p.w.tiles(), p.w.tileRows()
		if from < tiles {
			row := max(from, 0) * height
			rows := min(to*height, p.w.Rows) - row
			if p.out == nil {
				p.w.read(t.kernels, row, rows)
			} else {
				p.multiply(t, row, rows)
			}
		}
		from, to = from-tiles, to-tiles
	}
}

// multiplyGated does the same for gatedMatmul.
func (t *Transformer) multiplyGated(_, part int) {
	s := &t.state
	gate, up := &s.products[0], &s.products[1]
	from, to := s.part(part)
	row := from * gate.w.tileRows()
	rows := min(to*gate.w.tileRows(), gate.w.Rows) - row
	gate.multiply(t, row, rows)
	up.multiply(t, row, rows)
	for i := range s.n {
		t.kernels.SwiGLU(gate.out[i*gate.stride+row:][:rows], up.out[i*up.stride+row:][:rows])
	}
}

// tileRows returns the number of rows of a tile of m, and tiles that of its tiles.
func (m *Matrix) tileRows() int {
	if m.Group == 0 {
		return simd.TileF32
	}
	return simd.TileInt8
}

func (m *Matrix) tiles() int { return blocks(m.Rows, m.tileRows()) }

// multiply computes some rows of p, which begin with a tile.
func (p *product) multiply(t *Transformer, row, rows int) {
	x, m, out, tokens := t.state.input, p.w, p.out[row:], t.state.n
	if m.Group == 0 {
		w := m.F32[simd.SizeF32(row, m.Columns):]
		t.kernels.MatMulF32(out, p.stride, x.f32, x.stride, tokens, m.Columns, w, simd.TileF32*m.Columns, rows)
		return
	}
	w := m.Q[simd.SizeInt8(row, x.groups, m.Group):]
	t.kernels.MatMulInt8(out, p.stride, x.q, x.qStride, x.g, x.groups, tokens, x.groups, m.Group, w, rows)
}

// read reads some rows of m and does nothing with them.
func (m *Matrix) read(k *simd.Kernels, row, rows int) {
	if m.Group == 0 {
		k.Read(bytesOf(m.F32[simd.SizeF32(row, m.Columns):simd.SizeF32(row+rows, m.Columns)]))
		return
	}
	groups := m.Columns / m.Group
	k.Read(m.Q[simd.SizeInt8(row, groups, m.Group):simd.SizeInt8(row+rows, groups, m.Group)])
}

// ReadWeights reads all weights that a token takes, on all threads and in the order in
// which Forward does, and does nothing with them: no token can take less time. It returns
// their size in bytes.
func (t *Transformer) ReadWeights() (bytes int64) {
	w := &t.Weights
	for l := range t.Config.NLayers {
		bytes += t.read(&w.WQ[l], &w.WK[l], &w.WV[l])
		bytes += t.read(&w.WO[l])
		bytes += t.read(&w.W1[l], &w.W3[l])
		bytes += t.read(&w.W2[l])
	}
	return bytes + t.read(&w.WCls)
}

func (t *Transformer) read(ms ...*Matrix) (bytes int64) {
	tiles := 0
	t.setProducts()
	for i, m := range ms {
		t.state.products[i].w = m
		tiles += m.tiles()
		bytes += int64(4*len(m.F32) + len(m.Q))
	}
	t.team.Do(t, t.divide(tiles), 0, (*Transformer).multiply)
	return bytes
}
