//go:build linux && amd64

package metal

import "unsafe"

// Linux signal numbers (asm/signal.h).
const (
	sigINT   = 2
	sigILL   = 4
	sigTRAP  = 5
	sigABRT  = 6
	sigBUS   = 7
	sigFPE   = 8
	sigSEGV  = 11
	sigURG   = 23
	sigCHLD  = 17
	sigCONT  = 18
	sigWINCH = 28

	maxSignal = 64

	ignoreAction = 1 // SIG_IGN; below it SIG_DFL

	siKernel = 0x80
	siTKill  = ^uint64(5) // -6
)

// sigaction is the kernel's struct sigaction.
type sigaction struct{ handler, flags, restorer, mask uint64 }

var actions [maxSignal + 1]sigaction // under kernelLock

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

// deliver makes thread t continue in the program's handler of a signal, on its
// signal stack, with the registers it has now in the frame; false when there is no
// handler or no stack to run it on.
func deliver(t *thread, signal, code, addr, err, vector uint64) bool {
	a := &actions[signal]
	if a.handler <= ignoreAction || t.signalStackSize == 0 {
		return false
	}
	sp := t.signalStack + t.signalStackSize
	if t.sp > t.signalStack && t.sp <= sp {
		sp = t.sp - 256 // already there: go on below, behind the red zone
	}
	p := (uintptr(sp)-frameSize)&^15 - 8 // as if the handler had been called
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
	t.mask |= a.mask | 1<<(signal-1)
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
	x := at[signalContext](uintptr(t.sp)) // the handler's RET took the restorer
	t.r8, t.r9, t.r10, t.r11, t.r12, t.r13, t.r14, t.r15 = x.r8, x.r9, x.r10, x.r11, x.r12, x.r13, x.r14, x.r15
	t.di, t.si, t.bp, t.bx, t.dx, t.ax, t.cx = x.di, x.si, x.bp, x.bx, x.dx, x.ax, x.cx
	t.sp, t.ip, t.flags, t.mask = x.sp, x.ip, x.eflags&flagsOfProgram|flagsOfHandler, x.mask
}

// signalProcess marks a signal pending and, so that somebody takes it soon, ends the
// wait of one thread with EINTR, unless a thread is about to run here or as soon as a
// core is free. A thread that runs on another core may be long in coming.
func signalProcess(signal uint64) {
	acquire(&kernelLock)
	pending |= 1 << (signal - 1)
	if waiter := takerOf(signal); waiter != nil {
		wake(waiter, errno(eintr))
	}
	release(&kernelLock)
}

// takerOf finds a thread whose wait is to end for a signal; nil if that is not needed.
func takerOf(signal uint64) (waiter *thread) {
	for i := range threadCount {
		t := &threads[i]
		if t.mask>>(signal-1)&1 != 0 {
			continue
		}
		switch {
		case t.state == stateRunnable || bootCore.thread == address(t):
			return nil
		case t.state >= stateFutex && t.signalStackSize != 0:
			waiter = t
		}
	}
	return waiter
}

// takeSignals gives thread t, which is about to run, the signals that wait for it.
func takeSignals(t *thread) {
	for signal := uint64(1); pending&^t.mask != 0 && signal <= maxSignal; signal++ {
		if bit := uint64(1) << (signal - 1); pending&^t.mask&bit != 0 {
			pending &^= bit
			act(t, signal, siKernel)
		}
	}
}

// act does what the program has asked for on a signal.
func act(t *thread, signal, code uint64) {
	if deliver(t, signal, code, 0, 0, 0) {
		return
	}
	if actions[signal].handler == ignoreAction {
		return
	}
	switch signal {
	case sigCHLD, sigCONT, sigURG, sigWINCH:
	default:
		leaveProgram(128 + signal)
	}
}

func sigactionCall(signal, new, old, size uintptr) uint64 {
	if signal == 0 || signal > maxSignal || size != 8 {
		return errno(einval)
	}
	if old != 0 {
		*at[sigaction](old) = actions[signal]
	}
	if new != 0 {
		actions[signal] = *at[sigaction](new)
	}
	return 0
}

func sigprocmask(t *thread, how, new, old uintptr) uint64 {
	const block, unblock, set = 0, 1, 2
	before := t.mask
	if new != 0 {
		switch mask := *at[uint64](new); how {
		case block:
			t.mask |= mask
		case unblock:
			t.mask &^= mask
		case set:
			t.mask = mask
		default:
			return errno(einval)
		}
	}
	if old != 0 {
		*at[uint64](old) = before
	}
	return 0
}

// stack is the kernel's stack_t.
type stack struct {
	sp    uint64
	flags uint32
	_     uint32
	size  uint64
}

func sigaltstack(t *thread, new, old uintptr) uint64 {
	const disable = 2
	before := stack{sp: t.signalStack, size: t.signalStackSize}
	if before.size == 0 {
		before.flags = disable
	}
	if new != 0 {
		s := at[stack](new)
		t.signalStack, t.signalStackSize = s.sp, s.size
		if s.flags&disable != 0 {
			t.signalStack, t.signalStackSize = 0, 0
		}
	}
	if old != 0 {
		*at[stack](old) = before
	}
	return 0
}

// tgkill sends a signal to a thread. The runtime sends itself the signal that is to
// end it; a thread that waits is not interrupted but takes the signal when it next runs.
func tgkill(t *thread, id, signal uintptr) uint64 {
	if signal > maxSignal {
		return errno(einval)
	}
	target := threadByID(uint64(id))
	if target == nil {
		return errno(esrch)
	}
	if signal != 0 && target == t && t.mask>>(signal-1)&1 == 0 {
		t.ax = 0
		act(t, uint64(signal), siTKill)
		return t.ax
	}
	if signal != 0 && signal != sigURG {
		pending |= 1 << (signal - 1)
	}
	return 0
}
