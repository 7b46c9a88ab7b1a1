package llama

import (
	"fmt"
	"syscall"
)

// mapMemory returns n zeroed bytes from outside the Go heap. The runtime keeps 1.4 MiB
// of books for each 64 MiB of heap; large arrays of numbers need none, and on the bare machine, where
// memory is mapped when it is asked for, these books would be 2 % of a large model.
func mapMemory(n uint64) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("%d bytes of memory: %w", n, err)
	}
	return b, nil
}

// largePages asks for b in large pages, which are made faster. Where there are none, all is
// the same.
func largePages(b []byte) {
	const madvHugepage = 14
	_ = syscall.Madvise(b, madvHugepage)
}

// unmapMemory gives memory of mapMemory back, or nothing.
func unmapMemory(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return syscall.Munmap(b)
}
