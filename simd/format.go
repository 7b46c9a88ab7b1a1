package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"bootllama/quant"
)

// Format is how the matrices of a type lie in memory, in tiles of some rows, and how they are
// multiplied. w is always the tiles of a matrix of that many columns, from some tile on; the
// address of a tile is a multiple of 4. A row is counted from the beginning of w.
type Format interface {
	// String describes the numbers of a matrix to a person.
	String() string
	// TileRows returns the number of rows in a tile.
	TileRows() int
	// Size returns the bytes that the tiles of (rows, columns) take.
	Size(rows, columns int) int
	// Pack fills tiles of w with src, which is rows of the file, those of the matrix from row on,
	// which begins a tile. It returns where in src the first float is that is not finite, or -1.
	Pack(w, src []byte, row, columns int) (bad int)
	// Row sets x (columns,) to a row.
	Row(x []float32, w []byte, row int)

	// Group returns the size of the groups in which activations have to be int8, or 0 if they are
	// float32; halves says that Activations.Halves is read, too.
	Group() (group int, halves bool)
	// Scratch returns the bytes that MatMul needs for itself, for up to so many tokens.
	Scratch(columns, tokens int) int
	// MatMul sets out (tokens, outStride), of which each row gets `rows` values, to the products
	// of w and the vectors of x, each as long as a row; see MatMulF32.
	MatMul(k *Kernels, out []float32, outStride int, x *Activations, tokens int, w []byte, rows int, scratch []byte)
}

// Activations are vectors that matrices are multiplied with, in the forms that formats need.
type Activations struct {
	N      int       // values of a vector
	Stride int       // their distance in F32
	F32    []float32 // (batch, Stride)

	// The same in int8: each vector is the sum of one or two, Terms. The second is int8 of what
	// rounding left, and next to float32. All are nil where no format needs int8.
	Terms    int
	Size     int       // of the groups
	QStride  int       // distance of the vectors in Q
	Q        []int8    // (batch, Terms, QStride): (groups, Padded(Size))
	Groups   []Group   // (batch, Terms, groups)
	Halves   []Group   // (batch, Terms, 2*groups): the same for the halves of the groups, whose scales are equal
	Sums     []float32 // (batch, Terms, groups): scale times the sum of the values
	HalfSums []float32 // (batch, Terms, 2*groups)
}

// Row returns vector i.
func (x *Activations) Row(i int) []float32 { return x.F32[i*x.Stride:][:x.N] }

// Count returns the number of groups of a vector.
func (x *Activations) Count() int { return x.N / x.Size }

// QuantizeRow makes vector i int8, and its halves if asked for; if there are two terms, what
// rounding left of it takes its place in F32. Values that are not finite would become 0: then
// the first scale is NaN, and with it every product.
func (k *Kernels) QuantizeRow(x *Activations, i int, halves bool) {
	row, n := x.Row(i), x.Count()
	finite := Finite(row)
	for i := i * x.Terms; ; i++ {
		q, groups := x.Q[i*x.QStride:][:x.QStride], x.Groups[i*n:][:n]
		k.Quantize(q, groups, row, x.Size)
		if !finite {
			groups[0].Scale = float32(math.NaN())
		}
		if x.Sums != nil {
			for j, g := range groups {
				x.Sums[i*n+j] = g.Scale * float32(-g.Bias/128)
			}
		}
		if halves {
			halve(x.Halves[i*2*n:][:2*n], x.HalfSums[i*2*n:][:2*n], groups, q, x.Size)
		}
		if (i+1)%x.Terms == 0 {
			return
		}
		rest(row, q, groups, x.Size)
	}
}

// rest takes the values of q off x: what is left is what rounding took. The size of the
// groups is a multiple of 4.
func rest(x []float32, q []int8, groups []Group, size int) {
	for i, g := range groups {
		xg, qg := x[i*size:][:size], q[i*size:][:size]
		for j, v := range qg {
			xg[j] -= float32(float32(v) * g.Scale)
		}
	}
}

// halve divides groups of q in two: halves (groups, 2), and sums (groups, 2), scale times sum.
func halve(halves []Group, sums []float32, groups []Group, q []int8, size int) {
	for j, g := range groups {
		var first int32
		for _, v := range q[j*size:][:size/2] {
			first += int32(v)
		}
		second := -g.Bias/128 - first
		halves[2*j], halves[2*j+1] = Group{g.Scale, -128 * first}, Group{g.Scale, -128 * second}
		sums[2*j], sums[2*j+1] = g.Scale*float32(first), g.Scale*float32(second)
	}
}

// MatMul is f's MatMul for vectors of one or two terms: the products of both are added. scratch
// has the bytes that Scratch says.
func (k *Kernels) MatMul(f Format, out []float32, outStride int, x *Activations, tokens int, w []byte, rows int, scratch []byte) {
	if group, _ := f.Group(); group == 0 || x.Terms == 1 {
		f.MatMul(k, out, outStride, x, tokens, w, rows, scratch)
		return
	}
	size := f.TileRows()
	both := float32s(scratch)[:2*tokens*size]
	for row := 0; row < rows; row += size { // a tile is in the cache for the second term
		n := min(size, rows-row)
		f.MatMul(k, both, size, x, 2*tokens, w[f.Size(row, x.N):], n, scratch[4*len(both):])
		for t := range tokens {
			o := out[t*outStride+row:][:n]
			copy(o, both[2*t*size:])
			k.Add(o, both[(2*t+1)*size:][:n])
		}
	}
}

// Scratch returns the bytes of memory that MatMul needs for itself, for up to so many tokens.
func Scratch(f Format, columns, tokens int) int {
	return 4*2*tokens*f.TileRows() + f.Scratch(columns, 2*tokens)
}

// FormatOf returns the format in which matrices of a type are held, or nil if there is none.
// Floats become float32. Quantised matrices keep their integers, and a product with one of
// them is, on every processor and in every format, with the weights as quant.Block has them,
//
//	o, m := 0, 0
//	for each group of a row, in order (16 or 32 neighbours):
//		o += isum * (D*Scale) * xscale
//		m += (DMin*Min) * (xscale*xsum)
//	o - m, or o for types without minima
//
// where activations are int8 in groups of 32 with the scale xscale (Quantize), isum is the sum
// of the products of integers of weights and activations, exact, and xsum that of the
// activations alone. All else is float32, and a product is rounded before it is added.
func FormatOf(t quant.Type) Format {
	switch {
	case t == quant.F32 || t == quant.F16 || t == quant.BF16:
		return floats{t}
	case !t.Quantised():
		return nil
	}
	return &blockFormats[t]
}

// Int8 returns the format of llama2.c's int8: groups of any size, each with a float32 scale.
// In the file scales stand behind all values: Pack reads the values, PackScales the scales.
// Columns behind the last whole group are left out.
func Int8(group int) Format { return int8s(group) }

// floats is the format of floats of some type: tiles of float32.
type floats struct{ quant.Type }

func (f floats) String() string {
	if f.Type == quant.F32 {
		return "float32"
	}
	return f.Type.String() + " as float32"
}

func (floats) TileRows() int                      { return TileF32 }
func (floats) Size(rows, columns int) int         { return 4 * SizeF32(rows, columns) }
func (floats) Group() (group int, halves bool)    { return 0, false }
func (floats) Scratch(columns, tokens int) int    { return 0 }
func (floats) Row(x []float32, w []byte, row int) { RowF32(x, float32s(w), row) }
func (f floats) Pack(w, src []byte, row, columns int) (bad int) {
	if f.Type == quant.F32 {
		if bad = PackF32(float32s(w), src, row, columns); bad > 0 {
			bad *= 4
		}
		return bad
	}
	return f.packHalves(float32s(w), src, row, columns)
}

// packHalves is PackF32 for F16 and BF16, 16 columns at a time: some cache lines of each.
func (f floats) packHalves(w []float32, src []byte, row, columns int) (bad int) {
	rows := len(src) / (2 * columns)
	checkTiles("Pack", len(w), SizeF32(row+rows, columns), row >= 0 && row%TileF32 == 0 && len(src) == 2*rows*columns)
	const line = 16
	var exponents uint32 // bit 15 is set if some value is not finite
	for j := 0; j < columns; j += line {
		for r := range rows {
			from := src[2*(r*columns+j):][:2*min(line, columns-j)]
			to := w[SizeF32((row+r)/TileF32*TileF32, columns)+j*TileF32+r%TileF32:]
			if f.Type == quant.BF16 { // the upper half of a float32
				for i := 0; i < len(from); i += 2 {
					h := uint32(binary.LittleEndian.Uint16(from[i:]))
					exponents |= h&0x7f80 + 0x80
					to[i/2*TileF32] = math.Float32frombits(h << 16)
				}
				continue
			}
			for i := 0; i < len(from); i += 2 { // Float16 of what is finite, in one multiplication
				h := uint32(binary.LittleEndian.Uint16(from[i:]))
				exponents |= h&0x7c00 + 0x400
				v := math.Float32frombits(h&0x7fff<<13) * (1 << 112)
				to[i/2*TileF32] = math.Float32frombits(math.Float32bits(v) | h&0x8000<<16)
			}
		}
	}
	if exponents>>15 == 0 {
		return -1
	}
	return f.NotFinite(src)
}

func (floats) MatMul(k *Kernels, out []float32, outStride int, x *Activations, tokens int, w []byte, rows int, _ []byte) {
	k.MatMulF32(out, outStride, x.F32, x.Stride, tokens, x.N, float32s(w), TileF32*x.N, rows)
}

// int8s is the format of llama2.c's int8, in groups of that size.
type int8s int

func (f int8s) String() string                     { return fmt.Sprintf("int8 in groups of %d", int(f)) }
func (f int8s) TileRows() int                      { return TileInt8 }
func (f int8s) Size(rows, columns int) int         { return SizeInt8(rows, columns/int(f), int(f)) }
func (f int8s) Group() (group int, halves bool)    { return int(f), false }
func (f int8s) Scratch(columns, tokens int) int    { return 0 }
func (f int8s) Row(x []float32, w []byte, row int) { RowInt8(x, w, row, int(f)) }
func (f int8s) Pack(w, src []byte, row, columns int) int {
	PackInt8(w, src, row, columns, columns/int(f), int(f))
	return -1 // any value is good
}

func (f int8s) MatMul(k *Kernels, out []float32, outStride int, x *Activations, tokens int, w []byte, rows int, _ []byte) {
	k.MatMulInt8(out, outStride, x.Q, x.QStride, x.Groups, x.Count(), tokens, x.Count(), int(f), w, rows)
}

// float32s returns the float32 in b.
func float32s(b []byte) []float32 {
	if len(b) < 4 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}
