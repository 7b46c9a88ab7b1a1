package simd

import "golang.org/x/sys/cpu"

// machine returns the kernels that this processor has, the fastest last. Those that
// a set lacks are the set's before it.
func machine() []*Kernels {
	var ks []*Kernels
	avx2 := twin
	avx2.Name = "avx2"
	if cpu.X86.HasAVX2 {
		ks = append(ks, &avx2)
	}
	avx512 := avx2
	avx512.Name = "avx512"
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VNNI {
		ks = append(ks, &avx512)
	}
	return ks
}
