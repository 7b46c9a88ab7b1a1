//go:build linux && amd64

package metal

import (
	"testing"
	"unsafe"
)

// timeMemory is a word and a time that calls use.
var timeMemory struct {
	word [2]uint32
	time timespec
}

// TestTimes: a time that there is not is an error, in nanosleep and futex as in Linux; others end when they should.
func TestTimes(t *testing.T) {
	withThreads(t, 1)
	defer func(rate uint64) { ticksPerSecond = rate }(ticksPerSecond)
	ticksPerSecond = 1e9
	sleeper := newThread()
	m := &timeMemory
	word, time := address(&m.word), address(&m.time)
	for _, wrong := range []timespec{{-1, 0}, {0, -1}, {0, 1e9}, {1, 1 << 62}, {-1 << 63, 5}, {5, -1 << 63}} {
		m.time, m.word[0] = wrong, 7
		for number, args := range map[uint64][]uintptr{sysNanosleep: {time, 0}, sysFutex: {word, 0, 7, time}} {
			got, waits := makeCall(sleeper, number, args...)
			if want := onLinux(number, args...); got != want || waits {
				t.Errorf("%d for %v: %d, in Linux %d", number, wrong, int64(got), int64(want))
			}
		}
	}
	for _, c := range []struct {
		name  string
		args  []uintptr
		value uint32
	}{
		{"another value", []uintptr{word, 0, 6, 0}, 7},
		{"another value, and the same lower half", []uintptr{word, 128, 7 | 1<<32, 0}, 6},
		{"between words", []uintptr{word + 2, 0, 7, 0}, 7},
		{"to wake between words", []uintptr{word + 1, 1, 7, 0}, 7},
		{"to wake nobody", []uintptr{word, 1 | 128, 7, 0}, 7},
		{"no operation", []uintptr{word, 99, 7, 0}, 7},
	} {
		m.word[0] = c.value
		if got, _ := makeCall(sleeper, sysFutex, c.args...); got != onLinux(sysFutex, c.args...) {
			t.Errorf("futex, %s: %d", c.name, int64(got))
		}
	}
	for _, c := range []struct {
		time timespec
		ns   int64 // never: it is longer than the clock counts
	}{
		{timespec{0, 0}, 0}, {timespec{0, 1}, 1}, {timespec{0, 999_999_999}, 999_999_999}, {timespec{3, 7}, 3_000_000_007}, {timespec{1 << 32, 0}, 1 << 32 * 1e9},
		{timespec{1<<32 + 1, 0}, never}, {timespec{1<<63 - 1, 999_999_999}, never},
	} {
		for _, number := range []uint64{sysNanosleep, sysFutex} {
			m.time, m.word[0] = c.time, 7
			before := nanotime()
			args := []uintptr{word, 128, 7 | 1<<32, time}
			if number == sysNanosleep {
				args = []uintptr{time}
			}
			_, waits := makeCall(sleeper, number, args...)
			if d := sleeper.deadline; !waits || c.ns == never && d != never || c.ns != never && (d < before+c.ns || d > nanotime()+c.ns) {
				t.Fatalf("%d for %v waits %v, for %d ns", number, c.time, waits, d-before)
			}
			want := uint64(0)
			if number == sysFutex {
				want = errno(etimedout)
			}
			if d := sleeper.deadline; d != never {
				if endExpiredWaits(d - 1); sleeper.state == stateRunnable {
					t.Errorf("%d for %v ends too early", number, c.time)
				}
				endExpiredWaits(d)
			} else {
				wake(sleeper, want)
			}
			if sleeper.state != stateRunnable || sleeper.result() != want || earliestDeadline != never {
				t.Errorf("%d for %v: state %d, result %d", number, c.time, sleeper.state, int64(sleeper.result()))
			}
			run(sleeper)
		}
	}
	// Without a time it waits for ever.
	if _, waits := makeCall(sleeper, sysFutex, word, 0, 7, 0); !waits || sleeper.deadline != never || deadlineCount != 0 {
		t.Errorf("futex without a time waits %v, until %d", waits, sleeper.deadline)
	}
	if got := futex(nil, word, 1, 1, 0); got != 1 {
		t.Errorf("%d were woken", got)
	}
}

// TestClone: a new thread has its parent's registers and mask, a stack and storage of its own, and no stack for signals.
func TestClone(t *testing.T) {
	withThreads(t, 3)
	defer func() { threadMapped = 0 }()
	parent := newThread()
	parent.registers = registers{bx: 1, cx: 2, dx: 3, bp: 4, r11: 5, r15: 6, ip: 7, flags: 8, sp: 9, fs: 10}
	parent.mask, parent.signalStack, parent.signalStackSize = 0x55, 1, 2
	const asThread, setTLS = 0x10000, 0x80000
	made := func(flags, sp, tls uintptr) (uint64, *thread) {
		t.Helper()
		id, _ := makeCall(parent, sysClone, flags, sp, 0, 0, tls)
		n := threadByID(id)
		if n == nil || n.state != stateRunnable || n.id != id || n.call != sysClone || n.mask != 0x55 || n.signalStack != 0 || n.signalStackSize != 0 {
			t.Fatalf("clone(%#x): %d, %+v", flags, int64(id), n)
		}
		return id, n
	}
	threadNumber(1).signalStack, threadNumber(1).signalStackSize = 3, 4
	_, n := made(asThread|setTLS, 0x1000, 0x2000)
	want := parent.registers
	want.ax, want.sp, want.fs = 0, 0x1000, 0x2000
	if n.registers != want {
		t.Errorf("registers %+v, want %+v", n.registers, want)
	}
	if _, n = made(asThread, 0x3000, 0x4000); n.fs != 10 || n.sp != 0x3000 {
		t.Errorf("without CLONE_SETTLS FS is %d", n.fs)
	}
	if got, _ := makeCall(parent, sysClone, setTLS, 0, 0, 0, 0); got != errno(enosys) {
		t.Errorf("a process: %d", int64(got))
	}
	threadMapped = maxThreads * unsafe.Sizeof(*parent)
	if got, _ := makeCall(parent, sysClone, asThread, 0, 0, 0, 0); got != errno(eagain) || readyCount != 2 || kernelLock != 0 || memoryLock != 0 {
		t.Errorf("one more than there may be: %d, %d are ready", int64(got), readyCount)
	}
	exit := n
	run(exit)
	if makeCall(exit, sysExit, 0); exit.state != stateFree || threadByID(exit.id) != nil {
		t.Errorf("a thread that has ended is in state %d", exit.state)
	}
	if _, n = made(asThread, 1, 0); n != exit {
		t.Errorf("thread %d is new, and %d was free", n.id, exit.id)
	}
}

// TestThreadTable fills the table of threads: it grows as far as there may be threads, one after the other.
func TestThreadTable(t *testing.T) {
	const size = unsafe.Sizeof(thread{})
	withMemory(t, (maxThreads*size+8*largePageSize)&^(largePageSize-1))
	withAddresses(t, userBase, maxThreads*size+threadMemory)
	defer func() { threadTable, threadLimit, threadMapped, freeThreads = 0, 0, 0, threadList{} }()
	if !initThreads() || threadTable != userBase || threadLimit != threadMemory/size {
		t.Fatalf("%d threads at %#x", threadLimit, threadTable)
	}
	if !overlaps(userBase, pageSize) || !overlaps(userBase+maxThreads*size-1, 1) || overlaps(userBase+maxThreads*size+threadMemory, 1) {
		t.Errorf("the addresses of %d threads are not reserved: %#x", maxThreads, spans[:spanCount])
	}
	count := uint64(0)
	acquire(&kernelLock)
	for n := newThread(); n != nil; n = newThread() {
		count++
		if n.id != count || n != threadNumber(uintptr(count-1)) || threadLimit < uintptr(count) || threadLimit > uintptr(count)+threadMemory/size {
			t.Fatalf("thread %d has the number %d, of %d", count, n.id, threadLimit)
		}
		n.state = stateRunning
		if threadByID(count) != n || threadByID(count+1) != nil {
			t.Fatalf("thread %d is not found", count)
		}
	}
	if kernelLock != 1 || memoryLock != 0 {
		t.Errorf("the locks are %d and %d", kernelLock, memoryLock)
	}
	release(&kernelLock)
	// The last piece of the table that has room for none but whole threads.
	if want := uint64(threadMapped / size); count != want || count > maxThreads || count < maxThreads-uint64(threadMemory/size) {
		t.Errorf("%d threads, in memory for %d", count, want)
	}
	if _, mapped := mappedEnd(threadTable + threadMapped - 1); !mapped {
		t.Error("the end of the table is not mapped")
	}
	for _, id := range []uint64{0, count + 1, 1 << 63} {
		if threadByID(id) != nil {
			t.Errorf("there is a thread %d", id)
		}
	}
}
