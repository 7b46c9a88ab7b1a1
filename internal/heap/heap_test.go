package heap

import (
	"runtime"
	"testing"
)

var kept [][]byte // so that it is allocated on the heap

func allocate(n, size int) func() {
	return func() {
		kept = nil
		for range n {
			kept = append(kept, make([]byte, size))
		}
	}
}

// TestCheck: large arrays count, and small ones when there are many; what is allowed is not told of, and once in a while what
// other inputs have left to be counted is no input's.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		n, size, input, times int
		failed                bool
	}{{1, 8 << 20, 100, 1, true}, {1 << 18, 32, 100, 1, true}, {1, 8 << 20, 1 << 20, 8, false}, {1 << 10, 32, 100, 1, false}, {0, 0, 0, 0, false}} {
		for range 3 {
			told := &recorder{TB: t}
			Check(told, c.input, c.times, allocate(c.n, c.size))
			if told.failed != c.failed {
				t.Errorf("%d times %d bytes: failed is %v", c.n, c.size, told.failed)
			}
			kept = nil
		}
	}
	for size := 8; size < 32<<10; size += size/8 + 8 { // all spans have something that is not counted yet
		allocate(1, size)()
	}
	told := &recorder{TB: t}
	Check(told, 0, 0, runtime.GC)
	if told.failed {
		t.Error("what was allocated before is told of")
	}
}

type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }
