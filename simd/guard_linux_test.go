package simd

import (
	"os"
	"syscall"
	"testing"
)

// guarded returns whole pages, at least size bytes, with a page before and one behind
// that cannot be touched.
func guarded(t testing.TB, size int) []byte {
	page := os.Getpagesize()
	size = (size + page - 1) &^ (page - 1)
	b, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(b) })
	for _, guard := range [][]byte{b[:page], b[page+size:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return b[page:][:size:size]
}
