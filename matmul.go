package llama

import (
	"math"
	"unsafe"

	"bootllama/arena"
	"bootllama/simd"
)

// The matrix products, which take nearly all of the time, and how they are divided among
// the workers.

// Matrix is (rows, columns) in tiles, which package simd describes. It is float32, or int8
// in groups of neighbours in a row that share a scale (runq.c's QuantizedTensor).
type Matrix struct {
	Rows, Columns int
	Group         int       // size of the groups; 0: float32
	F32           []float32 // tiles of float32, or nil
	Q             []uint8   // tiles of int8 and their scales, or nil
}

// Bytes returns the memory of the tiles.
func (m *Matrix) Bytes() []byte {
	if m.Group != 0 {
		return m.Q
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(m.F32))), 4*len(m.F32))
}

// row sets x (columns,) to a row of a matrix.
func (m *Matrix) row(x []float32, row int) {
	if m.Group == 0 {
		simd.RowF32(x, m.F32, row)
	} else {
		simd.RowInt8(x, m.Q, row, m.Group)
	}
}

// tileRows returns the number of rows in a tile of m; tiles returns the number of tiles.
func (m *Matrix) tileRows() int {
	if m.Group == 0 {
		return simd.TileF32
	}
	return simd.TileInt8
}

func (m *Matrix) tiles() int { return (m.Rows + m.tileRows() - 1) / m.tileRows() }

// activation is a batch of vectors that are the input of one or more matmuls. For int8
// weights there is an int8 copy, in groups of the same size.
type activation struct {
	n, stride int
	f32       []float32 // (batch, stride), of which each row has n

	group, groups, qStride int          // 0: float32 weights
	q                      []int8       // (batch, qStride): (groups, simd.Padded(group))
	g                      []simd.Group // (batch, groups)
}

// linePad is added to the length of rows: rows with the length of a power of two would
// compete for a few lines of the cache.
const linePad = 64

func newActivation(m *arena.Arena, batch, n, group int) activation {
	a := activation{n: n, stride: n + linePad/4, group: group}
	a.f32 = arena.Make[float32](m, batch*a.stride)
	if group != 0 {
		a.groups = n / group
		a.qStride = a.groups*simd.Padded(group) + linePad
		a.q = arena.Make[int8](m, batch*a.qStride)
		a.g = arena.Make[simd.Group](m, batch*a.groups)
	}
	return a
}

// row returns the vector of a token.
func (a *activation) row(i int) []float32 { return a.f32[i*a.stride:][:a.n] }

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
	x       *activation
	tokens  int
	outputs [3]product        // w is nil behind the last
	bounds  [maxParts + 1]int // tiles: part i is those from bounds[i] to bounds[i+1]
}

// maxParts bounds the parts of a matmul; there are some dozens.
const maxParts = 1 << 10

// matmul sets the outputs to w @ x for n tokens. All weights have the same columns.
func (t *Transformer) matmul(n int, x *activation, outputs ...product) {
	tiles := t.begin(n, x, outputs)
	t.team.Do(t, t.divide(tiles), n*tiles*x.n, (*Transformer).multiply)
}

// gatedMatmul sets gate.out to silu(gate.w @ x) * (up.w @ x) for n tokens: SwiGLU (Shazeer
// 2020). up.out is scratch. Both weights have the same shape.
func (t *Transformer) gatedMatmul(n int, x *activation, gate, up product) {
	tiles := t.begin(n, x, []product{gate, up})
	t.team.Do(t, t.divide(tiles/2), n*tiles*x.n, (*Transformer).multiplyGated)
}

// begin fills in t.product, quantizes x if the weights are int8, and returns how many tiles
// the weights have together.
func (t *Transformer) begin(n int, x *activation, outputs []product) (tiles int) {
	s := &t.product
	s.x, s.tokens = x, n
	clear(s.outputs[copy(s.outputs[:], outputs):])
	for _, p := range outputs {
		tiles += p.w.tiles()
	}
	if x.group != 0 {
		t.each(n, (*Transformer).quantize)
	}
	return tiles
}

// quantize makes the input of a token int8. Values that are not finite would become 0: with
// such a scale they reach the logits, and Generator.Next sees them.
func (t *Transformer) quantize(_, i int) {
	x := t.product.x
	t.kernels.Quantize(x.q[i*x.qStride:][:x.qStride], x.g[i*x.groups:][:x.groups], x.row(i), x.group)
	if !simd.Finite(x.row(i)) {
		x.g[i*x.groups].Scale = float32(math.NaN())
	}
}

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
func (t *Transformer) multiply(_, part int) {
	s := &t.product
	from, to := s.bounds[part], s.bounds[part+1]
	for i := range s.outputs {
		p := &s.outputs[i]
		if p.w == nil || to <= 0 {
			return
		}
		tiles := p.w.tiles()
		if from < tiles {
			t.multiplyTiles(p, max(from, 0), min(to, tiles))
		}
		from, to = from-tiles, to-tiles
	}
}

// multiplyGated computes one part of gatedMatmul: the same tiles of both outputs, then SwiGLU.
func (t *Transformer) multiplyGated(_, part int) {
	s := &t.product
	from, to := s.bounds[part], s.bounds[part+1]
	gate, up := &s.outputs[0], &s.outputs[1]
	row, rows := t.multiplyTiles(gate, from, to)
	t.multiplyTiles(up, from, to)
	for i := range s.tokens {
		t.kernels.SwiGLU(gate.out[i*gate.stride+row:][:rows], up.out[i*up.stride+row:][:rows])
	}
}

// multiplyTiles computes the rows of p in some tiles of its weights, for all tokens, and
// returns which rows these are.
func (t *Transformer) multiplyTiles(p *product, from, to int) (row, rows int) {
	x, m, tokens := t.product.x, p.w, t.product.tokens
	row = from * m.tileRows()
	rows = min(to*m.tileRows(), m.Rows) - row
	if m.Group == 0 {
		w := m.F32[simd.SizeF32(row, m.Columns):]
		t.kernels.MatMulF32(p.out[row:], p.stride, x.f32, x.stride, tokens, m.Columns, w, simd.TileF32*m.Columns, rows)
	} else {
		w := m.Q[simd.SizeInt8(row, x.groups, m.Group):]
		t.kernels.MatMulInt8(p.out[row:], p.stride, x.q, x.qStride, x.g, x.groups, tokens, x.groups, m.Group, w, rows)
	}
	return row, rows
}
