package simd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestArgmax: all kernels return the first of the largest values, with NaNs, infinities and
// zeros of both signs among them, too.
func TestArgmax(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	m := newMemory(t, 1<<12)
	special := []float32{nan, inf, -inf, 0, float32(math.Copysign(0, -1)), math.MaxFloat32}
	for i := range 3000 {
		x := make([]float32, i%7+1+rng.IntN(100))[i%7:]
		for j := range x {
			x[j] = float32(rng.IntN(10) - 20) // all negative, many equal
			if i%3 == 0 && rng.IntN(8) == 0 {
				x[j] = special[rng.IntN(len(special))]
			}
		}
		if i%5 == 0 {
			x[rng.IntN(len(x))] = 1
		}
		if i%4 == 0 {
			x[len(x)-1] = 2 // the search goes to the end
		}
		want, before := argmax(x), slices.Clone(x)
		if i%2 == 0 { // the page behind cannot be read
			x = filled(m, x, -1)
		}
		for _, k := range All() {
			if got := k.Argmax(x); got != want {
				t.Fatalf("%s: %d of %v, want %d", k.Name, got, x, want)
			}
			unchanged(t, "x", x, before)
		}
		check(t, m)
	}
}

func BenchmarkArgmax(b *testing.B) {
	x := make([]float32, 32000)
	randoms(rand.New(rand.NewPCG(3, 2)), x)
	for _, k := range All() {
		b.Run(k.Name, func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			for range b.N {
				k.Argmax(x)
			}
		})
	}
}
