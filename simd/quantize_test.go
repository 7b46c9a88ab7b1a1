package simd

import (
	"math"
	"slices"
	"testing"
)

// TestQuantizeByHand: halves are rounded away from zero, a group of zeros gives zeros, values
// behind the last whole group are left out, and a quotient that is not finite gives 0.
func TestQuantizeByHand(t *testing.T) {
	inf := float32(math.Inf(1))
	x := []float32{127, 0.5, -0.5, 1.5, 2.5, -2.5, -127, 0.49, 0, 0, 0, 0, 0, 0, 0, 0, 3, inf, -inf, 1, 2, 3, 4, 5, 99, 99}
	want := []int8{127, 1, -1, 2, 3, -3, -127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	groups := []Group{{1, -256}, {0, 0}, {inf, 0}}
	for _, k := range All() {
		q, g := make([]int8, len(x)), make([]Group, 3)
		k.Quantize(q, g, x, 8)
		if !slices.Equal(q, want) || !slices.Equal(g, groups) {
			t.Errorf("%s: %v in units of %v, want %v in units of %v", k.Name, q, g, want, groups)
		}
	}
}
