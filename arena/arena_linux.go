package arena

import "syscall"

// mapMemory returns n zeroed bytes.
func mapMemory(n uint64) ([]byte, error) {
	return syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

// unmapMemory gives memory of mapMemory back.
func unmapMemory(b []byte) error { return syscall.Munmap(b) }

// LargePages asks for b, of which all will be written soon, in large pages: they are made
// faster. Where there are none, all is the same.
func LargePages(b []byte) {
	const madvHugepage = 14
	_ = syscall.Madvise(b, madvHugepage)
}
