package arena

import (
	"strings"
	"testing"
)

// TestMake: arrays of any size are zeroes and can be written, also when the memory had been
// another's; what is counted is their size.
func TestMake(t *testing.T) {
	for round := range 3 {
		var a Arena
		var want int64
		for _, n := range []int{0, 1, large/8 - 1, large / 8, 1 << 20} {
			s := Make[uint64](&a, n)
			if a.Err != nil || len(s) != n {
				t.Fatalf("%d values: %d, %v", n, len(s), a.Err)
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
	s := Make[float32](&a, 1<<50)
	if s != nil || a.Err != nil || a.Bytes != 4<<50 {
		t.Errorf("%d values, %d bytes, %v", len(s), a.Bytes, a.Err)
	}
}

// TestNoMemory: the error says how much was asked for first; nothing comes after it, until all is freed.
func TestNoMemory(t *testing.T) {
	for n, want := range map[int]string{1 << 56: "1152921504606846976 bytes of memory: ", 1 << 62: "4611686018427387904 times 16 bytes"} {
		var a Arena
		if s := Make[[16]byte](&a, n); s != nil || Make[byte](&a, 1) != nil {
			t.Errorf("there was memory for %d, or after that", n)
		}
		if a.Err == nil || !strings.HasPrefix(a.Err.Error(), want) {
			t.Errorf("%v, want %q", a.Err, want)
		}
		if err := a.Free(); err != nil || a.Err != nil || Make[byte](&a, 1) == nil {
			t.Errorf("%v, %v after Free", err, a.Err)
		}
	}
}
