package heap

import "testing"

var kept [][]byte // so that it is allocated on the heap

func allocate(n, size int) func() {
	return func() {
		kept = nil
		for range n {
			kept = append(kept, make([]byte, size))
		}
	}
}

// TestAllocated: large arrays count at once, small ones when there are many, and Check tells of both.
func TestAllocated(t *testing.T) {
	for _, c := range []struct{ n, size int }{{1, 8 << 20}, {1 << 18, 32}, {0, 0}} {
		want := int64(c.n) * int64(c.size)
		got := Allocated(allocate(c.n, c.size))
		if list := int64(c.n) * 24 * 8; got < want-Slack || got > want+Slack+list { // append makes it longer and longer
			t.Errorf("%d times %d bytes: %d", c.n, c.size, got)
		}
		told := &recorder{TB: t}
		Check(told, 100, 1, allocate(c.n, c.size))
		if told.failed != (want > 0) {
			t.Errorf("%d times %d bytes: failed is %v", c.n, c.size, told.failed)
		}
	}
}

type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }
