//go:build linux && amd64

package metal

import (
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// TestEveryCharacter: all characters go through both decoders, the first and the last of each length among them, and all
// sequences of two and three bytes that are no UTF-8 are replaced.
func TestEveryCharacter(t *testing.T) {
	decode := func(b []byte) (got []rune) {
		var d utf8Decoder
		for i := range b {
			for again := true; again; {
				var r uint32
				if r, again = d.decode(b[i]); r != noRune {
					got = append(got, rune(r))
				}
			}
		}
		return got
	}
	for want := rune(0); want <= utf8.MaxRune; want++ {
		if !utf8.ValidRune(want) {
			continue
		}
		text := utf8.AppendRune(nil, want)
		if got := decode(text); len(got) != 1 || got[0] != want {
			t.Fatalf("% x is decoded as %U, want %U", text, got, want)
		}
		if n := utf8Length(text[0]); want >= 0x80 && n != len(text) {
			t.Fatalf("% x is said to be %d bytes long", text, n)
		}
		var d utf16Decoder
		var got []byte
		for _, u := range utf16.AppendRune(nil, want) {
			n := d.decode(u)
			got = append(got, d.utf8[:n]...)
		}
		if string(got) != string(text) {
			t.Fatalf("%U comes from UTF-16 as % x, want % x", want, got, text)
		}
	}
	for first := 0x80; first < 0x100; first++ {
		for second := range 0x100 {
			for _, third := range []byte{'a', 0x80, 0xBF, 0xC2} {
				b := []byte{byte(first), byte(second), third, 'z'}
				got := decode(b)
				replaced := false
				for _, r := range got {
					replaced = replaced || r == replacementRune
				}
				if utf8.Valid(b) == replaced || got[len(got)-1] != 'z' {
					t.Fatalf("% x is decoded as %U", b, got)
				}
			}
		}
	}
}

// TestDocumentedLimits: the package's text tells these numbers.
func TestDocumentedLimits(t *testing.T) {
	for what, n := range map[string]struct{ got, want int64 }{
		"pipes":                        {maxPipes, 16},
		"bytes of a pipe":              {pipeSize, 4096},
		"threads":                      {maxThreads, 32_768},
		"cores":                        {maxCores, 256},
		"calls that wait":              {maxBootCalls, 32},
		"queued text":                  {int64(len(outputQueue)), 8 << 10},
		"a time slice":                 {timeSlice, 10e6},
		"polling before a halt":        {pollTime, 50e3},
		"a tick of EDK2's timer":       {firmwareTick, 10e6},
		"before another core takes it": {notifyLimit, 1e6},
		"MiB left to the firmware":     {firmwareReserve >> 20, 32},
		"MiB that a program needs":     {leastMemory >> 20, 48},
	} {
		if n.got != n.want {
			t.Errorf("%s: %d, and the text says %d", what, n.got, n.want)
		}
	}
}

// TestIdentity: the program is process 1, and root; it cannot have any other group, or another mask of modes.
func TestIdentity(t *testing.T) {
	program := &thread{id: 7}
	for number, want := range map[uint64]uint64{sysGettid: 7, sysGetpid: 1, sysGetppid: 0, sysGetuid: 0, sysGeteuid: 0, sysGetgid: 0, sysGetegid: 0, sysGetgroups: 0, sysUmask: 0o022,
		sysSchedYield: 0, sysPrctl: errno(einval), 500: errno(enosys)} {
		if got, _ := makeCall(program, number, 0, 0); got != want {
			t.Errorf("call %d: %d, want %d", number, int64(got), int64(want))
		}
	}
	const setFS = 0x1002 // asm/prctl.h
	if got, _ := makeCall(program, sysArchPrctl, setFS, 0x1234); got != 0 || program.fs != 0x1234 {
		t.Errorf("arch_prctl: %d, FS %#x", int64(got), program.fs)
	}
	if got, _ := makeCall(program, sysArchPrctl, setFS+1, 0x5678); got != errno(einval) || program.fs != 0x1234 {
		t.Errorf("arch_prctl of another: %d, FS %#x", int64(got), program.fs)
	}
}

// TestMunmapArguments: what mmap cannot have given is refused.
func TestMunmapArguments(t *testing.T) {
	for _, c := range []struct {
		name     string
		start, n uintptr
	}{
		{"unaligned", userBase + 1, pageSize},
		{"nothing", userBase, 0},
		{"the firmware's", identityEnd - pageSize, pageSize},
		{"above the top", userTop&^(pageSize-1) + pageSize, pageSize},
		{"over the top", userTop &^ (pageSize - 1), 1 << 30},
		{"all addresses", userBase, ^uintptr(0)},
		{"all but a page", userBase, ^uintptr(0) &^ (pageSize - 1)},
	} {
		if got := munmap(c.start, c.n); got != errno(einval) {
			t.Errorf("%s: %d, want errno %d", c.name, int64(got), einval)
		}
	}
}
