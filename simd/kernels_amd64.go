package simd

import "golang.org/x/sys/cpu"

// machine returns the kernels that this processor has, the fastest last. What a set
// lacks it has from the set before it.
func machine() []*Kernels {
	k := twin
	k.Name = "sse2" // every amd64 has it
	k.f32, k.int8 = f32SSE2, int8SSE2
	ks := []*Kernels{&k}
	if x := cpu.X86; x.HasAVX2 {
		k := k
		k.Name = "avx2"
		k.f32, k.int8 = f32AVX2, int8AVX2
		k.f32s, k.f32Tokens = f32sAVX2, 6
		k.int8s, k.int8Tokens = int8sAVX2, 2
		ks = append(ks, &k)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512VNNI {
			k := k
			k.Name = "avx512"
			k.f32, k.int8 = f32AVX512, int8AVX512
			k.f32s, k.f32Tokens = f32sAVX512, 12
			k.int8s, k.int8Tokens = int8sAVX512, 8
			ks = append(ks, &k)
		}
	}
	return ks
}
