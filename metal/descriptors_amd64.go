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

// initTraps makes descriptor tables of our own. The GDT is the firmware's with two
// additions, so that CS never has to change: after the code descriptor a flat data
// descriptor, which SYSCALL loads into SS, and at the end a task state for the interrupt
// stacks. The IDT, which all cores share, is for exceptions. Other interrupts can arrive
// only while a core halts in haltUntilInterrupt (interruptEntry), and use its stack.
func initTraps(c *core) {
	c.dataSelector = c.codeSelector + 8
	n := (uintptr(c.firmware.gdtr.limit) + 1) / 8
	n = max(n, uintptr(c.dataSelector/8+1))
	if n+2 > maxDescriptors {
		fail("the firmware's GDT is too large", efiUnsupported)
	}
	for i := uintptr(0); i < (uintptr(c.firmware.gdtr.limit)+1)/8; i++ {
		c.gdt[i] = *at[uint64](c.firmware.gdtr.base() + i*8)
	}
	c.gdt[c.dataSelector/8] = 0x00CF_9200_0000_FFFF // flat, writable, ring 0
	c.tss.setIST(1, address(&c.trapStack)+trapStackSize)
	c.tss.setIST(2, address(&c.abortStack)+trapStackSize)
	c.tss[25] = uint32(len(c.tss)*4) << 16 // no I/O bitmap
	tss := uint64(address(&c.tss))
	c.gdt[n] = uint64(len(c.tss)*4-1) | tss&0xFF_FFFF<<16 | 0x89<<40 | tss>>24&0xFF<<56
	c.gdt[n+1] = tss >> 32
	c.gdtr.set(address(&c.gdt), (n+2)*8)

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

// enterKernelWorld makes the processor use our page tables and descriptor tables, and
// SYSCALL enter the kernel.
func enterKernelWorld(c *core) {
	writeCR3(c.cr3)
	loadTables(&c.gdtr, &c.idtr, c.dataSelector)
	loadTaskRegister(uint64(c.gdtr.limit) + 1 - 16) // the last descriptor, which takes two entries
	initSyscall(c)
}
