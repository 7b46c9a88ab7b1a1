//go:build linux && amd64

package metal

const maxThreads = 256

// States of a thread; from stateFutex on it waits.
const (
	stateFree     = iota
	stateRunning  // on a core
	stateRunnable // ready to run on a core
	stateBoot     // its system call is in the queue of the boot processor
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
	call                         uint64 // number of its latest system call
	ticket                       uint64 // its place in the queue of the boot processor
	deadline                     int64  // of a wait, in nanoseconds of the monotonic clock
	futex                        uintptr
	buffer, bufferSize           uintptr // for the result of a read or epoll_pwait that waits
	signalStack, signalStackSize uint64
	mask                         uint64 // blocked signals
}

const never = int64(1<<63 - 1)

// These are under kernelLock, except that a core changes the thread that runs on it.
var (
	threads     [maxThreads]thread
	threadCount int // entries of threads that are or were in use
)

func threadByID(id uint64) *thread {
	if id == 0 || id > uint64(threadCount) || threads[id-1].state == stateFree {
		return nil
	}
	return &threads[id-1]
}

// clone starts a thread as the runtime's newosproc wants it: with the same registers,
// except for the result 0, its own stack and its own thread-local storage. Processes
// cannot be cloned.
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

// wait makes a thread wait until wake is called or the deadline has passed.
func wait(t *thread, state uint64, deadline int64) {
	t.state, t.deadline = state, deadline
	earliestDeadline = min(earliestDeadline, deadline)
}

// wake ends a wait: the thread's system call returns result.
func wake(t *thread, result uint64) {
	t.deadline = never
	t.setResult(result)
	makeReady(t)
}

// setResultUnlessWaiting sets the result of a system call, unless the call has made the
// thread wait: then wake sets it.
func (t *thread) setResultUnlessWaiting(result uint64) {
	if t.state == stateRunning {
		t.setResult(result)
	}
}

// timespec is the kernel's struct timespec.
type timespec struct{ sec, nsec int64 }

// deadlineIn returns the time of the monotonic clock after the timespec at p has passed;
// 0, which is past, if it is malformed.
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
