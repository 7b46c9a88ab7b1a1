package llama

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"bootllama/quant"
	"bootllama/simd"
)

// reference is run.c's transformer, and runq.c's for int8, as plainly as it can be
// written: no tiles, kernels, batches or workers. What the Transformer computes must be
// the same bits. It is what to lay beside run.c.
type reference struct {
	Config
	w          map[string][]plainTensor // by run.c's name: one for each layer
	keyCache   [][]float32              // (layer) (seq_len, kv_dim)
	valueCache [][]float32              // (layer) (seq_len, kv_dim)
}

// plainTensor is (rows, n), as it stands in the file.
type plainTensor struct {
	rows, n int
	f32     []float32 // (rows, n); nil: int8
	q       []int8    // (rows, n)
	s       []float32 // (rows*n/group,): the scale of each group
	group   int
	blocks  []quant.Block // of GGUF's quantised types, size values in each,
	size    int
	terms   int // and so many int8 vectors for an activation
}

// forward is run.c's forward, in its order and with its names. What run.c does not have
// stands behind an if.
func (t *reference) forward(token, pos int) []float32 {
	p := t.Config
	dim, headSize, kvDim, kvMul := p.Dim, p.HeadSize, p.KVDim(), p.NHeads/p.NKVHeads
	x, xb, heads := make([]float32, dim), make([]float32, dim), make([]float32, p.QDim())
	q, k, v := make([]float32, p.QDim()), make([]float32, kvDim), make([]float32, kvDim)
	hb, hb2 := make([]float32, p.HiddenDim), make([]float32, p.HiddenDim)

	// copy the token embedding into x
	embedding := t.w["token_embedding_table"][0]
	for i := range x {
		x[i] = embedding.at(token*dim + i)
	}
	for l := range p.NLayers {
		// attention rmsnorm
		rmsnorm(xb, x, t.w["rms_att_weight"][l].f32, p.NormEpsilon)

		// qkv matmuls for this position
		t.w["wq"][l].matmul(q, xb)
		t.w["wk"][l].matmul(k, xb)
		t.w["wv"][l].matmul(v, xb)
		if p.QKVBias {
			accum(q, t.w["bq"][l].f32)
			accum(k, t.w["bk"][l].f32)
			accum(v, t.w["bv"][l].f32)
		}
		if p.QKNorm {
			for h := range p.NHeads {
				rmsnorm(q[h*headSize:][:headSize], q[h*headSize:][:headSize], t.w["rms_q_weight"][l].f32, p.NormEpsilon)
			}
			for h := range p.NKVHeads {
				rmsnorm(k[h*headSize:][:headSize], k[h*headSize:][:headSize], t.w["rms_k_weight"][l].f32, p.NormEpsilon)
			}
		}

		// RoPE relative positional encoding: complex-valued rotate q and k in each head
		for i := 0; i < p.QDim(); i += 2 {
			headDim := i % headSize
			freq := 1 / simd.Pow(p.RoPEBase, float32(headDim)/float32(headSize))
			if p.RoPEDivisors {
				freq /= t.w["rope_divisors"][0].f32[headDim/2]
			}
			val := float32(pos) * freq
			fci, fcr := simd.SinCos(val)
			i0, i1 := i, i+1
			if p.RoPEHalves {
				i0 = i - headDim + headDim/2
				i1 = i0 + headSize/2
			}
			rotate := func(vec []float32) {
				v0, v1 := vec[i0], vec[i1]
				vec[i0] = float32(v0*fcr) - float32(v1*fci)
				vec[i1] = float32(v0*fci) + float32(v1*fcr)
			}
			rotate(q)
			if i < kvDim {
				rotate(k)
			}
		}

		// save key, value at this time step (pos) to our kv cache
		copy(t.keyCache[l][pos*kvDim:], k)
		copy(t.valueCache[l][pos*kvDim:], v)
		if p.KVFloat16 {
			toFloat16(t.keyCache[l][pos*kvDim:][:kvDim])
			toFloat16(t.valueCache[l][pos*kvDim:][:kvDim])
		}

		// multihead attention
		for h := range p.NHeads {
			q := q[h*headSize:][:headSize]
			att := make([]float32, pos+1)
			for t0 := range att {
				k := t.keyCache[l][t0*kvDim+h/kvMul*headSize:][:headSize]
				var score float32
				for i := range q {
					score += float32(q[i] * k[i])
				}
				att[t0] = score / float32(math.Sqrt(float64(headSize)))
			}
			softmax(att)
			xb := heads[h*headSize:][:headSize]
			clear(xb)
			for t0, a := range att {
				v := t.valueCache[l][t0*kvDim+h/kvMul*headSize:][:headSize]
				for i := range xb {
					xb[i] += float32(a * v[i])
				}
			}
		}

		// final matmul to get the output of the attention, residual connection back into x
		t.w["wo"][l].matmul(xb, heads)
		accum(x, xb)

		// ffn rmsnorm
		rmsnorm(xb, x, t.w["rms_ffn_weight"][l].f32, p.NormEpsilon)

		// self.w2(F.silu(self.w1(x)) * self.w3(x))
		t.w["w1"][l].matmul(hb, xb)
		t.w["w3"][l].matmul(hb2, xb)
		for i, val := range hb {
			val *= 1 / (1 + simd.Exp(-val))
			hb[i] = val * hb2[i]
		}
		t.w["w2"][l].matmul(xb, hb)
		accum(x, xb)
	}

	// final rmsnorm, classifier into logits
	rmsnorm(x, x, t.w["rms_final_weight"][0].f32, p.NormEpsilon)
	logits := make([]float32, p.VocabSize)
	t.w["wcls"][0].matmul(logits, x)
	return logits
}

// toFloat16 rounds to the nearest float16, the even one of two.
func toFloat16(x []float32) {
	for i, v := range x {
		if v != 0 {
			unit := math.Ldexp(1, max(math.Ilogb(float64(v)), -14)-10)
			x[i] = float32(math.RoundToEven(float64(v)/unit) * unit)
		}
	}
}

func rmsnorm(o, x, weight []float32, epsilon float32) {
	var ss float32
	for _, v := range x {
		ss += float32(v * v)
	}
	ss /= float32(len(x))
	ss += epsilon
	ss = 1 / float32(math.Sqrt(float64(ss)))
	for j, v := range x {
		o[j] = weight[j] * (ss * v)
	}
}

func softmax(x []float32) {
	maxVal := x[0]
	for _, v := range x {
		maxVal = max(maxVal, v)
	}
	var sum float32
	for i, v := range x {
		x[i] = simd.Exp(v - maxVal)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

func accum(x, y []float32) {
	for i, v := range y {
		x[i] += v
	}
}

// at returns a value of the tensor: for int8, runq.c's dequantize.
func (w *plainTensor) at(i int) float32 {
	if w.f32 != nil {
		return w.f32[i]
	}
	if w.blocks != nil {
		return w.blocks[i/w.size].Value(i % w.size)
	}
	return float32(w.q[i]) * w.s[i/w.group]
}

// matmul is W (d,n) @ x (n,) -> xout (d,), for int8 with runq.c's quantize before it.
func (w *plainTensor) matmul(xout, x []float32) {
	n, gs := w.n, w.group
	if w.f32 != nil {
		for i := range xout {
			var val float32
			for j := range n {
				val += float32(w.f32[i*n+j] * x[j])
			}
			xout[i] = val
		}
		return
	}
	if w.blocks != nil {
		w.matmulBlocks(xout, x)
		return
	}
	q, s := quantize(x, gs)
	for i := range xout {
		var val float32
		in := i * n
		for j := 0; j <= n-gs; j += gs {
			var ival int32
			for k := range gs {
				ival += int32(q[j+k]) * int32(w.q[in+j+k])
			}
			val += float32(float32(float32(ival)*w.s[(in+j)/gs]) * s[j/gs])
		}
		xout[i] = val
	}
}

// quantize is runq.c's.
func quantize(x []float32, gs int) (q []int8, s []float32) {
	q, s = make([]int8, len(x)), make([]float32, len(x)/gs)
	for group := range s {
		var wmax float32
		for _, v := range x[group*gs:][:gs] {
			wmax = max(wmax, float32(math.Abs(float64(v))))
		}
		s[group] = wmax / 127
		for i := group * gs; i < (group+1)*gs; i++ {
			q[i] = int8(math.Round(float64(x[i] / s[group])))
		}
	}
	return q, s
}

// matmulBlocks is matmul as simd.FormatOf defines it for GGUF's quantised types.
func (w *plainTensor) matmulBlocks(xout, x []float32) {
	clear(xout)
	left := slices.Clone(x)
	for range w.terms {
		q, s := quantize(left, 32)
		for i := range xout {
			var o, m float32
			for j := 0; j < w.n; j += w.group {
				b, at := &w.blocks[(i*w.n+j)/w.size], (i*w.n+j)%w.size
				g := at / w.group
				var isum, xsum int32
				for k := range w.group {
					isum += int32(q[j+k]) * int32(b.Values[at+k])
					xsum += int32(q[j+k])
				}
				o += float32(float32(float32(isum)*float32(b.D*float32(b.Scales[g]))) * s[j/32])
				m += float32(float32(b.DMin*float32(b.Mins[g])) * float32(s[j/32]*float32(xsum)))
			}
			xout[i] += o - m
		}
		for i := range left {
			left[i] -= float32(float32(q[i]) * s[i/32])
		}
	}
}

// newReference reads the tensors of a file.
func newReference(h Header, file []byte) *reference {
	t := &reference{Config: h.Config, w: map[string][]plainTensor{}}
	for _, a := range h.Config.arrays(&Weights{}) {
		t.w[a.name] = make([]plainTensor, a.layers)
		for l := range t.w[a.name] {
			t.w[a.name][l] = plainTensor{rows: a.rows, n: a.columns}
		}
	}
	headsTerms := 1
	for _, x := range h.Tensors {
		if values, _ := x.Type.Block(); x.Weight == "wo" && values == 32 {
			headsTerms = 2
		}
	}
	for _, x := range h.Tensors {
		if x.Weight == "" {
			continue
		}
		w, b := &t.w[x.Weight][x.Layer], bytes.NewReader(file[x.Offset:][:x.Bytes])
		read := func(dst any) {
			if err := binary.Read(b, binary.LittleEndian, dst); err != nil {
				panic(err)
			}
		}
		if x.Type.Quantised() {
			values, size := x.Type.Block()
			w.blocks, w.size, w.group, w.terms = make([]quant.Block, x.Rows*x.Columns/values), values, x.Type.Group(), 1
			if x.Weight == "wo" {
				w.terms = headsTerms
			}
			for i := range w.blocks {
				x.Type.Unpack(&w.blocks[i], file[x.Offset:][i*size:])
			}
			continue
		}
		if x.Type != Int8 {
			w.f32 = make([]float32, x.Rows*x.Columns)
			x.Type.Dequantize(w.f32, file[x.Offset:][:x.Bytes])
			continue
		}
		w.q, w.s, w.group = make([]int8, x.Rows*x.Columns), make([]float32, x.Rows*x.Columns/x.Group), x.Group
		read(w.q)
		read(w.s)
	}
	if w := t.w["wcls"][0]; w.f32 == nil && w.q == nil && w.blocks == nil {
		t.w["wcls"] = t.w["token_embedding_table"]
	}
	for range h.Config.NLayers {
		t.keyCache = append(t.keyCache, make([]float32, h.Config.SeqLen*h.Config.KVDim()))
		t.valueCache = append(t.valueCache, make([]float32, h.Config.SeqLen*h.Config.KVDim()))
	}
	return t
}

// TestReference: the logits of every position are the reference's, bit for bit: of the
// files in the repository, of random models of llama2.c's, and of such as have what
// other models of the family have.
func TestReference(t *testing.T) {
	for _, name := range []string{"models/tales.bin", randomModel, randomInt8} {
		t.Run(name, func(t *testing.T) {
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			h, err := ReadHeader(bytes.NewReader(file), int64(len(file)), name)
			if err != nil {
				t.Fatal(err)
			}
			compareWithReference(t, h, file)
		})
	}
	for _, l := range []llama2c{
		{config: shape(64, 172, 2, 8, 4, 300, 40)},
		{version: 1, config: shape(96, 256, 2, 2, 1, 301, 40), sharedClassifier: true}, // heads of 48
		{version: 2, config: shape(64, 192, 2, 8, 8, 300, 40), groupSize: 32},
		{version: 2, config: shape(64, 172, 2, 8, 4, 300, 40), groupSize: 8}, // straddling w2's rows
	} {
		t.Run(fmt.Sprintf("version %d", l.version), func(t *testing.T) {
			h := Header{Name: "random", Config: l.config, Tensors: l.tensors()}
			compareWithReference(t, h, append(make([]byte, l.size()), randomWeights(h.Tensors)...))
		})
	}
	for name, change := range map[string]func(*Config){
		"head size apart from dim": func(c *Config) { c.HeadSize = 24 },
		"epsilon and base":         func(c *Config) { c.NormEpsilon, c.RoPEBase = 1e-2, 500000 },
		"halves":                   func(c *Config) { c.RoPEHalves = true },
		"divisors":                 func(c *Config) { c.RoPEDivisors = true },
		"biases":                   func(c *Config) { c.QKVBias = true },
		"norms of heads":           func(c *Config) { c.QKNorm = true },
		"float16":                  func(c *Config) { c.KVFloat16 = true },
		"all of them": func(c *Config) {
			*c = Config{c.Dim, c.HiddenDim, c.NLayers, c.NHeads, 2, c.VocabSize, c.SeqLen, 40, 1e-6, 1e6, true, true, true, true, false}
		},
	} {
		for _, group := range []int{0, 8} {
			t.Run(fmt.Sprintf("%s, groups of %d", name, group), func(t *testing.T) {
				c := shape(64, 96, 2, 4, 4, 300, 40)
				change(&c)
				h := plainHeader(c, group)
				compareWithReference(t, h, randomWeights(h.Tensors))
			})
		}
	}
}

// mixedConfig has rows of 256 values and a multiple of it, and tiles that are not full.
var mixedConfig = Config{256, 512, 2, 4, 2, 300, 3 * Batch, 128, 1e-6, 1e6, true, true, true, true, true}

// TestReferenceOfTypes: the same for GGUF's types, and for files in which each matrix has
// another one.
func TestReferenceOfTypes(t *testing.T) {
	for i, typ := range quant.Types {
		if testing.Short() && i%15 != 3 {
			continue
		}
		t.Run(typ.String(), func(t *testing.T) {
			h := plainHeader(mixedConfig, 0).ofTypes(typ)
			compareWithReference(t, h, randomWeights(h.Tensors))
		})
		t.Run(fmt.Sprint("mixture ", i), func(t *testing.T) {
			h := plainHeader(mixedConfig, 0).ofTypes(append(slices.Clone(quant.Types[i:]), quant.Types[:i]...)...)
			compareWithReference(t, h, randomWeights(h.Tensors))
		})
	}
}

// ofTypes gives the matrices of h these types in turn, with a few bytes before each tensor.
func (h Header) ofTypes(types ...Type) Header {
	var offset int64
	h.Tensors = slices.Clone(h.Tensors)
	for i := range h.Tensors {
		x := &h.Tensors[i]
		if x.Rows > 1 {
			x.Type = types[i%len(types)]
		}
		x.Offset, x.Bytes = offset, x.Size()
		offset += x.Bytes + int64(i%5)
	}
	return h
}

// compareWithReference runs a random text through both.
func compareWithReference(t *testing.T, h Header, file []byte) {
	t.Helper()
	checkpoint, err := Load(bytes.NewReader(file[h.Tensors[0].Offset:]), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := checkpoint.Close(); err != nil {
			t.Error(err)
		}
	}()
	tr := NewTransformer(checkpoint, Options{})
	defer tr.Close()
	want := newReference(h, file)
	rng := rand.New(rand.NewPCG(7, 8))
	for pos := range min(h.Config.SeqLen, 64) {
		token := rng.IntN(h.Config.VocabSize)
		got := tr.Forward(token, pos)
		for i, v := range want.forward(token, pos) {
			if math.Float32bits(got[i]) != math.Float32bits(v) || v-v != 0 {
				t.Fatalf("position %d: logit %d is %g, the reference's %g", pos, i, got[i], v)
			}
		}
	}
}

// plainHeader describes a model whose file has nothing but the tensors, in the order of
// Weights but for the layers, which go down.
func plainHeader(c Config, group int) Header {
	h := Header{Name: "plain", Config: c}
	var offset int64
	for _, a := range c.arrays(&Weights{}) {
		for l := a.layers - 1; l >= 0; l-- {
			x := Tensor{Name: fmt.Sprintf("%s of layer %d", a.name, l), Weight: a.name, Layer: l, Rows: a.rows, Columns: a.columns, Offset: offset}
			x.Bytes = int64(4 * a.rows * a.columns)
			if group != 0 && a.vectors == nil {
				x.Type, x.Group, x.Bytes = Int8, group, int64(a.rows*(a.columns+4*a.columns/group))
			}
			offset += x.Bytes
			h.Tensors = append(h.Tensors, x)
		}
	}
	return h
}
