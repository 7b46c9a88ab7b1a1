//go:build linux

package metal

const vectorStride = 5 // bytes of each CALL in vectors

// trapFrame is what the CPU, vectors and trapEntry push on the interrupt stack.
type trapFrame struct {
	ax, bx, cx, dx, si, di, bp           uint64
	r8, r9, r10, r11, r12, r13, r14, r15 uint64
	stub                                 uint64    // return address into vectors
	cpu                                  [6]uint64 // [error code,] ip, cs, flags, sp, ss
}

// exception returns the exception's number, the CPU's part of the frame from ip on, and the error
// code.
func (f *trapFrame) exception() (vector uintptr, frame []uint64, code uint64) {
	_, vectors, _, _, _ := addresses()
	vector = (uintptr(f.stub)-vectors)/vectorStride - 1
	switch vector {
	case 8, 10, 11, 12, 13, 14, 17, 21, 29, 30: // the CPU pushed an error code
		return vector, f.cpu[1:], f.cpu[0]
	}
	return vector, f.cpu[:], 0
}

// take gives a thread the registers that it had at an exception.
func (r *registers) take(f *trapFrame, frame []uint64) {
	r.ax, r.bx, r.cx, r.dx, r.si, r.di, r.bp = f.ax, f.bx, f.cx, f.dx, f.si, f.di, f.bp
	r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15 = f.r8, f.r9, f.r10, f.r11, f.r12, f.r13, f.r14, f.r15
	r.ip, r.flags, r.sp = frame[0], frame[2], frame[3]
}

// trap handles an exception: in the program it becomes the signal that Linux would
// send; in the kernel it ends the program. So it does in the program while it blocks the signal,
// as in its handler: Linux ends a program that faults so (kernel/signal.c, force_sig).
func trap(f *trapFrame) {
	vector, frame, code := f.exception()
	c := getCore()
	t := at[thread](c.thread)
	fault := uint64(0)
	if vector == 14 {
		_, fault, _, _ = controlRegisters()
	}
	signal, signalCode := signalFor(vector, code)
	inProgram := c.inKernel == 0
	if inProgram && signal != 0 && t.mask>>(signal-1)&1 == 0 {
		t.take(f, frame)
		c.inKernel = 1
		if deliver(t, signal, signalCode, fault, code, uint64(vector)) {
			return
		}
	}
	crash(f, frame, vector, code, fault, inProgram, c)
}

// signalFor returns the signal and si_code that Linux sends for an exception; signal 0
// for exceptions that the program cannot cause.
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
	case 4, 5, 10, 13:
		return sigSEGV, kernelCode
	case 11, 12, 17:
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

// crashed is the exception that ends the program (the first, if there are several), for
// printCrash.
var crashed struct {
	core, frame          uintptr // *core, *trapFrame; 0: there was no exception
	vector, cpu          uintptr // cpu: *[5]uint64: ip, cs, flags, sp, ss
	code, fault, program uint64
}

var bootCrashes int // exceptions of the boot processor that reached crash

// crash ends the program because of an exception. The boot processor prints what a person
// needs to find the bug (printCrash) when all other cores have stopped.
func crash(f *trapFrame, frame []uint64, vector uintptr, code, fault uint64, inProgram bool, c *core) {
	if c.isBoot() {
		bootCrashes++
		switch {
		case bootCrashes == 2:
			leave(efiAborted, statusCrash) // it happened while printing: only return to the firmware
		case bootCrashes > 2:
			for {
				halt()
			}
		}
	}
	if swap(&endClaimed, 1) == 0 {
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

// printCrash prints the exception that ended the program, if one did.
func printCrash() {
	if crashed.core == 0 {
		return
	}
	endSequences()
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
