//go:build linux && amd64

package metal

import (
	"slices"
	"testing"
)

// TestAcceptRandom feeds words of sources that do not work, and of one that does.
func TestAcceptRandom(t *testing.T) {
	const ones = ^uint64(0)
	for _, c := range []struct {
		name  string
		words []uint64
		want  []bool
	}{
		{"dead: all ones", []uint64{ones, ones, ones}, []bool{false, false, false}},
		{"dead: all zeroes", []uint64{0, 0, 0}, []bool{false, false, false}},
		{"stuck", []uint64{0x1234, 0x1234, 0x1234}, []bool{true, false, false}},
		{"stuck, and all ones between", []uint64{0x1234, ones, 0x1234, 0, 0x1234}, []bool{true, false, false, false, false}},
		{"dies", []uint64{5, 6, ones, ones}, []bool{true, true, false, false}},
		{"works", []uint64{5, 6, 5, ones - 1, 1}, []bool{true, true, true, true, true}},
	} {
		lastRandom = 0
		var got []bool
		for _, w := range c.words {
			got = append(got, acceptRandom(w))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %x accepted %v, want %v", c.name, c.words, got, c.want)
		}
	}
	lastRandom = 0
}

// TestNoRandom asks for random numbers on a machine that has no source of them: getrandom
// fails, and what the Go runtime gets for its hash functions still differs and is not 0.
func TestNoRandom(t *testing.T) {
	var buffer [16]byte
	if got := getrandom(address(&buffer[0]), 16); got != errno(enosys) || buffer != [16]byte{} {
		t.Errorf("getrandom returned %d and %x", int64(got), buffer)
	}
	if a, b := seed(), seed(); a == b || a == 0 || b == 0 {
		t.Errorf("seeds %x and %x", a, b)
	}
}
