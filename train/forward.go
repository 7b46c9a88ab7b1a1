package train

import (
	"math"

	"bootllama/simd"
)

// packed are the matrices of a model in tiles. Matrices with the same input stand on each
// other.
type packed struct {
	parameters *Parameters
	layers     []packedLayer
	cls        []float32 // (vocab_size, dim)
}

type packedLayer struct {
	qkv []float32 // (dim + 2*kv_dim, dim)
	wo  []float32 // (dim, dim)
	w13 []float32 // (2*hidden_dim, dim)
	w2  []float32 // (dim, hidden_dim)
}

func newPacked(p *Parameters) *packed {
	c := p.Config
	tiles := func(rows, columns int) []float32 { return make([]float32, simd.SizeF32(rows, columns)) }
	w := &packed{parameters: p, layers: make([]packedLayer, c.NLayers), cls: tiles(c.VocabSize, c.Dim)}
	for l := range w.layers {
		w.layers[l] = packedLayer{tiles(c.Dim+2*c.KVDim(), c.Dim), tiles(c.Dim, c.Dim), tiles(2*c.HiddenDim, c.Dim), tiles(c.Dim, c.HiddenDim)}
	}
	return w
}

// pack brings the weights of layer l up to date; the classifier comes last.
func (w *packed) pack(l int) {
	p := w.parameters
	c := p.Config
	if l == c.NLayers {
		stack(w.cls, c.Dim, p.TokenEmbeddingTable)
		return
	}
	to := &w.layers[l]
	stack(to.qkv, c.Dim, p.layer(p.WQ, l), p.layer(p.WK, l), p.layer(p.WV, l))
	stack(to.wo, c.Dim, p.layer(p.WO, l))
	stack(to.w13, c.Dim, p.layer(p.W1, l), p.layer(p.W3, l))
	stack(to.w2, c.HiddenDim, p.layer(p.W2, l))
}

// stack packs matrices of that many columns, each below the one before.
func stack(tiles []float32, columns int, ms ...[]float32) {
	from := 0
	for _, m := range ms {
		packRows(tiles, from, m, columns, len(m)/columns, columns)
		from += len(m) / columns
	}
}

// state is what one worker needs for one sequence: the activations that the backward pass
// wants to see again, and scratch. T is seq_len.
type state struct {
	t        *Trainer
	layers   []activations
	x        []float32 // (T, dim): output of the last layer
	xb       []float32 // (T, dim): the same inside a residual branch
	xb2      []float32 // (T, dim): output of a residual branch
	hb       []float32 // (T, hidden_dim): inner layer of the feed-forward network
	logits   []float32 // (T, vocab_size)
	keys     []float32 // (T, head_size) of one head, in tiles
	backward gradients
}

// activations are those of one layer.
type activations struct {
	x   []float32 // (T, dim): input
	qkv []float32 // (T, dim + 2*kv_dim): queries and keys, rotated, and values of each token
	att []float32 // (n_heads, T, roundUp(T)): attention weights; 0 from the diagonal to the end of a tile
	out []float32 // (T, n_heads*head_size): what the heads put out
	mid []float32 // (T, dim): input of the feed-forward network
	h   []float32 // (T, 2*hidden_dim): w1 @ x and w3 @ x
}

func newState(t *Trainer) *state {
	c := t.parameters.Config
	n := c.SeqLen
	s := &state{t: t, layers: make([]activations, c.NLayers),
		x:      make([]float32, n*c.Dim),
		xb:     make([]float32, n*c.Dim),
		xb2:    make([]float32, n*c.Dim),
		hb:     make([]float32, n*c.HiddenDim),
		logits: make([]float32, n*c.VocabSize),
		keys:   make([]float32, simd.SizeF32(n, c.HeadSize)),
	}
	for i := range s.layers {
		s.layers[i] = activations{
			x:   make([]float32, n*c.Dim),
			qkv: make([]float32, n*(c.Dim+2*c.KVDim())),
			att: make([]float32, c.NHeads*n*roundUp(n)),
			out: make([]float32, n*c.Dim),
			mid: make([]float32, n*c.Dim),
			h:   make([]float32, n*2*c.HiddenDim),
		}
	}
	s.backward = newGradients(c)
	return s
}

// matmul sets out (T, rows) to x (T, n) times the transpose of w (rows, n), in tiles.
func (s *state) matmul(out, x []float32, n int, w []float32, rows int) {
	s.t.kernels.MatMulF32(out, rows, x, n, s.t.parameters.Config.SeqLen, n, w, tile*n, rows)
}

// normEpsilon is what llama2.c's rmsnorm adds to the mean square.
const normEpsilon = 1e-5

// rmsnorm does so with every token.
func (s *state) rmsnorm(out, x, weight []float32) {
	for i := 0; i < len(x); i += len(weight) {
		s.t.kernels.RMSNorm(out[i:][:len(weight)], x[i:][:len(weight)], weight, normEpsilon)
	}
}

// forward sets the logits to those that follow each of the tokens, (T,). The steps and
// their order are llama.Transformer's, and so are the bits.
func (s *state) forward(tokens []uint16) {
	p, w := s.t.parameters, s.t.packed
	c := p.Config
	x := s.layers[0].x
	for i, token := range tokens {
		copy(x[i*c.Dim:][:c.Dim], p.embedding(token))
	}
	for l := range s.layers {
		a, wl := &s.layers[l], &w.layers[l]
		s.rmsnorm(s.xb, a.x, p.layer(p.RMSAttWeight, l))
		s.matmul(a.qkv, s.xb, c.Dim, wl.qkv, c.Dim+2*c.KVDim())
		s.rotate(a.qkv, s.t.ropeSin)
		s.attention(a)
		s.matmul(s.xb2, a.out, c.Dim, wl.wo, c.Dim)
		s.residual(a.mid, a.x)

		s.rmsnorm(s.xb, a.mid, p.layer(p.RMSFFNWeight, l))
		s.matmul(a.h, s.xb, c.Dim, wl.w13, 2*c.HiddenDim)
		s.swiglu(a.h)
		s.matmul(s.xb2, s.hb, c.HiddenDim, wl.w2, c.Dim)
		s.residual(s.output(l), a.mid)
	}
	s.rmsnorm(s.xb, s.x, p.RMSFinalWeight)
	s.matmul(s.logits, s.xb, c.Dim, w.cls, c.VocabSize)
}

// output returns where the output of a layer goes: to the next one.
func (s *state) output(l int) []float32 {
	if l+1 < len(s.layers) {
		return s.layers[l+1].x
	}
	return s.x
}

// residual sets out to x plus the output of a branch.
func (s *state) residual(out, x []float32) {
	copy(out, x)
	s.t.kernels.Add(out, s.xb2)
}

// rotate turns queries and keys, which stand together, to the position of their token.
func (s *state) rotate(qkv, sin []float32) {
	c := s.t.parameters.Config
	half, width := c.HeadSize/2, c.Dim+2*c.KVDim()
	for i := range c.SeqLen {
		s.t.kernels.Rotate(qkv[i*width:][:c.Dim+c.KVDim()], s.t.ropeCos[i*half:][:half], sin[i*half:][:half])
	}
}

// swiglu sets hb to silu(w1 @ x) * (w3 @ x).
func (s *state) swiglu(h []float32) {
	n := s.t.parameters.Config.HiddenDim
	for i := 0; i < len(s.hb); i += n {
		copy(s.hb[i:][:n], h[2*i:])
		s.t.kernels.SwiGLU(s.hb[i:][:n], h[2*i+n:][:n])
	}
}

// attentionBlock is the number of queries that look at the keys up to the last of them.
const attentionBlock = 48

// attention is causal scaled dot-product attention (Vaswani et al. 2017).
func (s *state) attention(a *activations) {
	c, k := s.t.parameters.Config, s.t.kernels
	n, padded, size, width := c.SeqLen, roundUp(c.SeqLen), c.HeadSize, c.Dim+2*c.KVDim()
	root := float32(math.Sqrt(float64(size)))
	for kv := range c.NKVHeads {
		packRows(s.keys, 0, a.qkv[c.Dim+kv*size:], width, n, size)
		values := a.qkv[c.Dim+c.KVDim()+kv*size:]
		shared := c.NHeads / c.NKVHeads
		for h := kv * shared; h < (kv+1)*shared; h++ {
			for from := 0; from < n; from += attentionBlock {
				to := min(from+attentionBlock, n)
				// Whole tiles of keys; what comes out for those that are too many is overwritten.
				att := a.att[(h*n+from)*padded : (h*n+to)*padded]
				k.MatMulF32(att, padded, a.qkv[from*width+h*size:], width, to-from, size, s.keys, tile*size, roundUp(to))
				for i := from; i < to; i++ {
					row := att[(i-from)*padded:][:roundUp(to)]
					k.Softmax(row[:i+1], root)
					clear(row[i+1:])
				}
				k.GemmF32(a.out[from*c.Dim+h*size:], c.Dim, att, padded, 1, values, width, to-from, to, size, false)
			}
		}
	}
}

// crossEntropy returns the sum of the cross-entropies of the targets that count, in nats. It
// replaces the logits by the probabilities. A probability too small for float32 counts as the
// smallest that is not.
func (s *state) crossEntropy(targets []uint16) (sum float64) {
	vocab := s.t.parameters.Config.VocabSize
	for i, target := range targets {
		if target == Ignore {
			continue
		}
		p := s.logits[i*vocab:][:vocab]
		s.t.kernels.Softmax(p, 1)
		sum -= math.Log(max(float64(p[target]), math.SmallestNonzeroFloat32))
	}
	return sum
}
