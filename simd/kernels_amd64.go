package simd

import "golang.org/x/sys/cpu"

// machine returns the kernels that this processor has, the fastest last. Those that
// a set lacks are the set's before it.
func machine() []*Kernels {
	var ks []*Kernels
	avx2 := twin
	avx2.Name = "avx2"
	avx2.rmsNorm, avx2.softmax, avx2.swiGLU, avx2.rotate = rmsNormAVX2, softmaxAVX2, swiGLUAVX2, rotateAVX2
	avx2.quantize, avx2.add, avx2.read = quantizeAVX2, addAVX2, readAVX2
	if cpu.X86.HasAVX2 {
		ks = append(ks, &avx2)
	}
	avx512 := avx2
	avx512.Name = "avx512"
	avx512.rmsNorm, avx512.softmax, avx512.swiGLU, avx512.rotate = rmsNormAVX512, softmaxAVX512, swiGLUAVX512, rotateAVX512
	avx512.quantize, avx512.add, avx512.read = quantizeAVX512, addAVX512, readAVX512
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VNNI && cpu.X86.HasBMI2 {
		ks = append(ks, &avx512)
	}
	return ks
}
