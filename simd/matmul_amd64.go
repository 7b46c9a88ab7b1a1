package simd

// The matrix products of one tile: what tileF32 and tileInt8 compute, and the same for
// several tokens. n, groups and quads are at least 1.

//go:noescape
func f32AVX2(out, x, w *float32, n int)

//go:noescape
func f32sAVX2(out *float32, outStride int, x *float32, xStride int, w *float32, n int, more bool)

//go:noescape
func int8AVX2(out *float32, x *int8, gr *Group, w *uint8, s *float32, groups, quads int)

//go:noescape
func int8sAVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, gStride int, w *uint8, s *float32, groups, quads int)

//go:noescape
func f32AVX512(out, x, w *float32, n int)

//go:noescape
func f32sAVX512(out *float32, outStride int, x *float32, xStride int, w *float32, n int, more bool)

//go:noescape
func int8AVX512(out *float32, x *int8, gr *Group, w *uint8, s *float32, groups, quads int)

//go:noescape
func int8sAVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, gStride int, w *uint8, s *float32, groups, quads int)

//go:noescape
func f32SSE2(out, x, w *float32, n int)

//go:noescape
func int8SSE2(out *float32, x *int8, gr *Group, w *uint8, s *float32, groups, quads int)
