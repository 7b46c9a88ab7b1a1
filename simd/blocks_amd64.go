package simd

// The products of one tile of blocks with one token: see MatMulBlocks. gr are the groups of the
// activation, 32 or 16 as the type's scales, and sums what they add up to, read where there are
// minima. blocks is at least 1.

//go:noescape
func q8_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q6_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)
