package simd

import (
	"fmt"
	"unsafe"

	"bootllama/quant"
)

// Cache is matrices that grow, keys or values, in tiles of floats as SizeF32 and MatMulF32 have
// them: F32 or, rounded to the nearest float16, the even one of two, F16.
//
// The keys of a head are a matrix (positions, head_size), so that its product with a query is the
// scores of all positions. The values are one of (head_size, positions), so that its product
// with the scores is their weighted sum; it is written a column at a time.
type Cache struct {
	F32 []float32
	F16 []uint16
}

// Part returns the n numbers from `from` on.
func (c Cache) Part(from, n int) Cache {
	if c.F16 != nil {
		return Cache{F16: c.F16[from:][:n]}
	}
	return Cache{F32: c.F32[from:][:n]}
}

// SetRow sets a row of a matrix to x (columns,).
func (c Cache) SetRow(x []float32, row int) {
	if c.F16 == nil {
		SetRowF32(c.F32, x, row)
		return
	}
	checkTiles("SetRow", len(c.F16), SizeF32(row+1, len(x)), row >= 0)
	tile := c.F16[row/TileF32*TileF32*len(x):][:TileF32*len(x)]
	for j, v := range x {
		tile[j*TileF32+row%TileF32] = toHalf(v)
	}
}

// SetColumn sets a column of a matrix of that many columns to x (rows,).
func (c Cache) SetColumn(x []float32, column, columns int) {
	if c.F16 == nil {
		SetColumnF32(c.F32, x, column, columns)
		return
	}
	checkTiles("SetColumn", len(c.F16), SizeF32(len(x), columns), column >= 0 && column < columns)
	for r, v := range x {
		c.F16[r/TileF32*TileF32*columns+column*TileF32+r%TileF32] = toHalf(v)
	}
}

// MatMulCache sets out (rows,) to the products of x (n,) with the rows of a matrix whose tiles are
// stride numbers apart, as MatMulF32 does: float16 become float32 first, which is exact.
func (k *Kernels) MatMulCache(out, x []float32, w Cache, stride int) {
	if w.F16 == nil {
		k.MatMulF32(out, len(out), x, len(x), 1, len(x), w.F32, stride, len(out))
		return
	}
	n, rows := len(x), len(out)
	if n == 0 || rows == 0 {
		return
	}
	tiles := (rows + TileF32 - 1) / TileF32
	if stride < TileF32*n || len(w.F16) < (tiles-1)*stride+TileF32*n {
		panic(fmt.Sprintf("simd: MatMulCache: w %d values for %d columns, %d rows", len(w.F16), n, rows))
	}
	var last [TileF32]float32
	for i := range tiles {
		if left := out[i*TileF32:]; len(left) >= TileF32 {
			k.f16(&left[0], &x[0], &w.F16[i*stride], n)
		} else {
			k.f16(&last[0], &x[0], &w.F16[i*stride], n)
			copy(left, last[:])
		}
	}
}

// tileF16 is tileF32 for a tile of float16.
func tileF16(out, x *float32, w *uint16, n int) {
	o, xs, ws := (*[TileF32]float32)(unsafe.Pointer(out)), unsafe.Slice(x, n), unsafe.Slice(w, TileF32*n)
	clear(o[:])
	for j, v := range xs {
		for i, h := range ws[TileF32*j:][:TileF32] {
			o[i] += float32(quant.Float16(h) * v)
		}
	}
}

// f16 multiplies a tile by one token: see tileF16.
func (k *Kernels) f16(out, x *float32, w *uint16, n int) { tileF16(out, x, w, n) }
