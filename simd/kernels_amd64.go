package simd

import "golang.org/x/sys/cpu"

// machine returns the kernels that this processor has, the fastest last. What a set
// lacks it has from the set before it.
func machine() []*Kernels {
	k := twin
	k.Name = "sse2" // every amd64 has it
	k.level = sse2
	ks := []*Kernels{&k}
	if x := cpu.X86; x.HasAVX2 {
		k := k
		k.Name = "avx2"
		k.level = avx2
		k.f32s, k.f32Tokens = f32sAVX2, 6
		k.int8s, k.int8Tokens = int8sAVX2, 2
		k.gemm, k.gemmRows = gemmAVX2, 4
		k.rmsNorm, k.softmax, k.swiGLU, k.rotate = rmsNormAVX2, softmaxAVX2, swiGLUAVX2, rotateAVX2
		k.quantize, k.add, k.read, k.argmax = quantizeAVX2, addAVX2, readAVX2, argmaxAVX2
		ks = append(ks, &k)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512VNNI && x.HasBMI2 {
			k := k
			k.Name = "avx512"
			k.level = avx512
			k.f32s, k.f32Tokens = f32sAVX512, 12
			k.int8s, k.int8Tokens = int8sAVX512, 8
			k.gemm, k.gemmRows = gemmAVX512, 8
			k.softmax, k.swiGLU, k.quantize, k.read = softmaxAVX512, swiGLUAVX512, quantizeAVX512, readAVX512
			ks = append(ks, &k)
		}
	}
	return ks
}

// f32 multiplies a tile by one token: see tileF32.
func (k *Kernels) f32(out, x, w *float32, n int) {
	switch k.level {
	case avx512:
		f32AVX512(out, x, w, n)
	case avx2:
		f32AVX2(out, x, w, n)
	case sse2:
		f32SSE2(out, x, w, n)
	default:
		tileF32(out, x, w, n)
	}
}

// int8 multiplies a tile by one token: see tileInt8.
func (k *Kernels) int8(out *float32, x *int8, g *Group, w *uint8, groups, quads int) {
	switch k.level {
	case avx512:
		int8AVX512(out, x, g, w, groups, quads)
	case avx2:
		int8AVX2(out, x, g, w, groups, quads)
	case sse2:
		int8SSE2(out, x, g, w, groups, quads)
	default:
		tileInt8(out, x, g, w, groups, quads)
	}
}
