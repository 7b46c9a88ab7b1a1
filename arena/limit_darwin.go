package arena

import (
	"encoding/binary"
	"math"
	"syscall"
)

// Limit returns the most memory, in bytes, that this process can get: the machine's. macOS has
// more, since it compresses and swaps memory, but a model would be slow there.
func Limit() int64 {
	memory, err := syscall.Sysctl("hw.memsize")
	if err != nil {
		return math.MaxInt64 // unknown
	}
	// Sysctl takes the number for a string, and its last byte, which is 0, for the string's end.
	var size [8]byte
	copy(size[:], memory)
	return int64(min(binary.LittleEndian.Uint64(size[:]), math.MaxInt64))
}
