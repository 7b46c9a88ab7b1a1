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

// TestRandomSources: the processor is asked ten times at most, then the firmware; and a buffer gets as many bytes as it has.
func TestRandomSources(t *testing.T) {
	const words = "abcdefghijklmnopqrstuvwxyz123456"
	f := newFirmware(t)
	f.boot.locateProtocol = f.service(func(a ...uintptr) uintptr {
		if len(a) != 3 || *at[guid](a[0]) != rngGUID || a[1] != 0 || a[2] != address(&firmwareResult) {
			t.Errorf("LocateProtocol%#x", a)
		}
		firmwareResult = 0x66
		return efiNotFound
	})
	set(t, &useHardwareRandom, !hasHardwareRandom())
	set(t, &rngProtocol, 0)
	set(t, &lastRandom, 0)
	if initRandom(); rngProtocol != 0 || useHardwareRandom != hasHardwareRandom() {
		t.Errorf("without EFI_RNG_PROTOCOL: %#x; the processor's instruction: %v", rngProtocol, useHardwareRandom)
	}
	rng := fixed(t, &efiRNG{})
	f.boot.locateProtocol = f.service(func(a ...uintptr) uintptr { firmwareResult = address(rng); return efiSuccess })
	if initRandom(); rngProtocol != address(rng) {
		t.Errorf("EFI_RNG_PROTOCOL is at %#x, not %#x", rngProtocol, address(rng))
	}
	filled, status := 0, uintptr(efiSuccess)
	rng.getRNG = f.service(func(a ...uintptr) uintptr {
		if len(a) != 4 || a[0] != address(rng) || a[1] != 0 || a[2] != 32 || a[3] != address(&randomBytes) { // the algorithm is the firmware's choice (37.5)
			t.Errorf("GetRNG%#x", a)
		}
		filled++
		copy(randomBytes[:], words)
		randomBytes[0] += byte(filled)
		return status
	})
	first := uint64('a'+1) | 0x6867666564636200 // little-endian
	for _, c := range []struct {
		name         string
		has          bool
		value, ok    uint64 // of the processor
		want         uint64
		tries, asked int
	}{
		{"no instruction", false, 77, 1, first, 0, 1},
		{"a word", true, 77, 1, 77, 1, 0},
		{"it fails", true, 77, 0, first, 10, 1},
		{"it is dead", true, 1<<64 - 1, 1, first, 10, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			tries := replaceResult(t, hardwareRandom, c.value, c.ok)
			useHardwareRandom, lastRandom, filled = c.has, 5, 0
			if got, ok := randomWord(); got != c.want || !ok || *tries != c.tries || filled != c.asked {
				t.Errorf("%#x, %v after %d tries, the firmware was asked %d times; want %#x, %d, %d", got, ok, *tries, filled, c.want, c.tries, c.asked)
			}
		})
	}
	useHardwareRandom, lastRandom, filled = false, 0, 0
	buffer := fixed(t, new([24]byte))
	if got := getrandom(address(&buffer[1]), 19); got != 19 || string(buffer[:]) != "\x00bbcdefghcbcdefghdbc\x00\x00\x00\x00" || filled != 3 {
		t.Errorf("getrandom of 19 bytes: %d, %q", int64(got), buffer)
	}
	if got := getrandom(0, 0); got != 0 || filled != 3 {
		t.Errorf("getrandom of nothing: %d", int64(got))
	}
	if got := seed(); got != first+3 {
		t.Errorf("the seed is %#x, not of the source", got)
	}
	filled = 3 // the next word is the last one again
	if got, ok := randomWord(); ok {
		t.Errorf("a word that comes twice: %#x", got)
	}
	status = efiNotReady
	if got := getrandom(address(buffer), 8); got != errno(enosys) {
		t.Errorf("getrandom without a source: %d", int64(got))
	}
	rngProtocol = 0
	for range 100 {
		if got := seed(); got&1 == 0 {
			t.Errorf("a seed that may be 0: %#x", got)
		}
	}
}
