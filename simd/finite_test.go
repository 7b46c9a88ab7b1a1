package simd

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// TestFinite: one value that is not finite, at any place of any length and alignment, is seen; the largest and smallest
// finite values are finite.
func TestFinite(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	good := []float32{0, 1, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32}
	bad := []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.Float32frombits(0xFF800001), math.Float32frombits(0x7FFFFFFF)}
	for n := range 70 {
		x := make([]float32, n+1)[n%2:]
		var src []byte
		for i := range x {
			x[i] = good[rng.IntN(len(good))]
			src = binary.LittleEndian.AppendUint32(src, math.Float32bits(x[i]))
		}
		if !Finite(x) || NotFinite(src) != -1 {
			t.Fatalf("%v: not finite", x)
		}
		for i, v := range x {
			x[i] = bad[rng.IntN(len(bad))]
			binary.LittleEndian.PutUint32(src[4*i:], math.Float32bits(x[i]))
			if Finite(x) || NotFinite(src) != i {
				t.Fatalf("%v: finite, or %d", x, NotFinite(src))
			}
			x[i] = v
			binary.LittleEndian.PutUint32(src[4*i:], math.Float32bits(v))
		}
	}
}

func BenchmarkFinite(b *testing.B) {
	x := make([]float32, 32000)
	b.SetBytes(int64(4 * len(x)))
	for range b.N {
		if !Finite(x) {
			b.Fatal("zeroes")
		}
	}
}
