// Package simd holds the loops in which a model spends its time: plain Go that
// defines what each of them computes, the Go twin, and the same for processors with
// SSE2, AVX2 and AVX-512, in assembly, which gives the same bits. Sums are taken in
// index order and a product is rounded before it is added, so lanes hold different
// rows, never parts of one sum; that is why matrices are stored in tiles.
//
// # Tiles
//
// A float32 matrix (rows, n) is stored as tiles of 32 rows: (rows/32, n, 32). A
// matrix-vector product then reads memory in one sequential stream, needs no
// horizontal sum, and each lane sums its row in order.
//
// An int8 matrix with groups of neighbours that share a scale is stored as tiles of
// 16 rows, and four columns of a row stand together, as VPDPBUSD and VPMADDWD take
// them: (group/4, 16, 4), each value plus 128. The group's 16 scales follow, so that values
// and scales are one sequential stream; a tile is (groups, group/4 + 1, 64) bytes. A group
// whose size is no multiple of four is padded with zeros (128), and so is the activation's.
//
// A last tile that has fewer rows is padded with rows of zeros; their products are dropped.
package simd

import (
	"fmt"
	"unsafe"
)

// Rows of a tile.
const (
	TileF32  = 32
	TileInt8 = 16
)

// columnsF32 is how many columns of a tile are multiplied with all tokens before the next
// columns: 64 KiB, which stay in the L2 cache meanwhile.
const columnsF32 = 512

// Kernels is one implementation of every loop. All of them compute the same bits.
type Kernels struct {
	// Name is go, sse2, avx2 or avx512.
	Name string

	// level chooses the kernels for one tile times one token: see f32 and int8.
	level level

	// The kernels for one tile times f32Tokens or int8Tokens tokens, whose activations are
	// xStride values apart, their groups gStride, and their outputs outStride. If more, the
	// sums begin with what is in out.
	f32Tokens  int // 0: there is no such kernel
	f32s       func(out *float32, outStride int, x *float32, xStride int, w *float32, n int, more bool)
	f16s       func(out *float32, outStride int, x *float32, xStride int, w *uint16, n int, more bool)
	int8Tokens int // 0: there is no such kernel
	int8s      func(out *float32, outStride int, x *int8, xStride int, g *Group, gStride int, w *uint8, groups, quads int)

	// The kernels for one tile of blocks times one token, by type, and for two to four tokens; nil: there is
	// no such kernel. Where there is none, tiles are unpacked, and where there are more than a few
	// tokens: then that is faster.
	few     int
	blocks  [len(blockFormats)]product
	blocks4 [len(blockFormats)]product4

	// The kernel for gemmRows rows and 32 columns of GemmF32.
	gemmRows int // 0: there is no such kernel
	gemm     func(out *float32, outStride int, x *float32, xRow, xColumn int, y *float32, yStride, n int, more bool)

	rmsNorm  func(o, x, weight []float32, epsilon float32)
	softmax  func(x []float32, divisor float32)
	swiGLU   func(hb, hb2 []float32)
	rotate   func(vec, cos, sin []float32)
	quantize func(q []int8, g []Group, x []float32, group int)
	add      func(x, y []float32)
	read     func(b []byte) uint64
	argmax   func(x []float32) int
}

// level is a set of instructions, by which f32, int8 and what unpacks blocks choose a kernel in a
// switch. With function variables the compiler would have to assume that their arguments escape,
// and MatMulF32 and MatMulInt8 would allocate the array `last` in every call.
type level int

const (
	goTwin level = iota
	sse2
	avx2
	avx512
)

// twin is the set of the Go twins.
var twin = Kernels{
	Name:    "go",
	rmsNorm: rmsNorm, softmax: softmax, swiGLU: swiGLU, rotate: rotate, quantize: quantize, add: add, read: read, argmax: argmax,
}

// All returns the kernels that this processor can run, the Go twin first and the
// fastest last.
func All() []*Kernels {
	return append([]*Kernels{&twin}, machine()...)
}

// Best returns the fastest kernels that this processor can run.
func Best() *Kernels {
	all := All()
	return all[len(all)-1]
}

// Named returns the kernels of that name.
func Named(name string) (*Kernels, error) {
	var names []string
	for _, k := range All() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return nil, fmt.Errorf("%q: this processor has the kernels %q", name, names)
}

// Group is what the values of an int8 activation's group have in common.
type Group struct {
	Scale float32
	// Bias is -128 times the sum of the values. Weights are stored plus 128, which makes
	// their sum of products 128 times the sum of the values too large: Bias corrects it.
	Bias int32
}

// Padded returns the number of values that a group of that size takes in memory.
func Padded(group int) int { return (group + 3) &^ 3 }

// MatMulF32 sets out (tokens, outStride), of which each row gets `rows` values, to
// the products of the activations x (tokens, xStride), n values each, with w
// (rows/32, n, 32); rows need not be a multiple of 32. stride is the distance of two
// tiles in w, at least 32*n.
func (k *Kernels) MatMulF32(out []float32, outStride int, x []float32, xStride, tokens, n int, w []float32, stride, rows int) {
	if n <= 0 || tokens <= 0 || rows <= 0 {
		return
	}
	tiles := (rows + TileF32 - 1) / TileF32
	if len(x) < (tokens-1)*xStride+n || len(w) < (tiles-1)*stride+TileF32*n || len(out) < (tokens-1)*outStride+rows ||
		stride < TileF32*n || tokens > 1 && (xStride < n || outStride < rows) {
		panic(fmt.Sprintf("simd: MatMulF32: out %d, x %d, w %d values for %d tokens, %d columns, %d rows", len(out), len(x), len(w), tokens, n, rows))
	}
	k.matMulFloats(out, outStride, x, xStride, tokens, n, unsafe.Pointer(&w[0]), 4, stride, rows)
}

// MatMulF16 is MatMulF32 for w as tiles of halves, (rows/32, n, 32). Products and sums are of
// float32.
func (k *Kernels) MatMulF16(out []float32, outStride int, x []float32, xStride, tokens, n int, w []uint16, stride, rows int) {
	if n <= 0 || tokens <= 0 || rows <= 0 {
		return
	}
	tiles := (rows + TileF32 - 1) / TileF32
	if len(x) < (tokens-1)*xStride+n || len(w) < (tiles-1)*stride+TileF32*n || len(out) < (tokens-1)*outStride+rows ||
		stride < TileF32*n || tokens > 1 && (xStride < n || outStride < rows) {
		panic(fmt.Sprintf("simd: MatMulF16: out %d, x %d, w %d values for %d tokens, %d columns, %d rows", len(out), len(x), len(w), tokens, n, rows))
	}
	k.matMulFloats(out, outStride, x, xStride, tokens, n, unsafe.Pointer(&w[0]), 2, stride, rows)
}

// matMulFloats is both; size is that of a value of w, in bytes.
func (k *Kernels) matMulFloats(out []float32, outStride int, x []float32, xStride, tokens, n int, w unsafe.Pointer, size, stride, rows int) {
	var last [TileF32]float32
	for i := range (rows + TileF32 - 1) / TileF32 {
		tile := unsafe.Add(w, i*stride*size)
		o, left := out[i*TileF32:], rows-i*TileF32
		t := 0
		if left >= TileF32 {
			if k.f32Tokens > 0 {
				t = tokens - tokens%k.f32Tokens
			}
			for j := 0; j < n && t > 0; j += columnsF32 {
				columns := unsafe.Add(tile, j*TileF32*size)
				for u := 0; u < t; u += k.f32Tokens {
					if xu, ou, m := &x[u*xStride+j], &o[u*outStride], min(n-j, columnsF32); size == 4 {
						k.f32s(ou, outStride, xu, xStride, (*float32)(columns), m, j > 0)
					} else {
						k.f16s(ou, outStride, xu, xStride, (*uint16)(columns), m, j > 0)
					}
				}
			}
			for ; t < tokens; t++ {
				k.float(&o[t*outStride], &x[t*xStride], tile, size, n)
			}
			continue
		}
		for ; t < tokens; t++ {
			k.float(&last[0], &x[t*xStride], tile, size, n)
			copy(o[t*outStride:][:left], last[:])
		}
	}
}

// float multiplies a tile of values of that size by one token.
func (k *Kernels) float(out, x *float32, tile unsafe.Pointer, size, n int) {
	if size == 4 {
		k.f32(out, x, (*float32)(tile), n)
	} else {
		k.f16(out, x, (*uint16)(tile), n)
	}
}

// GemmF32 sets out, (rows, columns) with its rows outStride apart, to the product of x (rows, n)
// and y (n, columns), or adds it if more: the sums then begin with what is in out (BLAS's
// sgemm). No matrix is in tiles. The rows of y are yStride values apart, the rows of x xRow
// and its columns xColumn, so that x can be the transpose of what is in memory.
func (k *Kernels) GemmF32(out []float32, outStride int, x []float32, xRow, xColumn int, y []float32, yStride, rows, n, columns int, more bool) {
	if rows <= 0 || columns <= 0 || n <= 0 {
		return
	}
	if len(out) < (rows-1)*outStride+columns || len(x) < (rows-1)*xRow+(n-1)*xColumn+1 || len(y) < (n-1)*yStride+columns ||
		outStride < columns || xRow < 1 || xColumn < 1 || yStride < 1 {
		panic(fmt.Sprintf("simd: GemmF32: out %d, x %d, y %d values for %d rows, %d products, %d columns", len(out), len(x), len(y), rows, n, columns))
	}
	wholeRows, wholeColumns := 0, 0
	if k.gemmRows > 0 {
		wholeRows, wholeColumns = rows-rows%k.gemmRows, columns-columns%TileF32
	}
	for j := 0; j < wholeColumns; j += TileF32 {
		for i := 0; i < wholeRows; i += k.gemmRows {
			k.gemm(&out[i*outStride+j], outStride, &x[i*xRow], xRow, xColumn, &y[j], yStride, n, more)
		}
	}
	if wholeColumns < columns && wholeRows > 0 {
		gemm(out[wholeColumns:], outStride, x, xRow, xColumn, y[wholeColumns:], yStride, wholeRows, n, columns-wholeColumns, more)
	}
	if wholeRows < rows {
		gemm(out[wholeRows*outStride:], outStride, x[wholeRows*xRow:], xRow, xColumn, y, yStride, rows-wholeRows, n, columns, more)
	}
}

// MatMulInt8 is MatMulF32 for w as tiles of int8: q (tokens, qStride) are the
// activations, g (tokens, gStride) their groups, of which each token has `groups`.
func (k *Kernels) MatMulInt8(out []float32, outStride int, q []int8, qStride int, g []Group, gStride, tokens, groups, group int, w []uint8, rows int) {
	if groups <= 0 || tokens <= 0 || rows <= 0 {
		return
	}
	n, size := groups*Padded(group), sizeInt8(groups, group)
	tiles := (rows + TileInt8 - 1) / TileInt8
	if len(q) < (tokens-1)*qStride+n || len(g) < (tokens-1)*gStride+groups || len(out) < (tokens-1)*outStride+rows ||
		len(w) < tiles*size || group < 1 || tokens > 1 && (qStride < n || gStride < groups || outStride < rows) {
		panic(fmt.Sprintf("simd: MatMulInt8: out %d, q %d, g %d, w %d values for %d tokens, %d groups of %d, %d rows", len(out), len(q), len(g), len(w), tokens, groups, group, rows))
	}
	quads := Padded(group) / 4
	var last [TileInt8]float32
	for i := range tiles {
		wt := &w[i*size]
		o, left := out[i*TileInt8:], rows-i*TileInt8
		t := 0
		if left >= TileInt8 {
			for ; k.int8Tokens > 0 && t+k.int8Tokens <= tokens; t += k.int8Tokens {
				k.int8s(&o[t*outStride], outStride, &q[t*qStride], qStride, &g[t*gStride], gStride, wt, groups, quads)
			}
			for ; t < tokens; t++ {
				k.int8(&o[t*outStride], &q[t*qStride], &g[t*gStride], wt, groups, quads)
			}
			continue
		}
		for ; t < tokens; t++ {
			k.int8(&last[0], &q[t*qStride], &g[t*gStride], wt, groups, quads)
			copy(o[t*outStride:][:left], last[:])
		}
	}
}

// RMSNorm sets o to x / sqrt(mean(x**2) + epsilon) * weight (Zhang and Sennrich 2019;
// run.c's rmsnorm, whose epsilon is 1e-5). All have the same length; o may be x.
func (k *Kernels) RMSNorm(o, x, weight []float32, epsilon float32) {
	if len(o) != len(x) || len(weight) != len(x) {
		panic(fmt.Sprintf("simd: RMSNorm: lengths %d, %d, %d", len(o), len(x), len(weight)))
	}
	k.rmsNorm(o, x, weight, epsilon)
}

// Softmax divides x by divisor and replaces it by e**x / sum(e**x); the maximum is
// subtracted first, so that nothing overflows (run.c's softmax).
func (k *Kernels) Softmax(x []float32, divisor float32) {
	if len(x) > 0 {
		k.softmax(x, divisor)
	}
}

// SwiGLU sets hb to silu(hb) * hb2, silu(x) = x / (1 + e**-x) (Shazeer 2020). Both have
// the same length.
func (k *Kernels) SwiGLU(hb, hb2 []float32) {
	if len(hb) != len(hb2) {
		panic(fmt.Sprintf("simd: SwiGLU: lengths %d, %d", len(hb), len(hb2)))
	}
	k.swiGLU(hb, hb2)
}

// Rotate turns each pair of every head in vec (heads, head_size), one head or several, by
// the rotations of one position, cos and sin (head_size/2,): rotary position embedding (Su
// et al. 2021). Pair i of a head is its values 2i and 2i+1, as in llama2.c.
func (k *Kernels) Rotate(vec, cos, sin []float32) {
	checkRotate("Rotate", vec, cos, sin)
	k.rotate(vec, cos, sin)
}

// RotateHalves is Rotate for models whose pair i of a head is its values i and
// i+head_size/2, as in GPT-NeoX; GGUF's qwen2 and qwen3 have it. It is plain Go
// on every processor: 0.8 ns a pair, next to nothing beside the products of a token.
func (k *Kernels) RotateHalves(vec, cos, sin []float32) {
	checkRotate("RotateHalves", vec, cos, sin)
	rotateHalves(vec, cos, sin)
}

func checkRotate(name string, vec, cos, sin []float32) {
	if len(cos) != len(sin) || len(cos) == 0 || len(vec)%(2*len(cos)) != 0 {
		panic(fmt.Sprintf("simd: %s: %d values, %d cosines, %d sines", name, len(vec), len(cos), len(sin)))
	}
}

// Quantize sets q (groups, Padded(group)) to x in units of the scales in g (groups,),
// the largest value of each group being 127; halves are rounded away from zero. Values
// behind the last whole group are left out, as in runq.c. Where x divided by its scale is not
// finite, q is 0.
func (k *Kernels) Quantize(q []int8, g []Group, x []float32, group int) {
	if group <= 0 || len(x) < len(g)*group || len(q) < len(g)*Padded(group) {
		panic(fmt.Sprintf("simd: Quantize: %d values of %d into %d groups of %d", len(q), len(x), len(g), group))
	}
	k.quantize(q, g, x, group)
}

// Add adds y to x. Both have the same length.
func (k *Kernels) Add(x, y []float32) {
	if len(x) != len(y) {
		panic(fmt.Sprintf("simd: Add: lengths %d, %d", len(x), len(y)))
	}
	k.add(x, y)
}

// Argmax returns the index of the largest value of x, the first among equals (run.c's
// sample_argmax). NaNs are passed over; but if x[0] is one, the result is 0. x must not be
// empty.
func (k *Kernels) Argmax(x []float32) int {
	if len(x) == 0 {
		panic("simd: Argmax: no values")
	}
	if x[0] != x[0] {
		return 0
	}
	return k.argmax(x)
}

// Read reads b as fast as the processor can, to measure the speed of its memory, and
// returns the exclusive or of all its 8-byte words. Up to 7 bytes at the end are left out.
func (k *Kernels) Read(b []byte) uint64 { return k.read(b) }
