//go:build linux

package metal

const maxDescriptors = 64

// tableRegister is what LGDT and LIDT load: a 16-bit limit and a 64-bit base,
// without alignment.
type tableRegister struct{ limit, base0, base1, base2, base3 uint16 }

func (r *tableRegister) base() uintptr {
	return uintptr(r.base0) | uintptr(r.base1)<<16 | uintptr(r.base2)<<32 | uintptr(r.base3)<<48
}

func (r *tableRegister) set(base, size uintptr) {
	r.limit = uint16(size - 1)
	r.base0, r.base1, r.base2, r.base3 = uint16(base), uint16(base>>16), uint16(base>>32), uint16(base>>48)
}

// taskState is the 64-bit task-state segment (Intel SDM volume 3, 8.7), in 32-bit
// words because its 64-bit fields are not aligned.
type taskState [26]uint32

// setIST sets entry n (1–7) of the interrupt stack table.
func (t *taskState) setIST(n int, top uintptr) {
	top &^= 15
	t[7+2*n], t[8+2*n] = uint32(top), uint32(top>>32)
}

var idt [256][2]uint64

// codeDescriptor and dataDescriptor are flat segments of ring 0 (Intel SDM volume 3, 3.4.5).
const (
	codeDescriptor = 0x00AF_9B00_0000_FFFF // 64-bit, readable, accessed
	dataDescriptor = 0x00CF_9300_0000_FFFF // writable, accessed
)

// hasRoomForSelector says whether a GDT of ours has room for the code segment with a
// selector, and for what follows it there. The selector must be one of ring 0 and of the
// GDT, not of a local table.
func hasRoomForSelector(code uint64) bool {
	return code != 0 && code%8 == 0 && code/8+4 <= maxDescriptors
}

// initTraps makes descriptor tables of our own. The GDT has what CS, SS and TR need and
// nothing else, whatever size the firmware's has: a code segment with the firmware's
// selector, so that CS never has to change; after it a data segment, which SYSCALL loads
// into SS; after that a task state for the interrupt stacks. The IDT, which all cores
// share, is for exceptions. Other interrupts can arrive only while a core halts in
// haltUntilInterrupt (interruptEntry), and use its stack.
func initTraps(c *core) {
	n := c.codeSelector / 8
	c.dataSelector = c.codeSelector + 8
	c.gdt[n], c.gdt[n+1] = codeDescriptor, dataDescriptor
	c.tss.setIST(1, address(&c.trapStack)+trapStackSize)
	c.tss.setIST(2, address(&c.abortStack)+trapStackSize)
	c.tss[25] = uint32(len(c.tss)*4) << 16 // no I/O bitmap
	tss := uint64(address(&c.tss))
	c.gdt[n+2] = uint64(len(c.tss)*4-1) | tss&0xFF_FFFF<<16 | 0x89<<40 | tss>>24&0xFF<<56
	c.gdt[n+3] = tss >> 32
	c.gdtr.set(address(&c.gdt), uintptr(n+4)*8)

	if c.isBoot() {
		fillIDT(c)
	}
	c.idtr.set(address(&idt), uintptr(len(idt))*16)
}

func fillIDT(c *core) {
	_, vectors, nmi, interrupt, _ := addresses()
	for i := range idt {
		stub, ist := uint64(vectors)+uint64(i)*vectorStride, uint64(1)
		switch {
		case i == 2:
			stub, ist = uint64(nmi), 2
		case i == 8, i == 18: // double fault, machine check
			ist = 2
		case i >= 32:
			stub, ist = uint64(interrupt), 0
		}
		idt[i][0] = stub&0xFFFF | c.codeSelector<<16 | ist<<32 | 0x8E<<40 | stub>>16&0xFFFF<<48
		idt[i][1] = stub >> 32
	}
}

// enterKernelWorld makes the processor use our page tables, with read-only pages, and descriptor
// tables, and SYSCALL enter the kernel.
func enterKernelWorld(c *core) {
	writeCR3(c.cr3)
	writeCR0(c.cr0)
	loadTables(&c.gdtr, &c.idtr, c.dataSelector)
	loadTaskRegister(c.codeSelector + 16)
	initSyscall(c)
}
