// Package arena holds large arrays outside of the Go heap. The runtime keeps 1.4 MiB of
// bookkeeping for each 64 MiB of heap, and on the bare machine, where memory is mapped when
// it is asked for, that would be 2 % of a large model.
package arena

import (
	"errors"
	"fmt"
	"unsafe"
)

// Arena is arrays that are freed together. The zero value is an empty one.
type Arena struct {
	CountOnly bool  // Make only adds up what it would allocate
	Bytes     int64 // of all arrays
	Mapped    int64 // of those outside of the Go heap

	mapped [][]byte
}

// large is the size in bytes from which on arrays do not go into the Go heap.
const large = 64 << 10

// Make returns n zeroed values that live until a is freed, or nil if a only counts.
func Make[T any](a *Arena, n int) ([]T, error) {
	var v T
	size := uint64(n) * uint64(unsafe.Sizeof(v))
	a.Bytes += int64(size)
	if a.CountOnly {
		return nil, nil
	}
	if size < large {
		return make([]T, n), nil
	}
	b, err := mapMemory(size)
	if err != nil {
		return nil, fmt.Errorf("%d bytes of memory: %w", size, err)
	}
	a.mapped, a.Mapped = append(a.mapped, b), a.Mapped+int64(size)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n), nil // b begins a page or, from make, is aligned to 8 bytes
}

// Free gives all arrays back; they may not be used afterwards.
func (a *Arena) Free() (err error) {
	for _, b := range a.mapped {
		err = errors.Join(err, unmapMemory(b))
	}
	*a = Arena{}
	return err
}
