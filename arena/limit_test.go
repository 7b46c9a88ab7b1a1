package arena

import (
	"math"
	"runtime"
	"testing"
)

// TestLimitKnown: on the systems that a release is for it is a size that machines have.
func TestLimitKnown(t *testing.T) {
	switch runtime.GOOS {
	case "linux", "windows", "darwin":
	default:
		t.Skip("unknown here")
	}
	if n := Limit(); n < 64<<20 || n == math.MaxInt64 || n > 1<<46 {
		t.Errorf("%d bytes", n)
	}
}
