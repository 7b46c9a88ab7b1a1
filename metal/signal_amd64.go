//go:build linux

package metal

import "unsafe"

// The signal frame as Linux lays it out for x86-64 (asm/sigcontext.h, ucontext.h).
type signalContext struct {
	flags, link                                  uint64
	stackSP, stackFlags, stackSize               uint64
	r8, r9, r10, r11, r12, r13, r14, r15         uint64
	di, si, bp, bx, dx, ax, cx, sp, ip, eflags   uint64
	segments, err, trapno, oldmask, cr2, fpstate uint64
	_                                            [8]uint64
	mask                                         uint64
	_                                            [120]byte
}

type signalInfo struct {
	signo, errno, code, _ int32
	addr                  uint64
	_                     [104]byte
}

type signalFrame struct {
	restorer uint64
	context  signalContext
	info     signalInfo
}

const frameSize = unsafe.Sizeof(signalFrame{})

// deliver makes thread t continue in the program's handler of a signal, on its signal
// stack; the registers that it has now are stored in the frame. It returns false if there
// is no handler or no room on a signal stack.
func deliver(t *thread, signal, code, addr, err, vector uint64) bool {
	a := &actions[signal]
	if a.handler <= ignoreAction || t.signalStackSize == 0 {
		return false
	}
	sp := t.signalStack + t.signalStackSize
	if t.sp > t.signalStack && t.sp <= sp {
		sp = t.sp - 256 // it runs on that stack already: below, leaving out the red zone
	}
	p := (uintptr(sp)-frameSize)&^15 - 8 // aligned as if a CALL had entered the handler
	if p < uintptr(t.signalStack) {
		return false
	}
	zero(p, frameSize)
	f := at[signalFrame](p)
	f.restorer = a.restorer
	f.info.signo, f.info.code, f.info.addr = int32(signal), int32(code), addr
	x := &f.context
	x.stackSP, x.stackSize = t.signalStack, t.signalStackSize
	x.r8, x.r9, x.r10, x.r11, x.r12, x.r13, x.r14, x.r15 = t.r8, t.r9, t.r10, t.r11, t.r12, t.r13, t.r14, t.r15
	x.di, x.si, x.bp, x.bx, x.dx, x.ax, x.cx = t.di, t.si, t.bp, t.bx, t.dx, t.ax, t.cx
	x.sp, x.ip, x.eflags = t.sp, t.ip, t.flags
	x.err, x.trapno, x.cr2, x.mask = err, vector, addr, t.mask
	t.mask |= a.mask
	if a.flags&saNoDefer == 0 {
		t.mask |= 1 << (signal - 1)
	}
	t.ip, t.sp, t.flags = a.handler, uint64(p), flagsOfHandler
	t.di, t.si, t.dx = signal, uint64(address(&f.info)), uint64(address(&f.context))
	return true
}

const (
	flagsOfHandler = 0x2   // the bit that is always set
	flagsOfProgram = 0xCD5 // what rt_sigreturn may set: CF PF AF ZF SF DF OF
)

// sigreturn restores the registers that the handler left in its frame.
func sigreturn(t *thread) {
	x := at[signalContext](uintptr(t.sp)) // the handler's RET has popped the restorer
	t.r8, t.r9, t.r10, t.r11, t.r12, t.r13, t.r14, t.r15 = x.r8, x.r9, x.r10, x.r11, x.r12, x.r13, x.r14, x.r15
	t.di, t.si, t.bp, t.bx, t.dx, t.ax, t.cx = x.di, x.si, x.bp, x.bx, x.dx, x.ax, x.cx
	t.sp, t.ip, t.flags, t.mask = x.sp, x.ip, x.eflags&flagsOfProgram|flagsOfHandler, x.mask
}
