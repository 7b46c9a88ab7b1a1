//go:build linux && amd64

package metal

// Linux signal numbers (asm/signal.h).
const (
	sigINT   = 2
	sigQUIT  = 3
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

	saRestart = 0x10000000 // a read of the terminal or a pipe that the signal has interrupted goes on
	saNoDefer = 0x40000000 // the signal is not blocked while its handler runs

	siKernel = 0x80
	siTKill  = ^uint64(5) // -6
)

// sigaction is the kernel's struct sigaction.
type sigaction struct{ handler, flags, restorer, mask uint64 }

var actions [maxSignal + 1]sigaction // by signal; under kernelLock

// signalProcess marks a signal as pending. So that it is delivered soon, it ends the wait
// of one thread with EINTR, unless one that can take the signal is on the boot processor
// or ready to run. A thread on another core does not count: its next system call may be
// far away.
func signalProcess(signal uint64) {
	acquire(&kernelLock)
	pendingSignals |= 1 << (signal - 1)
	if waiter := findWaiter(signal); waiter != nil {
		reads := waiter.state == stateConsole || waiter.state == statePipe
		if wake(waiter, errno(eintr)); reads && actions[signal].flags&saRestart != 0 {
			waiter.repeatCall(waiter.call)
		}
	}
	release(&kernelLock)
}

// findWaiter finds a thread whose wait should end for a signal; nil if that is not needed.
func findWaiter(signal uint64) (waiter *thread) {
	for i := range threadLimit {
		t := threadNumber(i)
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

// deliverPending delivers the pending signals that thread t does not block; t is about to
// run.
func deliverPending(t *thread) {
	for signal := uint64(1); pendingSignals&^t.mask != 0 && signal <= maxSignal; signal++ {
		if bit := uint64(1) << (signal - 1); pendingSignals&^t.mask&bit != 0 {
			pendingSignals &^= bit
			performAction(t, signal, siKernel)
		}
	}
}

// performAction does what the program has set as a signal's action, or Linux's default.
func performAction(t *thread, signal, code uint64) {
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

// unhandled are SIGKILL and SIGSTOP, which nothing handles or blocks.
const unhandled = 1<<(9-1) | 1<<(19-1)

func sigactionCall(signal, new, old, size uintptr) uint64 {
	if signal == 0 || signal > maxSignal || size != 8 || new != 0 && unhandled>>(signal-1)&1 != 0 {
		return errno(einval)
	}
	if old != 0 {
		*at[sigaction](old) = actions[signal]
	}
	if new != 0 {
		actions[signal] = *at[sigaction](new)
		actions[signal].mask &^= unhandled
	}
	return 0
}

func sigprocmask(t *thread, how, new, old, size uintptr) uint64 {
	const block, unblock, set = 0, 1, 2
	if size != 8 {
		return errno(einval)
	}
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
		t.mask &^= unhandled
	}
	if old != 0 {
		*at[uint64](old) = before
	}
	return 0
}

// altStack is the kernel's stack_t.
type altStack struct {
	sp    uint64
	flags uint32
	_     uint32
	size  uint64
}

func sigaltstack(t *thread, new, old uintptr) uint64 {
	const (
		disable   = 2 // of flags; 1, SS_ONSTACK, says nothing
		leastSize = 2048
	)
	before := altStack{sp: t.signalStack, size: t.signalStackSize}
	if before.size == 0 {
		before.flags = disable
	}
	if new != 0 {
		switch s := at[altStack](new); {
		case s.flags == disable:
			t.signalStack, t.signalStackSize = 0, 0
		case s.flags > disable:
			return errno(einval)
		case s.size < leastSize:
			return errno(enomem)
		default:
			t.signalStack, t.signalStackSize = s.sp, s.size
		}
	}
	if old != 0 {
		*at[altStack](old) = before
	}
	return 0
}

// tgkill sends a signal to a thread. The runtime sends one to its own thread to end the
// program. A thread that waits is not interrupted: the signal is delivered when it next
// runs.
func tgkill(t *thread, id, signal uintptr) uint64 {
	if signal > maxSignal {
		return errno(einval)
	}
	target := threadByID(uint64(id))
	if target == nil {
		return errno(esrch)
	}
	if signal != 0 && target == t && t.mask>>(signal-1)&1 == 0 {
		t.setResult(0)
		performAction(t, uint64(signal), siTKill)
		return t.result()
	}
	if signal != 0 && signal != sigURG {
		pendingSignals |= 1 << (signal - 1)
	}
	return 0
}
