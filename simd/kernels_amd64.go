package simd

import (
	"math"

	"golang.org/x/sys/cpu"
)

// How to read the kernels, which are in the files *_amd64.s. Their comments name the Go twin
// (twin.go) and say as a loop in Go what they compute; the last loop or two are lanes of a
// register.
//
//   - A register X holds 4 float32, Y 8, Z 16, or half as many float64, or integers of 8, 16,
//     32 or 64 bits: its lanes. X0 is the lower half of Y0, and Y0 that of Z0.
//   - Operands are in the order of Go's assembler, the result last: VSUBPS b, a, c is
//     c = a - b. The end of a name says what lanes are: PS float32, PD float64, B, W, D and Q
//     integers. SS is a float32 in the lowest lane alone.
//   - (x)(i*4) is what is 4*i bytes behind x; x+8(FP) is the argument x.
//   - BROADCAST copies one value to all lanes. A mask, K1 to K3, before the result limits an
//     instruction to some lanes of it; with .Z the others become 0.
//   - The macros at the head of a file name registers, and steps that come more than once.
//     Macros cannot put register names together (Y##a), so that AVX2 and AVX-512 cannot share
//     those that differ in the width of registers.

// machine returns the kernels that this processor has, the fastest last. What a set
// lacks it has from the set before it.
func machine() []*Kernels {
	k := twin
	k.Name = "sse2" // every amd64 has it
	k.level = sse2
	k.blocks, k.few = blocksSSE2, 8
	ks := []*Kernels{&k}
	if x := cpu.X86; x.HasAVX2 && hasF16C() {
		k := k
		k.Name = "avx2"
		k.level = avx2
		k.f32s, k.f16s, k.f32Tokens = f32sAVX2, f16sAVX2, 6
		k.int8s, k.int8Tokens = int8sAVX2, 2
		k.gemm, k.gemmRows = gemmAVX2, 4
		k.blocks, k.blocks4, k.few = blocksAVX2, blocks4AVX2, math.MaxInt // unpacking never pays
		k.rmsNorm, k.softmax, k.swiGLU, k.rotate = rmsNormAVX2, softmaxAVX2, swiGLUAVX2, rotateAVX2
		k.quantize, k.add, k.read, k.argmax = quantizeAVX2, addAVX2, readAVX2, argmaxAVX2
		ks = append(ks, &k)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512VNNI && x.HasBMI2 {
			k := k
			k.Name = "avx512"
			k.level = avx512
			k.f32s, k.f16s, k.f32Tokens = f32sAVX512, f16sAVX512, 12
			k.int8s, k.int8Tokens = int8sAVX512, 8
			k.gemm, k.gemmRows = gemmAVX512, 8
			k.blocks, k.blocks4 = blocksAVX512, blocks4AVX512
			k.softmax, k.swiGLU, k.quantize, k.read = softmaxAVX512, swiGLUAVX512, quantizeAVX512, readAVX512
			ks = append(ks, &k)
		}
	}
	return ks
}

// hasF16C says whether the processor converts halves (CPUID leaf 1, ECX bit 29; x/sys/cpu does not
// tell). All processors with AVX2 do, but a virtual machine can be told to hide it.
func hasF16C() bool

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

// f16 multiplies a tile of halves by one token: see tileF16.
func (k *Kernels) f16(out, x *float32, w *uint16, n int) {
	switch k.level {
	case avx512, avx2:
		f16AVX2(out, x, w, n)
	case sse2:
		f16SSE2(out, x, w, n)
	default:
		tileF16(out, x, w, n)
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
