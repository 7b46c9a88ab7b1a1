package llama

import (
	"bootllama/arena"
	"bootllama/simd"
)

// The matrix products, which take nearly all of the time, and how they are divided among
// the workers.

// Matrix is (rows, columns) in tiles, whose format package simd describes.
type Matrix struct {
	Rows, Columns int
	Format        simd.Format
	Tiles         []byte
}

// row sets x (columns,) to a row of a matrix.
func (m *Matrix) row(x []float32, row int) { m.Format.Row(x, m.Tiles, row) }

// tiles returns the number of tiles.
func (m *Matrix) tiles() int { return (m.Rows + m.Format.TileRows() - 1) / m.Format.TileRows() }

// linePad is added to the length of rows: rows with the length of a power of two would
// compete for a few lines of the cache.
const linePad = 64

// newActivation allocates a batch of inputs of matmuls, vectors of n values. For int8 weights
// there is an int8 copy, as in says, in one or two terms.
func newActivation(m *arena.Arena, batch, n int, in inputs, terms int) *simd.Activations {
	a := &simd.Activations{N: n, Stride: n + linePad/4, Size: in.group, Terms: terms}
	a.F32 = arena.Make[float32](m, batch*a.Stride)
	if in.group == 0 {
		return a
	}
	batch *= terms
	groups := batch * a.Count()
	a.QStride = a.Count()*simd.Padded(in.group) + linePad
	a.Q = arena.Make[int8](m, batch*a.QStride)
	a.Groups = arena.Make[simd.Group](m, groups)
	if in.quantised {
		a.Sums, a.HalfSums = arena.Make[float32](m, groups), arena.Make[float32](m, 2*groups)
		a.Halves = arena.Make[simd.Group](m, 2*groups)
	}
	return a
}

// inputs says what a model's matrices are multiplied with besides float32.
type inputs struct {
	group     int  // int8 in groups of that size; 0: nothing
	quantised bool // and what GGUF's quantised types need
	scratch   int  // bytes of memory that the product of some tiles takes

	// headsTerms is the terms (simd.Activations) of the input of wo: 2 where wo is in blocks of
	// 32. See "Numbers of GGUF models" in DESIGN.md.
	headsTerms int
}

// each does a step for every i below n, on all workers and in any order.
func (t *Transformer) each(n int, step func(t *Transformer, worker, i int)) {
	t.team.Each(t, n, step)
}

// product is an output of a matmul: out (batch, stride), of which each row gets a value for
// each row of w.
type product struct {
	out    []float32
	stride int
	w      *Matrix
}

// sharedProduct describes the matmul that the workers compute together. matmul and
// gatedMatmul write it before the workers begin; the workers only read it.
type sharedProduct struct {
	x       *simd.Activations
	tokens  int
	halves  bool              // some weights need x.Halves
	outputs [3]product        // w is nil behind the last
	bounds  [maxParts + 1]int // tiles: part i is those from bounds[i] to bounds[i+1]
}

// maxParts bounds the parts of a matmul; there are some dozens.
const maxParts = 1 << 10

// matmul sets the outputs to w @ x for n tokens. All weights have the same columns.
func (t *Transformer) matmul(n int, x *simd.Activations, outputs ...product) {
	tiles := t.begin(n, x, outputs)
	t.team.Do(t, t.divide(tiles), n*tiles*x.N, (*Transformer).multiply)
}

// gatedMatmul sets gate.out to silu(gate.w @ x) * (up.w @ x) for n tokens: SwiGLU (Shazeer
// 2020). up.out is scratch. Both weights have the same shape.
func (t *Transformer) gatedMatmul(n int, x *simd.Activations, gate, up product) {
	tiles := t.begin(n, x, []product{gate, up})
	t.team.Do(t, t.divide(min(gate.w.tiles(), up.w.tiles())), n*tiles*x.N, (*Transformer).multiplyGated)
}

// begin fills in t.product, quantizes x if weights are int8, once for all of them, and returns
// how many tiles the weights have together.
func (t *Transformer) begin(n int, x *simd.Activations, outputs []product) (tiles int) {
	s := &t.product
	s.x, s.tokens = x, n
	clear(s.outputs[copy(s.outputs[:], outputs):])
	s.halves = false
	quantize := false
	for _, p := range outputs {
		tiles += p.w.tiles()
		group, halves := p.w.Format.Group()
		quantize, s.halves = quantize || group != 0, s.halves || halves
	}
	if quantize {
		t.each(n, (*Transformer).quantize)
	}
	return tiles
}

// quantize makes the input of a token int8.
func (t *Transformer) quantize(_, i int) { t.kernels.QuantizeRow(t.product.x, i, t.product.halves) }

// divide divides tiles into parts and sets their bounds. The first parts are long, since
// memory is read fastest in long runs; the last ones are short, so that all workers finish
// at about the same time: guided self-scheduling (Polychronopoulos and Kuck 1987).
func (t *Transformer) divide(tiles int) (parts int) {
	threads := t.team.Size()
	for end := 0; end < tiles; parts++ {
		n := tiles - end
		if threads > 1 && parts < maxParts-1 {
			n = (n + 2*threads - 1) / (2 * threads)
		}
		end += n
		t.product.bounds[parts+1] = end
	}
	return parts
}

// multiply computes one part: tiles are numbered through all outputs, and a part may end
// within one output and begin within another.
func (t *Transformer) multiply(worker, part int) {
	s := &t.product
	from, to := s.bounds[part], s.bounds[part+1]
	for i := range s.outputs {
		p := &s.outputs[i]
		if p.w == nil || to <= 0 {
			return
		}
		tiles, rows := p.w.tiles(), p.w.Format.TileRows()
		if from < tiles {
			t.multiplyRows(worker, p, max(from, 0)*rows, min(to, tiles)*rows)
		}
		from, to = from-tiles, to-tiles
	}
}

// multiplyGated computes one part of gatedMatmul: the same rows of both outputs, in whole
// tiles of both, then SwiGLU.
func (t *Transformer) multiplyGated(worker, part int) {
	s := &t.product
	gate, up := &s.outputs[0], &s.outputs[1]
	tile := max(gate.w.Format.TileRows(), up.w.Format.TileRows())
	from, to := s.bounds[part]*tile, s.bounds[part+1]*tile
	rows := t.multiplyRows(worker, gate, from, to)
	t.multiplyRows(worker, up, from, to)
	for i := range s.tokens {
		t.kernels.SwiGLU(gate.out[i*gate.stride+from:][:rows], up.out[i*up.stride+from:][:rows])
	}
}

// multiplyRows computes rows of p, from the first of a tile to the last of another, for all
// tokens, and returns how many there are.
func (t *Transformer) multiplyRows(worker int, p *product, from, to int) (rows int) {
	s, m := &t.product, p.w
	rows = min(to, m.Rows) - from
	tiles, scratch := m.Tiles[m.Format.Size(from, m.Columns):], len(t.state.scratch)/t.team.Size()
	t.kernels.MatMul(m.Format, p.out[from:], p.stride, s.x, s.tokens, tiles, rows, t.state.scratch[worker*scratch:][:scratch])
	return rows
}
