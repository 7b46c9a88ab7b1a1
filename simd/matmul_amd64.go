package simd

// The matrix products of one tile: what tileF32, tileF16 and tileInt8 compute, and the same for
// several tokens. n, groups and quads are at least 1.

//go:noescape
func f32AVX2(out, x, w *float32, n int)

//go:noescape
func f16AVX2(out, x *float32, w *uint16, n int)

//go:noescape
func f32sAVX2(out *float32, outStride int, x *float32, xStride int, w *float32, n int, more bool)

//go:noescape
func int8AVX2(out *float32, x *int8, gr *Group, w *uint8, groups, quads int)

//go:noescape
func int8sAVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, gStride int, w *uint8, groups, quads int)

//go:noescape
func f32AVX512(out, x, w *float32, n int)

//go:noescape
func f32sAVX512(out *float32, outStride int, x *float32, xStride int, w *float32, n int, more bool)

//go:noescape
func int8AVX512(out *float32, x *int8, gr *Group, w *uint8, groups, quads int)

//go:noescape
func int8sAVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, gStride int, w *uint8, groups, quads int)

//go:noescape
func f32SSE2(out, x, w *float32, n int)

//go:noescape
func f16SSE2(out, x *float32, w *uint16, n int)

//go:noescape
func int8SSE2(out *float32, x *int8, gr *Group, w *uint8, groups, quads int)

// gemmAVX2 and gemmAVX512 set a tile of out, 4 or 8 rows of 32 columns, to the product of as
// many rows of x with n rows of y, or add it if there is more: see GemmF32. Distances are in
// values.
//
//go:noescape
func gemmAVX2(out *float32, outStride int, x *float32, xRow, xColumn int, y *float32, yStride, n int, more bool)

//go:noescape
func gemmAVX512(out *float32, outStride int, x *float32, xRow, xColumn int, y *float32, yStride, n int, more bool)
