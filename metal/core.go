//go:build linux && amd64

package metal

import "unsafe"

const maxCores = 256 // as many as have numbers in an xAPIC

var (
	cores     [maxCores]uintptr // *core, by number; 0: none
	coreLimit int               // numbers of cores are below it
	coreCount uint64            // cores that take part in scheduling, the boot processor included
	arrivals  uint32            // other processors that have reached apEntry
)

const (
	kernelStackSize = 32 << 10
	trapStackSize   = 8 << 10
)

// core is the state of one processor core: first the fields that every architecture
// needs, last those that this one adds (processor). The order of the stacks matters:
// code that runs on a stack with the g of one at lower addresses passes the stack checks
// of its prologues.
type core struct {
	self     uintptr // its own address
	thread   uintptr // *thread that runs here; 0: none
	inKernel uint64  // 1 from the entry of a system call to resume: a fault is then the kernel's own
	kernelSP uintptr // end of kernelStack

	idle       uint64 // idleNo and so on: see schedule.go
	sliceStart int64  // when its thread began to run here

	online    uint64 // 1: takes part in scheduling
	unfit     uint64 // 1: cannot take part, and has returned to the firmware
	parked    uint64 // 1: waits in stop for permission to return to the firmware
	returning uint64 // 1: executes its last instructions before it returns to the firmware

	kernelG     [128]uintptr // larger than runtime.g, of which only the stack bounds are used
	kernelStack [kernelStackSize]byte
	trapStack   [trapStackSize]byte // for exceptions

	processor
}

// bootCore is the boot processor, the only one that calls the firmware.
var bootCore core

func coreNumber(i int) *core { return at[core](cores[i]) }

func (c *core) isBoot() bool { return c == &bootCore }

// makeCores allocates the states of cores 1 to n-1, or of fewer if memory is out.
func makeCores(n int) {
	const pages = (unsafe.Sizeof(core{}) + pageSize - 1) / pageSize
	for coreLimit = 1; coreLimit < n; coreLimit++ {
		if cores[coreLimit] = allocPages(pages); cores[coreLimit] == 0 {
			return
		}
	}
}
