package simd

import "bootllama/quant"

// The products of one tile of blocks with one token: see product.

var blocksAVX512 = [len(blockFormats)]product{
	quant.Q8_0:   q8_0AVX512,
	quant.IQ4_NL: q8_0AVX512,
	quant.IQ4_XS: iq4_XSAVX512,
	quant.Q4_0:   q4_0AVX512,
	quant.Q4_1:   q4_1AVX512,
	quant.Q5_0:   q5_0AVX512,
	quant.Q5_1:   q5_1AVX512,
	quant.Q2_K:   q2_KAVX512,
	quant.Q3_K:   q6_KAVX512,
	quant.Q4_K:   q4_KAVX512,
	quant.Q5_K:   q5_KAVX512,
	quant.Q6_K:   q6_KAVX512,
}

var blocksAVX2 = [len(blockFormats)]product{
	quant.Q8_0:   q8_0AVX2,
	quant.IQ4_NL: q8_0AVX2,
	quant.IQ4_XS: iq4_XSAVX2,
	quant.Q4_0:   q4_0AVX2,
	quant.Q4_1:   q4_1AVX2,
	quant.Q5_0:   q5_0AVX2,
	quant.Q5_1:   q5_1AVX2,
	quant.Q2_K:   q2_KAVX2,
	quant.Q3_K:   q6_KAVX2,
	quant.Q4_K:   q4_KAVX2,
	quant.Q5_K:   q5_KAVX2,
	quant.Q6_K:   q6_KAVX2,
}

var blocksSSE2 = [len(blockFormats)]product{
	quant.Q8_0:   q8_0SSE2,
	quant.IQ4_NL: q8_0SSE2,
	quant.IQ4_XS: iq4_XSSSE2,
	quant.Q4_0:   q4_0SSE2,
	quant.Q4_1:   q4_1SSE2,
	quant.Q5_0:   q5_0SSE2,
	quant.Q5_1:   q5_1SSE2,
	quant.Q2_K:   q2_KSSE2,
	quant.Q3_K:   q6_KSSE2,
	quant.Q4_K:   q4_KSSE2,
	quant.Q5_K:   q5_KSSE2,
	quant.Q6_K:   q6_KSSE2,
}

//go:noescape
func q8_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_1AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_0AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_1AVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q6_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q2_KAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func iq4_XSAVX512(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q8_0AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_0AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_1AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_0AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_1AVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_KAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_KAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q6_KAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q2_KAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func iq4_XSAVX2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q8_0SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_0SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_1SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_0SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_1SSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q4_KSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q5_KSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q6_KSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func q2_KSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

//go:noescape
func iq4_XSSSE2(out *float32, x *int8, gr *Group, sums *float32, w *uint8, blocks int)

var blocks4AVX2 = [len(blockFormats)]product4{
	quant.Q8_0:   q8_0x4AVX2,
	quant.IQ4_NL: q8_0x4AVX2,
	quant.IQ4_XS: iq4_XSx4AVX2,
	quant.Q4_0:   q4_0x4AVX2,
	quant.Q4_1:   q4_1x4AVX2,
	quant.Q5_0:   q5_0x4AVX2,
	quant.Q5_1:   q5_1x4AVX2,
	quant.Q2_K:   q2_Kx4AVX2,
	quant.Q3_K:   q6_Kx4AVX2,
	quant.Q4_K:   q4_Kx4AVX2,
	quant.Q5_K:   q5_Kx4AVX2,
	quant.Q6_K:   q6_Kx4AVX2,
}

//go:noescape
func q8_0x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q4_0x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q4_1x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q5_0x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q5_1x4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q4_Kx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q5_Kx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q6_Kx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q2_Kx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func iq4_XSx4AVX2(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

var blocks4AVX512 = [len(blockFormats)]product4{
	quant.Q8_0:   q8_0x4AVX512,
	quant.IQ4_NL: q8_0x4AVX512,
	quant.IQ4_XS: iq4_XSx4AVX512,
	quant.Q4_0:   q4_0x4AVX512,
	quant.Q4_1:   q4_1x4AVX512,
	quant.Q5_0:   q5_0x4AVX512,
	quant.Q5_1:   q5_1x4AVX512,
	quant.Q2_K:   q2_Kx4AVX512,
	quant.Q3_K:   q6_Kx4AVX512,
	quant.Q4_K:   q4_Kx4AVX512,
	quant.Q5_K:   q5_Kx4AVX512,
	quant.Q6_K:   q6_Kx4AVX512,
}

//go:noescape
func q8_0x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q4_0x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q4_1x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q5_0x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q5_1x4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q4_Kx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q5_Kx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q6_Kx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func q2_Kx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)

//go:noescape
func iq4_XSx4AVX512(out *float32, outStride int, x *int8, xStride int, gr *Group, sums *float32, groups int, w *uint8, blocks, tokens int)
