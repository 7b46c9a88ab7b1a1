// Package arena holds large arrays outside of the Go heap. The runtime keeps 1.4 MiB of
// bookkeeping for each 64 MiB of heap, and on the bare machine, where memory is mapped when
// it is asked for, that would be 2 % of a large model.
package arena

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unsafe"
)

// Arena is arrays that are freed together, for one goroutine at a time. The zero value is an
// empty one.
type Arena struct {
	CountOnly bool  // Make only adds up what it would allocate
	Err       error // of the first Make for which there was no memory
	Bytes     int64 // of all arrays
	Mapped    int64 // of those outside of the Go heap

	mapped [][]byte
}

// large is the size in bytes from which on arrays do not go into the Go heap.
const large = 64 << 10

// Make returns n zeroed values that live until a is freed. It returns nil if a only counts,
// and without memory, also after an earlier Make without: a.Err has the reason.
func Make[T any](a *Arena, n int) []T {
	var v T
	high, size := bits.Mul64(uint64(n), uint64(unsafe.Sizeof(v)))
	a.Bytes += int64(size)
	if a.CountOnly || a.Err != nil {
		return nil
	}
	if high != 0 || size > math.MaxInt64 {
		a.Err = fmt.Errorf("%d times %d bytes of memory: more than there are addresses", n, unsafe.Sizeof(v))
		return nil
	}
	if size < large {
		return make([]T, n)
	}
	b, err := mapMemory(size)
	if err != nil {
		a.Err = fmt.Errorf("%d bytes of memory: %w", size, err)
		return nil
	}
	a.mapped, a.Mapped = append(a.mapped, b), a.Mapped+int64(size)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n) // b begins a page or, from make, is aligned to 8 bytes
}

// Free gives all arrays back; they may not be used afterwards.
func (a *Arena) Free() (err error) {
	for _, b := range a.mapped {
		err = errors.Join(err, unmapMemory(b))
	}
	*a = Arena{}
	return err
}
