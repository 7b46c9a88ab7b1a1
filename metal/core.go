//go:build linux && amd64

package metal

import "unsafe"

const maxCores = 64 // a word of the affinity mask

var (
	cores     [maxCores]uintptr // *core, by number; 0: none
	coreLimit int               // numbers below it have one
	coreCount uint64            // that take part in scheduling, the boot processor included
	arrivals  uint32            // other processors that have come to apEntry
)

const (
	kernelStackSize = 32 << 10
	trapStackSize   = 8 << 10
)

// core is the state of one processor core: first what the kernel needs of it on any
// architecture, last what the architecture adds. The stacks stand in the order of
// their addresses on purpose: code that runs on a later stack with the g of an earlier
// one still passes the stack checks of its prologues.
type core struct {
	self     uintptr
	thread   uintptr // *thread that runs here; 0: none
	inKernel uint64  // 1 from the entry of a system call to resume: a fault then is the kernel's own
	kernelSP uintptr

	idle       uint64 // what it does without a thread: see schedule.go
	sliceStart int64  // when its thread got the processor
	lastThread int    // index of the thread chosen last: the next in turn follows it

	online    uint64 // 1: takes part in scheduling
	parked    uint64 // 1: runs nothing any more and waits to be sent home
	returning uint64 // 1: is on its last instructions on the way back to the firmware

	kernelG     [128]uintptr // larger than runtime.g, of which only the stack bounds are used
	kernelStack [kernelStackSize]byte
	trapStack   [trapStackSize]byte // of exceptions

	processor
}

// bootCore is the boot processor, the only one that calls the firmware.
var bootCore core

func coreNumber(i int) *core { return at[core](cores[i]) }

func (c *core) isBoot() bool { return c == &bootCore }

// makeCores makes the states of cores 1 to n-1, in memory taken for them.
func makeCores(n int) bool {
	const pages = (unsafe.Sizeof(core{}) + pageSize - 1) / pageSize
	for coreLimit = 1; coreLimit < n; coreLimit++ {
		if cores[coreLimit] = allocPages(pages); cores[coreLimit] == 0 {
			return false
		}
	}
	return true
}
