//go:build linux && amd64

package metal

import "unsafe"

const (
	// maxThreads is Linux's default for kernel.pid_max. The Go runtime gives up at 10,000
	// threads, unless debug.SetMaxThreads has set another number.
	maxThreads = 32 << 10

	threadMemory = 64 << 10 // by which the table of threads grows
)

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
	statePoll
	statePipe
	stateVCS
)

// thread is a thread of the program: an M of the Go runtime. No field is a pointer,
// so that no store needs a write barrier.
type thread struct {
	registers

	id, state                    uint64
	call                         uint64  // number of its latest system call
	list, previous, next         uintptr // *threadList that it is in, 0: none; its neighbours there
	deadline                     int64   // of a wait, in nanoseconds of the monotonic clock
	heapPlace, heapEntry         uintptr // see queue.go; heapPlace is 0 if it is not in the heap
	expired                      bool    // the time of its read of the terminal is up: the call is made once more
	futex                        uintptr
	buffer, bufferSize           uintptr // for the result of a read or epoll_pwait that waits
	descriptor                   uintptr // of a read of /dev/vcs that waits
	signalStack, signalStackSize uint64
	mask                         uint64 // blocked signals
}

const never = int64(1<<63 - 1)

// The table of threads is an array at addresses that are reserved at the start. Memory is
// mapped there as the number of threads grows, and never unmapped: a thread that has ended
// is used again. Threads are under kernelLock, except that a core changes the thread that
// runs on it.
var (
	threadTable  uintptr // *[maxThreads]thread
	threadLimit  uintptr // the number of threads that fit into the memory that is mapped
	threadMapped uintptr // its bytes; under memoryLock
)

func threadNumber(i uintptr) *thread { return at[thread](threadTable + i*unsafe.Sizeof(thread{})) }

// thread1 is the thread that only the boot processor runs.
func thread1() *thread { return threadNumber(0) }

func threadByID(id uint64) *thread {
	if id == 0 || id > uint64(threadLimit) || threadNumber(uintptr(id-1)).state == stateFree {
		return nil
	}
	return threadNumber(uintptr(id - 1))
}

// initThreads reserves addresses for the table, and maps its beginning; false if there is
// no room.
func initThreads() bool {
	const size = (maxThreads*unsafe.Sizeof(thread{}) + threadMemory) &^ (pageSize - 1)
	threadTable = freeAddresses(size)
	return threadTable != 0 && reserve(threadTable, threadTable+size) && growThreads()
}

// growThreads maps memory for more threads, and makes them free ones; false if there is no
// room. It takes both locks, one after the other.
func growThreads() bool {
	const size = unsafe.Sizeof(thread{})
	acquire(&memoryLock)
	from := threadMapped
	grown := (from+threadMemory)/size <= maxThreads && mapZeroed(threadTable+from, threadMemory)
	if grown {
		threadMapped += threadMemory
	}
	release(&memoryLock)
	if !grown {
		return false
	}
	acquire(&kernelLock)
	for i := from / size; i < (from+threadMemory)/size; i++ {
		threadNumber(i).id = uint64(i) + 1
		freeThreads.add(threadNumber(i))
	}
	threadLimit = max(threadLimit, (from+threadMemory)/size)
	release(&kernelLock)
	return true
}

// newThread takes a free thread; nil if there is none and no memory for more. The caller
// holds kernelLock, which is released for a moment when the table has to grow.
func newThread() *thread {
	for freeThreads.first == 0 {
		release(&kernelLock)
		grown := growThreads()
		acquire(&kernelLock)
		if !grown && freeThreads.first == 0 {
			return nil
		}
	}
	t := at[thread](freeThreads.first)
	t.leaveList()
	return t
}

// exitThread ends the thread that runs on this core.
func exitThread(t *thread) {
	t.state = stateFree
	freeThreads.add(t)
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
	n := newThread()
	if n == nil {
		return errno(eagain)
	}
	n.registers, n.call, n.mask = t.registers, t.call, t.mask
	n.setResult(0)
	n.setStackPointer(sp)
	if flags&cloneSetTLS != 0 {
		n.setTLS(tls)
	}
	n.signalStack, n.signalStackSize = 0, 0
	makeReady(n)
	return n.id
}

// wait makes a thread wait, in a list, until wake is called or the deadline has passed.
func wait(t *thread, l *threadList, state uint64, deadline int64) {
	t.state, t.deadline = state, deadline
	l.add(t)
	if deadline != never {
		addDeadline(t)
	}
}

// wake ends a wait: the thread's system call returns result.
func wake(t *thread, result uint64) {
	t.leaveList()
	removeDeadline(t)
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

// isTime says whether the timespec at p is well formed.
func isTime(p uintptr) bool {
	t := at[timespec](p)
	return t.sec >= 0 && t.nsec >= 0 && t.nsec < 1e9
}

// deadlineIn returns the time of the monotonic clock after the timespec at p, which is well formed, has passed.
func deadlineIn(p uintptr) int64 {
	t := at[timespec](p)
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
		if word%4 != 0 || timeout != 0 && !isTime(timeout) {
			return errno(einval)
		}
		if *at[uint32](word) != uint32(value) {
			return errno(eagain)
		}
		deadline := never
		if timeout != 0 {
			deadline = deadlineIn(timeout)
		}
		t.futex = word
		wait(t, futexList(word), stateFutex, deadline)
		return 0
	case futexWake:
		if word%4 != 0 {
			return errno(einval)
		}
		woken := uint64(0)
		for next := futexList(word).first; next != 0 && woken < uint64(value); {
			w := at[thread](next)
			next = w.next
			if w.futex == word {
				wake(w, 0)
				woken++
			}
		}
		return woken
	}
	return errno(enosys)
}
