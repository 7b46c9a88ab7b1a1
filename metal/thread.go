//go:build linux && amd64

package metal

const maxThreads = 256

// A thread's state; from stateFutex on it waits.
const (
	stateFree     = iota
	stateRunning  // on a core
	stateRunnable // on none, but ready
	stateBoot     // ready, once the boot processor has made its system call
	stateFutex
	stateSleep
	stateEpoll
	stateConsole
)

// thread is a thread of the program: an M of the Go runtime. No field is a pointer,
// so that no store needs a write barrier.
type thread struct {
	registers

	id, state                    uint64
	call                         uint64 // number of the system call it is in
	ticket                       uint64 // its place in the queue for the boot processor
	deadline                     int64  // of a wait, in nanoseconds of the monotonic clock
	futex                        uintptr
	buffer, bufferSize           uintptr // where a read or epoll_pwait wants its result
	signalStack, signalStackSize uint64
	mask                         uint64 // blocked signals
}

const never = int64(1<<63 - 1)

// All of these are under kernelLock, but for what a running thread's own core does.
var (
	threads     [maxThreads]thread
	threadCount int // entries of threads that have been in use
)

func threadByID(id uint64) *thread {
	if id == 0 || id > uint64(threadCount) || threads[id-1].state == stateFree {
		return nil
	}
	return &threads[id-1]
}

// clone starts a thread as the runtime's newosproc wants it: the same registers but
// for the result 0, its own stack and thread-local storage. Processes cannot be cloned.
func clone(t *thread, flags, sp, tls uintptr) uint64 {
	const (
		cloneThread = 0x10000
		cloneSetTLS = 0x80000
	)
	if flags&cloneThread == 0 {
		return errno(enosys)
	}
	for i := range threads {
		n := &threads[i]
		if n.state != stateFree {
			continue
		}
		threadCount = max(threadCount, i+1)
		*n = *t
		n.id = uint64(i) + 1
		n.setResult(0)
		n.setStackPointer(sp)
		if flags&cloneSetTLS != 0 {
			n.setTLS(tls)
		}
		n.signalStack, n.signalStackSize = 0, 0
		makeReady(n)
		return n.id
	}
	return errno(eagain)
}

// wait takes the thread off the processor until somebody calls wake or the deadline
// has come.
func wait(t *thread, state uint64, deadline int64) {
	t.state, t.deadline = state, deadline
	earliestDeadline = min(earliestDeadline, deadline)
}

// wake ends a wait: the system call returns result.
func wake(t *thread, result uint64) {
	t.deadline = never
	t.setResult(result)
	makeReady(t)
}

// setResultUnlessWaiting gives a system call's result to a thread, which the call may
// have made wait: wake gives it another, then.
func (t *thread) setResultUnlessWaiting(result uint64) {
	if t.state == stateRunning {
		t.setResult(result)
	}
}

// timespec is the kernel's struct timespec.
type timespec struct{ sec, nsec int64 }

// deadlineIn gives the time that lies a timespec from now; malformed ones are past.
func deadlineIn(p uintptr) int64 {
	t := at[timespec](p)
	if t.sec < 0 || t.nsec < 0 {
		return 0
	}
	if t.sec > 1<<32 {
		return never
	}
	return nanotime() + t.sec*1e9 + t.nsec
}

// futex waits on and wakes by the address of a 32-bit word.
func futex(t *thread, word, op, value, timeout uintptr) uint64 {
	const (
		futexWait = 0
		futexWake = 1
		private   = 128
	)
	switch op &^ private {
	case futexWait:
		if *at[uint32](word) != uint32(value) {
			return errno(eagain)
		}
		deadline := never
		if timeout != 0 {
			deadline = deadlineIn(timeout)
		}
		t.futex = word
		wait(t, stateFutex, deadline)
		return 0
	case futexWake:
		woken := uint64(0)
		for i := range threadCount {
			if w := &threads[i]; woken < uint64(value) && w.state == stateFutex && w.futex == word {
				wake(w, 0)
				woken++
			}
		}
		return woken
	}
	return errno(enosys)
}
