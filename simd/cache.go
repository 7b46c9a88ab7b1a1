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

// Part returns the n numbers from `from` on.
func (c Cache) Part(from, n int) Cache {
	if c.F16 != nil {
		return Cache{F16: c.F16[from:][:n]}
	}
	return Cache{F32: c.F32[from:][:n]}
}

// SetRow sets a row of a matrix to x (columns,): see SetRowF32.
func (c Cache) SetRow(x []float32, row int) {
	if c.F16 != nil {
		SetRowF16(c.F16, x, row)
	} else {
		SetRowF32(c.F32, x, row)
	}
}

// SetColumn sets a column of a matrix of that many columns to x (rows,): see SetColumnF32.
func (c Cache) SetColumn(x []float32, column, columns int) {
	if c.F16 != nil {
		SetColumnF16(c.F16, x, column, columns)
	} else {
		SetColumnF32(c.F32, x, column, columns)
	}
}

// MatMulCache sets out (rows,) to the products of the rows of c, whose tiles are stride numbers
// apart, with x (n,): see MatMulF32.
func (k *Kernels) MatMulCache(out, x []float32, c Cache, stride int) {
	if c.F16 != nil {
		k.MatMulF16(out, len(out), x, len(x), 1, len(x), c.F16, stride, len(out))
	} else {
		k.MatMulF32(out, len(out), x, len(x), 1, len(x), c.F32, stride, len(out))
	}
}
