package simd

import (
	"math"
	"os"
	"testing"

	"bootllama/internal/ulp"
)

// TestExpf compares with math.Exp over all of float32: every 257th value (65537th with -short), or
// every one with BOOTLLAMA_EXHAUSTIVE=1 (a minute or two).
func TestExpf(t *testing.T) {
	step := uint64(257)
	if testing.Short() {
		step = 65537
	}
	if os.Getenv("BOOTLLAMA_EXHAUSTIVE") != "" {
		step = 1
	}
	worst, at := 0.0, float32(0)
	for b := uint64(0); b < 1<<32; b += step {
		x := math.Float32frombits(uint32(b))
		if u := ulp.Distance(expf(x), math.Exp(float64(x))); !(u <= worst) {
			worst, at = u, x
		}
	}
	t.Logf("worst error %.3f ulp at %g", worst, at)
	if !(worst <= 0.503) {
		t.Errorf("expf(%g) = %g, exactly %g: %.3f ulp, want at most 0.503", at, expf(at), math.Exp(float64(at)), worst)
	}
}

func TestExpfEdges(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct{ x, want float32 }{
		{0, 1}, {inf, inf}, {-inf, 0}, {89, inf}, {1e30, inf}, {-104, 0}, {-1e30, 0},
		{-103, math.SmallestNonzeroFloat32},
	} {
		if got := expf(c.x); got != c.want {
			t.Errorf("expf(%g) = %g, want %g", c.x, got, c.want)
		}
	}
	if got := expf(float32(math.NaN())); got == got {
		t.Errorf("expf(NaN) = %g, want NaN", got)
	}
}
