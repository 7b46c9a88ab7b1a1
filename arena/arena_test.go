package arena

import "testing"

// TestMake: arrays of any size are zeroes and can be written, also when the memory had been
// another's; what is counted is their size.
func TestMake(t *testing.T) {
	for round := range 3 {
		var a Arena
		var want int64
		for _, n := range []int{0, 1, large/8 - 1, large / 8, 1 << 20} {
			s, err := Make[uint64](&a, n)
			if err != nil || len(s) != n {
				t.Fatalf("%d values: %d, %v", n, len(s), err)
			}
			for i := range s {
				if s[i] != 0 {
					t.Fatalf("round %d: value %d of %d is %#x", round, i, n, s[i])
				}
				s[i] = 1<<63 | uint64(i)
			}
			want += 8 * int64(n)
		}
		if a.Bytes != want || a.Mapped != want-(large-8)-8 {
			t.Errorf("%d bytes, %d of them mapped, want %d", a.Bytes, a.Mapped, want)
		}
		LargePages(a.mapped[0])
		if err := a.Free(); err != nil || a.Bytes != 0 {
			t.Errorf("%d bytes after Free, %v", a.Bytes, err)
		}
	}
}

// TestCountOnly: nothing is allocated, however large.
func TestCountOnly(t *testing.T) {
	a := Arena{CountOnly: true}
	s, err := Make[float32](&a, 1<<50)
	if s != nil || err != nil || a.Bytes != 4<<50 {
		t.Errorf("%d values, %d bytes, %v", len(s), a.Bytes, err)
	}
}

// TestNoMemory: an error says how much was asked for.
func TestNoMemory(t *testing.T) {
	var a Arena
	if _, err := Make[byte](&a, 1<<60); err == nil || err.Error()[:19] != "1152921504606846976" {
		t.Errorf("1 EiB: %v", err)
	}
}
