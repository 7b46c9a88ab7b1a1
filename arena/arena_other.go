//go:build !linux

package arena

// mapMemory returns n zeroed bytes.
func mapMemory(n uint64) ([]byte, error) { return make([]byte, n), nil }

func unmapMemory([]byte) error { return nil }

// LargePages does nothing here.
func LargePages([]byte) {}
