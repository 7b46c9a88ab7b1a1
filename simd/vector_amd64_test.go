package simd

import (
	"math"
	"os"
	"testing"
)

// TestExpKernels compares the exponentials of the kernels with expf over all of float32:
// every 257th value, or every one with BOOTLLAMA_EXHAUSTIVE=1 (a few minutes).
func TestExpKernels(t *testing.T) {
	step := uint64(257)
	if testing.Short() {
		step = 65537
	}
	if os.Getenv("BOOTLLAMA_EXHAUSTIVE") != "" {
		step = 1
	}
	for name, exp := range map[string]func([]float32){
		"avx2":   func(x []float32) { expSum8AVX2(x, 0, 0) },
		"avx512": func(x []float32) { expSumAVX512(x, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Named(name); err != nil {
				t.Skip(err)
			}
			var x, want [4096]float32
			for b := uint64(0); b < 1<<32; {
				for i := range x {
					x[i] = math.Float32frombits(uint32(b + uint64(i)*step))
					want[i] = expf(x[i])
				}
				exp(x[:])
				for i, v := range want {
					if math.Float32bits(x[i]) != math.Float32bits(v) && (x[i] == x[i] || v == v) {
						t.Fatalf("exp(%g) = %g, the twin's %g", math.Float32frombits(uint32(b+uint64(i)*step)), x[i], v)
					}
				}
				b += uint64(len(x)) * step
			}
		})
	}
}
