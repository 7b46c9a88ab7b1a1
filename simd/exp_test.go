package simd

import (
	"math"
	"os"
	"testing"
)

// ulps returns the distance between got and the exact value want in units of
// the last place of want rounded to float32.
func ulps(got float32, want float64) float64 {
	w := float32(want)
	if got == w || (got != got && w != w) {
		return 0
	}
	if math.IsInf(float64(got), 0) || math.IsInf(float64(w), 0) || got != got || w != w {
		return math.Inf(1)
	}
	a := float32(math.Abs(float64(w)))
	ulp := float64(math.Nextafter32(a, float32(math.Inf(1)))) - float64(a)
	return math.Abs(float64(got)-want) / ulp
}

// TestExpf compares with math.Exp over all of float32: every 257th value, or
// every one with BOOTLLAMA_EXHAUSTIVE=1 (a minute or two).
func TestExpf(t *testing.T) {
	step := uint64(257)
	if os.Getenv("BOOTLLAMA_EXHAUSTIVE") != "" {
		step = 1
	}
	worst, at := 0.0, float32(0)
	for b := uint64(0); b < 1<<32; b += step {
		x := math.Float32frombits(uint32(b))
		if u := ulps(expf(x), math.Exp(float64(x))); u > worst {
			worst, at = u, x
		}
	}
	t.Logf("worst error %.3f ulp at %g", worst, at)
	if worst > 0.503 {
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
