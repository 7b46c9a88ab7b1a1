// Package llama is the Llama 2 model of Karpathy's llama2.c in Go: checkpoints,
// the transformer, the tokenizer, the sampler and the loop that generates text.
// It follows run.c function for function and generates the same tokens; the
// golden tests compare the two.
//
// Every result is the same bit for bit on every machine: sums are taken in
// index order, a product is rounded before it is added (see math.go), and
// everything is sized when a model is loaded: generating allocates nothing.
package llama

import (
	"fmt"
	"math"
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

// Matrix is (rows, columns), row by row; a matmul takes one row per output. It is
// float32, or int8 in groups of GroupSize neighbours that share a scale:
// element i is Q[i] * S[i/GroupSize] (runq.c's QuantizedTensor).
type Matrix struct {
	F32 []float32 // (rows, columns), or nil
	Q   []int8    // (rows, columns), or nil
	S   []float32 // (rows*columns/group_size,)
}

// runState is the wave of activations and the memory of the positions so far.
type runState struct {
	x          []float32  // (dim,): activation at the current position
	xb         []float32  // (dim,): the same inside a residual branch
	xb2        []float32  // (dim,): output of the attention
	hb         []float32  // (hidden_dim,): hidden layer of the feed-forward network
	hb2        []float32  // (hidden_dim,): the same, for w3
	xq         activation // (dim,): input of a matmul
	hq         activation // (hidden_dim,): the same, of w2
	q          []float32  // (n_heads, head_size): query
	att        []float32  // (seq_len,): attention scores of one head
	logits     []float32  // (vocab_size,)
	keyCache   []float32  // (layer, seq_len, n_kv_heads, head_size)
	valueCache []float32  // (layer, seq_len, n_kv_heads, head_size)
}

// Transformer is a model ready to run: configuration, weights, state.
type Transformer struct {
	Config  Config
	Weights Weights

	state   runState
	ropeCos []float32 // (seq_len, head_size/2): rotation of each position and pair
	ropeSin []float32 // (seq_len, head_size/2)
	group   int       // group size of int8 weights; 0: float32
}

// NewTransformer allocates the state for a checkpoint, all of it: about
// 8*NLayers*SeqLen*KVDim bytes, most of them keys and values.
func NewTransformer(c *Checkpoint) *Transformer {
	p := c.Config
	cache := p.NLayers * p.SeqLen * p.KVDim()
	t := &Transformer{Config: p, Weights: c.Weights, group: c.GroupSize, state: runState{
		x:          make([]float32, p.Dim),
		xb:         make([]float32, p.Dim),
		xb2:        make([]float32, p.Dim),
		hb:         make([]float32, p.HiddenDim),
		hb2:        make([]float32, p.HiddenDim),
		xq:         newActivation(p.Dim, c.GroupSize),
		hq:         newActivation(p.HiddenDim, c.GroupSize),
		q:          make([]float32, p.Dim),
		att:        make([]float32, p.SeqLen),
		logits:     newState(c, p.VocabSize),
		keyCache:   newState(c, cache),
		valueCache: newState(c, cache),
	}}
	half := p.HeadSize() / 2
	t.ropeCos, t.ropeSin = newState(c, p.SeqLen*half), newState(c, p.SeqLen*half)
	t.makeRoPE()
	return t
}

// newState allocates what may be large. When there is no memory for it, the Go heap says so.
func newState(c *Checkpoint, n int) []float32 {
	s, err := allocate[float32](c, uint64(n))
	if err != nil {
		return make([]float32, n)
	}
	return s
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

// rmsnorm sets o to x scaled to a root mean square of 1, times weight
// (Zhang and Sennrich 2019). All have the same length; o may be x.
func rmsnorm(o, x, weight []float32) {
	var ss float32
	for _, v := range x {
		ss += float32(v * v)
	}
	ss /= float32(len(x))
	ss += 1e-5
	ss = 1 / sqrtf(ss)
	for j, v := range x {
		o[j] = weight[j] * (ss * v)
	}
}

// softmax replaces x by e**x / sum(e**x); the maximum is subtracted first, so
// that nothing overflows.
func softmax(x []float32) {
	maxVal := x[0]
	for _, v := range x[1:] {
		if v > maxVal {
			maxVal = v
		}
	}
	var sum float32
	for i, v := range x {
		x[i] = expf(v - maxVal)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

// activation is a vector on its way into one or more matmuls. For int8 weights
// it is int8 too, in groups like theirs.
type activation struct {
	f32   []float32 // (n,): the vector itself, not a copy
	q     []int8    // (n,)
	s     []float32 // (n/group,)
	group int       // 0: float32 weights, q and s are not used
}

func newActivation(n, group int) activation {
	if group == 0 {
		return activation{}
	}
	return activation{q: make([]int8, n), s: make([]float32, n/group), group: group}
}

// set prepares x for the matmuls that follow, and returns a.
func (a *activation) set(x []float32) *activation {
	a.f32 = x
	if a.group != 0 {
		quantize(a.q, a.s, x, a.group)
	}
	return a
}

// quantize sets q to x in units of s, the largest value of each group being 127;
// halves are rounded away from zero. What is left of x after the last whole group is
// left out, as runq.c does.
func quantize(q []int8, s, x []float32, group int) {
	for g := range s {
		xg, qg := x[g*group:][:group], q[g*group:][:group]
		var wmax float32
		for _, v := range xg {
			if v < 0 {
				v = -v
			}
			if v > wmax {
				wmax = v
			}
		}
		scale := wmax / 127
		s[g] = scale
		for i, v := range xg {
			// Not a number when all of the group is 0, or something in it is infinite.
			if v /= scale; v != v {
				v = 0
			}
			qg[i] = int8(int32(math.Round(float64(v))))
		}
	}
}

// matmul sets xout (d,) to w (d,n) @ x (n,). Nearly all of the time is spent here.
func matmul(xout []float32, x *activation, w Matrix) {
	if x.group == 0 {
		matmulF32(xout, x.f32, w.F32)
	} else {
		matmulInt8(xout, x, w)
	}
}

// matmulInt8 sums the products of each group as integers, which is exact, and the
// groups of a row in order, scaled by weight and activation, in that order.
func matmulInt8(xout []float32, x *activation, w Matrix) {
	n, group := len(x.q), x.group
	for i := range xout {
		row := w.Q[i*n:][:n]
		var val float32
		for g, xs := range x.s {
			j := g * group
			wg, xg := row[j:][:group], x.q[j:][:group]
			var ival int32
			for k, xk := range xg {
				ival += int32(xk) * int32(wg[k])
			}
			val += float32(float32(float32(ival)*w.S[(i*n+j)/group]) * xs)
		}
		xout[i] = val
	}
}

// matmulF32: four rows are summed side by side, each in the order of its columns: the
// sums do not depend on each other, so the CPU overlaps them.
func matmulF32(xout, x, w []float32) {
	n := len(x)
	i := 0
	for ; i+4 <= len(xout); i += 4 {
		w0 := w[i*n:][:n]
		w1 := w[(i+1)*n:][:n]
		w2 := w[(i+2)*n:][:n]
		w3 := w[(i+3)*n:][:n]
		var v0, v1, v2, v3 float32
		for j, xj := range x {
			v0 += float32(w0[j] * xj)
			v1 += float32(w1[j] * xj)
			v2 += float32(w2[j] * xj)
			v3 += float32(w3[j] * xj)
		}
		out := xout[i:][:4]
		out[0], out[1], out[2], out[3] = v0, v1, v2, v3
	}
	for ; i < len(xout); i++ {
		xout[i] = dot(w[i*n:][:n], x)
	}
}

// row sets x (dim,) to a row of a matrix.
func (m Matrix) row(x []float32, row, group int) {
	start := row * len(x)
	if group == 0 {
		copy(x, m.F32[start:])
		return
	}
	for i := range x {
		x[i] = float32(m.Q[start+i]) * m.S[(start+i)/group]
	}
}

// dot returns the sum of a[j]*b[j] in the order of j.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var sum float32
	for j, aj := range a {
		sum += float32(aj * b[j])
	}
	return sum
}

// rotate turns each pair of every head in vec (heads, head_size) by the
// rotations of one position, cos and sin (head_size/2,): rotary position
// embedding (Su et al. 2021), on neighbouring elements as in llama2.c.
func rotate(vec, cos, sin []float32) {
	for h := 0; h < len(vec); h += 2 * len(cos) {
		for i, c := range cos {
			v0, v1 := vec[h+2*i], vec[h+2*i+1]
			vec[h+2*i] = float32(v0*c) - float32(v1*sin[i])
			vec[h+2*i+1] = float32(v0*sin[i]) + float32(v1*c)
		}
	}
}

// Forward runs the transformer on one token at position pos and returns the
// logits of the token that follows, (vocab_size,). They are the model's own and
// valid until the next call; the caller may change them. The positions before
// pos are those of earlier calls, so a sequence starts at 0 and goes up by one.
func (t *Transformer) Forward(token, pos int) []float32 {
	p, w, s := &t.Config, &t.Weights, &t.state
	if token < 0 || token >= p.VocabSize || pos < 0 || pos >= p.SeqLen {
		panic(fmt.Sprintf("llama: Forward(token %d, pos %d): the model has %d tokens and %d positions",
			token, pos, p.VocabSize, p.SeqLen))
	}
	x := s.x
	dim, kvDim, headSize := p.Dim, p.KVDim(), p.HeadSize()
	cos := t.ropeCos[pos*headSize/2:][:headSize/2]
	sin := t.ropeSin[pos*headSize/2:][:headSize/2]

	w.TokenEmbeddingTable.row(x, token, t.group)

	for l := range p.NLayers {
		rmsnorm(s.xb, x, w.RMSAttWeight[l*dim:])

		// This position's key and value go straight into the caches.
		keys := s.keyCache[l*p.SeqLen*kvDim:][:(pos+1)*kvDim]
		values := s.valueCache[l*p.SeqLen*kvDim:][:(pos+1)*kvDim]
		k, v := keys[pos*kvDim:], values[pos*kvDim:]
		s.xq.set(s.xb)
		matmul(s.q, &s.xq, w.WQ[l])
		matmul(k, &s.xq, w.WK[l])
		matmul(v, &s.xq, w.WV[l])
		rotate(s.q, cos, sin)
		rotate(k, cos, sin)

		for h := range p.NHeads {
			kv := h / (p.NHeads / p.NKVHeads) * headSize
			attention(s.xb[h*headSize:][:headSize], s.q[h*headSize:][:headSize], keys[kv:], values[kv:], kvDim, s.att[:pos+1])
		}

		matmul(s.xb2, s.xq.set(s.xb), w.WO[l])
		for i, v := range s.xb2 {
			x[i] += v
		}

		// Feed-forward network: w2(silu(w1(x)) * w3(x)).
		rmsnorm(s.xb, x, w.RMSFFNWeight[l*dim:])
		s.xq.set(s.xb)
		matmul(s.hb, &s.xq, w.W1[l])
		matmul(s.hb2, &s.xq, w.W3[l])
		swiglu(s.hb, s.hb2)
		matmul(s.xb, s.hq.set(s.hb), w.W2[l])
		for i, v := range s.xb {
			x[i] += v
		}
	}

	rmsnorm(x, x, w.RMSFinalWeight)
	matmul(s.logits, s.xq.set(x), w.WCls)
	return s.logits
}

// attention is one head's scaled dot-product attention (Vaswani et al. 2017)
// over len(att) positions: q and out are (head_size,); keys and values hold a
// head's row every stride elements; att (positions,) is scratch.
func attention(out, q, keys, values []float32, stride int, att []float32) {
	scale := sqrtf(float32(len(q)))
	for t := range att {
		att[t] = dot(q, keys[t*stride:]) / scale
	}
	softmax(att)
	clear(out)
	for t, a := range att {
		v := values[t*stride:][:len(out)]
		for i := range out {
			out[i] += float32(a * v[i])
		}
	}
}

// swiglu sets hb to silu(hb) * hb2, silu(x) = x / (1 + e**-x) (Shazeer 2020).
func swiglu(hb, hb2 []float32) {
	for i, val := range hb {
		val *= 1 / (1 + expf(-val))
		hb[i] = val * hb2[i]
	}
}
