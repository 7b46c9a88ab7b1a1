package arena

import (
	"math"
	"syscall"
	"unsafe"
)

// memoryStatus is MEMORYSTATUSEX of Windows.
type memoryStatus struct {
	length, load                   uint32
	total, available               uint64 // of physical memory
	totalPage, availablePage       uint64
	totalVirtual, availableVirtual uint64
	availableExtended              uint64
}

// Limit returns the most memory, in bytes, that this process can get: the machine's, and what
// its paging files hold.
func Limit() int64 {
	status := memoryStatus{length: uint32(unsafe.Sizeof(memoryStatus{}))}
	call := syscall.NewLazyDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	if ok, _, _ := call.Call(uintptr(unsafe.Pointer(&status))); ok == 0 || status.totalPage == 0 {
		return math.MaxInt64 // unknown
	}
	return int64(min(status.totalPage, math.MaxInt64))
}
