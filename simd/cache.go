package simd

// Cache is matrices that grow, keys or values, in tiles of float32 or, rounded, of float16.
//
// The keys of a head are a matrix (positions, head_size), so that its product with a query is the
// scores of all positions. The values are one of (head_size, positions), so that its product
// with the scores is their weighted sum; it is written a column at a time.
type Cache struct {
	F32 []float32 // see SizeF32
	F16 []uint16  // or the same as halves
}

// SetRow sets a row of the matrix at c[at] to x (columns,): see SetRowF32.
func (c *Cache) SetRow(at int, x []float32, row int) {
	if c.F16 != nil {
		SetRowF16(c.F16[at:], x, row)
	} else {
		SetRowF32(c.F32[at:], x, row)
	}
}

// SetColumn sets a column of the matrix at c[at], of that many columns, to x (rows,): see
// SetColumnF32.
func (c *Cache) SetColumn(at int, x []float32, column, columns int) {
	if c.F16 != nil {
		SetColumnF16(c.F16[at:], x, column, columns)
	} else {
		SetColumnF32(c.F32[at:], x, column, columns)
	}
}

// MatMulCache is MatMulF32 or MatMulF16 for w at c[at].
func (k *Kernels) MatMulCache(out []float32, outStride int, x []float32, xStride, tokens, n int, c *Cache, at, stride, rows int) {
	if c.F16 != nil {
		k.MatMulF16(out, outStride, x, xStride, tokens, n, c.F16[at:], stride, rows)
	} else {
		k.MatMulF32(out, outStride, x, xStride, tokens, n, c.F32[at:], stride, rows)
	}
}
