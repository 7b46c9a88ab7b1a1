package simd

import (
	"math"
	"testing"

	"bootllama/internal/ulp"
)

// TestRoPEMath: Pow is within a hair of correct rounding, sine and cosine as close
// as the polynomials that glibc has too. That they are glibc's bit for bit is shown by
// the logits of run.c: see TestLogits.
func TestRoPEMath(t *testing.T) {
	for i := 0; i <= 1<<16; i++ {
		y := float32(i) / (1 << 16)
		if u := ulp.Distance(Pow(10000, y), math.Pow(10000, float64(y))); !(u <= 0.5001) {
			t.Fatalf("Pow(10000, %g) = %g, exactly %g", y, Pow(10000, y), math.Pow(10000, float64(y)))
		}
	}
	if got, want := ln(10000), 9.21034037197618273607196581873745683040; got != want {
		t.Errorf("ln(10000) = %.17g, want %.17g", got, want)
	}
	for _, base := range []float32{1, 1.5, 2, 1000, 500000, 1e6, 1e9} {
		for i := 0; i <= 1<<10; i++ {
			y := float32(i) / (1 << 10)
			if u := ulp.Distance(Pow(base, y), math.Pow(float64(base), float64(y))); !(u <= 0.5001) {
				t.Fatalf("Pow(%g, %g) = %g, exactly %g", base, y, Pow(base, y), math.Pow(float64(base), float64(y)))
			}
		}
	}
	check := func(x float32) {
		s, c := SinCos(x)
		if u := ulp.Distance(s, math.Sin(float64(x))); !(u <= 0.57) {
			t.Fatalf("sin(%g) = %g, exactly %g", x, s, math.Sin(float64(x)))
		}
		if u := ulp.Distance(c, math.Cos(float64(x))); !(u <= 0.57) {
			t.Fatalf("cos(%g) = %g, exactly %g", x, c, math.Cos(float64(x)))
		}
	}
	for x := float32(0); x < 4096; x += 0.01171875 {
		check(x)
	}
	// Every 9973rd float32 in [2**-30, 2**20).
	for b := math.Float32bits(0x1p-30); b < math.Float32bits(0x1p20); b += 9973 {
		check(math.Float32frombits(b))
	}
}
