package tensor

import (
	"fmt"
	"math"
	"testing"
)

// TestFirstDamage: whoever finds damage last, the error is that of the lowest offset.
func TestFirstDamage(t *testing.T) {
	l := loader{at: math.MaxInt64}
	for _, at := range []int64{20, 10, 15, 10} {
		l.fail(at, fmt.Errorf("at %d", at))
	}
	if l.err.Error() != "at 10" {
		t.Error(l.err)
	}
}
