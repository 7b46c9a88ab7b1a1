//go:build !linux

package llama

// mapMemory returns n zeroed bytes.
func mapMemory(n uint64) ([]byte, error) { return make([]byte, n), nil }

func largePages([]byte) {}

func unmapMemory([]byte) error { return nil }
