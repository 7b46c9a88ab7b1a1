//go:build !linux

package arena

import "math"

// mapMemory returns n zeroed bytes.
func mapMemory(n uint64) ([]byte, error) { return make([]byte, n), nil }

func unmapMemory([]byte) error { return nil }

// LargePages does nothing here.
func LargePages([]byte) {}

// Limit returns the most memory, in bytes, that this process can still get: unknown here.
func Limit() int64 { return math.MaxInt64 }
