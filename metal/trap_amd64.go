//go:build linux && amd64

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
// additions, so that CS need never change: behind the code descriptor a flat data
// one, which SYSCALL loads into SS, and at the end a task state for the interrupt
// stacks. The IDT, which all cores share, is for exceptions: an interrupt can come only
// to a core that halts for it (interruptEntry), on the stack that is in use.
func initTraps(c *core) {
	c.dataSelector = c.codeSelector + 8
	n := (uintptr(c.found.gdtr.limit) + 1) / 8
	n = max(n, uintptr(c.dataSelector/8+1))
	if n+2 > maxDescriptors {
		fail("the firmware's GDT is too large", efiUnsupported)
	}
	for i := uintptr(0); i < (uintptr(c.found.gdtr.limit)+1)/8; i++ {
		c.gdt[i] = *at[uint64](c.found.gdtr.base() + i*8)
	}
	c.gdt[c.dataSelector/8] = 0x00CF_9200_0000_FFFF // flat, writable, ring 0
	c.tss.setIST(1, address(&c.trapStack)+trapStackSize)
	c.tss.setIST(2, address(&c.abortStack)+trapStackSize)
	c.tss[25] = uint32(len(c.tss)*4) << 16 // no I/O bitmap
	tss := uint64(address(&c.tss))
	c.gdt[n] = uint64(len(c.tss)*4-1) | tss&0xFF_FFFF<<16 | 0x89<<40 | tss>>24&0xFF<<56
	c.gdt[n+1] = tss >> 32
	c.gdtr.set(address(&c.gdt), (n+2)*8)

	c.idtr.set(address(&idt), uintptr(len(idt))*16)
}

// initVectors fills the IDT.
func initVectors(c *core) {
	_, vectors, _, nmi, interrupt, _ := addresses()
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

// enterKernelWorld makes our tables the CPU's.
func enterKernelWorld(c *core) {
	writeCR3(c.cr3)
	loadTables(&c.gdtr, &c.idtr, c.dataSelector)
	loadTaskRegister(uint64(c.gdtr.limit) + 1 - 16) // the last descriptor, two slots long
}

const vectorStride = 5 // bytes of one CALL in vectors

// trapFrame is what vectors, trapEntry and the CPU leave on the interrupt stack.
type trapFrame struct {
	ax, bx, cx, dx, si, di, bp           uint64
	r8, r9, r10, r11, r12, r13, r14, r15 uint64
	stub                                 uint64    // return address into vectors
	cpu                                  [6]uint64 // [error code,] ip, cs, flags, sp, ss
}

// trap handles an exception: in the program it becomes the signal that Linux would
// send, in the kernel it is the end.
func trap(f *trapFrame) {
	_, vectors, _, _, _, _ := addresses()
	vector := (uintptr(f.stub)-vectors)/vectorStride - 1
	frame, code := f.cpu[:], uint64(0)
	switch vector {
	case 8, 10, 11, 12, 13, 14, 17, 21, 29, 30: // the CPU pushed an error code
		frame, code = f.cpu[1:], f.cpu[0]
	}
	c := getCore()
	t := at[thread](c.thread)
	fault := uint64(0)
	if vector == 14 {
		fault = readCR2()
	}
	signal, signalCode := signalFor(vector, code)
	inProgram := c.inKernel == 0
	if inProgram && signal != 0 {
		t.ax, t.bx, t.cx, t.dx, t.si, t.di, t.bp = f.ax, f.bx, f.cx, f.dx, f.si, f.di, f.bp
		t.r8, t.r9, t.r10, t.r11, t.r12, t.r13, t.r14, t.r15 = f.r8, f.r9, f.r10, f.r11, f.r12, f.r13, f.r14, f.r15
		t.ip, t.flags, t.sp = frame[0], frame[2], frame[3]
		c.inKernel = 1
		if deliver(t, signal, signalCode, fault, code, uint64(vector)) {
			return
		}
	}
	crash(f, frame, vector, code, fault, inProgram, c)
}

// signalFor gives the signal and si_code that Linux gives for an exception; signal 0
// for those that are no fault of the program.
func signalFor(vector uintptr, code uint64) (signal, signalCode uint64) {
	const (
		kernelCode = 0x80 // SI_KERNEL
		intDiv     = 1    // FPE_INTDIV
		mapErr     = 1    // SEGV_MAPERR
		accErr     = 2    // SEGV_ACCERR
		illOpn     = 2    // ILL_ILLOPN
	)
	switch vector {
	case 0:
		return sigFPE, intDiv
	case 1, 3:
		return sigTRAP, kernelCode
	case 6:
		return sigILL, illOpn
	case 4, 5, 10, 11, 13:
		return sigSEGV, kernelCode
	case 12, 17:
		return sigBUS, kernelCode
	case 14:
		if code&1 != 0 { // the page is there
			return sigSEGV, accErr
		}
		return sigSEGV, mapErr
	case 16, 19:
		return sigFPE, kernelCode
	}
	return 0, 0
}

// crashed is the first exception that ends the program, which the boot processor prints.
var crashed struct {
	core, frame          uintptr // *core, *trapFrame: 0 if there was none
	vector, cpu          uintptr // cpu: address of ip, cs, flags, sp, ss
	code, fault, program uint64
}

var crashes int

// crash ends the program because of an exception. What a person needs to find the bug
// is printed by the boot processor when all other cores are at rest (printCrash).
func crash(f *trapFrame, frame []uint64, vector uintptr, code, fault uint64, inProgram bool, c *core) {
	if c.isBoot() {
		crashes++
		switch {
		case crashes == 2:
			leave(efiAborted, statusCrash) // while printing: try to get away
		case crashes > 2:
			for {
				halt()
			}
		}
	}
	if swap(&claimed, 1) == 0 {
		crashed.frame, crashed.vector, crashed.cpu = address(f), vector, address(&frame[0])
		crashed.code, crashed.fault = code, fault
		if inProgram {
			crashed.program = 1
		}
		crashed.core = address(c)
		beginEnd(efiAborted, statusCrash)
	}
	stop()
}

// printCrash prints what crash was called for, if it was.
func printCrash() {
	if crashed.core == 0 {
		return
	}
	c, f, cpu := at[core](crashed.core), at[trapFrame](crashed.frame), at[[5]uint64](crashed.cpu)
	say("\nmetal: ")
	if crashed.program != 0 {
		say("an exception that the program cannot handle: ")
	} else {
		say("the kernel failed: exception ")
	}
	sayNumber(uint64(crashed.vector))
	say(exceptionName(crashed.vector))
	say(", error code ")
	sayHex(crashed.code)
	if crashed.vector == 14 {
		say(", address ")
		sayHex(crashed.fault)
	}
	say("\n")
	if c.thread != 0 {
		t := at[thread](c.thread)
		say("in system call ")
		sayNumber(t.call)
		say(" of thread ")
		sayNumber(t.id)
		say("\n")
	}
	if !c.isBoot() {
		say("on another processor than the boot processor\n")
	}
	image := at[efiLoadedImage](loadedImage)
	sayRegisters("ip", cpu[0], "image", uint64(image.imageBase), "flags", cpu[2], "sp", cpu[3])
	sayRegisters("ax", f.ax, "bx", f.bx, "cx", f.cx, "dx", f.dx)
	sayRegisters("si", f.si, "di", f.di, "bp", f.bp, "r8", f.r8)
	sayRegisters("r9", f.r9, "r10", f.r10, "r11", f.r11, "r12", f.r12)
	sayRegisters("r13", f.r13, "r14", f.r14, "r15", f.r15, "cr3", c.cr3)
	say("code addresses on the stack, less the image's base:\n")
	sp := uintptr(cpu[3]) &^ 7
	for found, end := 0, sp+4096; sp < end && found < 16; sp += 8 {
		if root == 0 {
			break
		}
		if _, mapped := mappedEnd(sp); !mapped {
			break
		}
		if v := *at[uint64](sp); v-uint64(image.imageBase) < image.imageSize {
			say(" ")
			sayHex(v - uint64(image.imageBase))
			found++
		}
	}
	say("\n")
}

func exceptionName(vector uintptr) string {
	switch vector {
	case 0:
		return " (divide error)"
	case 2:
		return " (NMI)"
	case 6:
		return " (invalid opcode)"
	case 8:
		return " (double fault)"
	case 13:
		return " (general protection)"
	case 14:
		return " (page fault)"
	case 18:
		return " (machine check)"
	}
	return ""
}
