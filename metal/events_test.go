//go:build linux && amd64

package metal

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// makeCall makes a system call of a thread of metal's in this process. If the thread waits, the result comes later.
func makeCall(t *thread, number uint64, args ...uintptr) (result uint64, waits bool) {
	var a [6]uintptr
	copy(a[:], args)
	t.call, t.ax, t.state = number, number, stateRunning
	t.di, t.si, t.dx, t.r10, t.r8, t.r9 = uint64(a[0]), uint64(a[1]), uint64(a[2]), uint64(a[3]), uint64(a[4]), uint64(a[5])
	result, made := ownCall(t)
	if !made {
		acquire(&kernelLock)
		result, made = sharedCall(t)
		release(&kernelLock)
	}
	if !made {
		result = bootCall(t)
	}
	t.setResultUnlessWaiting(result)
	return result, t.state != stateRunning
}

// onLinux makes a system call of this machine's Linux; an error is a negative number, as in metal.
func onLinux(number uint64, args ...uintptr) uint64 {
	var a [6]uintptr
	copy(a[:], args)
	r, _, e := unix.Syscall6(uintptr(number), a[0], a[1], a[2], a[3], a[4], a[5])
	if e != 0 {
		return errno(uint64(e))
	}
	return uint64(r)
}

// twins are descriptors that are open in Linux and in metal, under the same numbers, and threads that make the same calls in
// both, with memory of the same contents. A call that waits in metal is made in Linux again and again, without waiting.
type twins struct {
	*testing.T
	random  *rand.Rand
	threads []*thread
	waiting []twinCall // in the order in which they came

	sets, events, readers, writers []uintptr // open descriptors
	file                           uintptr
	begun                          map[uintptr]bool // readers of pipes from which a part was read: Linux writes behind it only when all is

	calls, woken int
}

// twinCall is a call that waits.
type twinCall struct {
	thread int
	number uint64
	args   []uintptr // in Linux
	uses   []uintptr // descriptors
	time   int64
	memory []byte // of the thread in Linux, before it
}

const (
	twinBase  = 600 // first descriptor
	twinSpace = 9 << 10
	timeSpace = 8 << 10 // where in a thread's space its timeout is
)

var twinMemory [2][8 * twinSpace]byte // Linux's and metal's; a thread has a space of each

// space is the memory of a thread in both.
func (w *twins) space(i int) (linux, metal []byte) {
	return twinMemory[0][i*twinSpace:][:twinSpace], twinMemory[1][i*twinSpace:][:twinSpace]
}

// put stores the same at an offset in both spaces of a thread, and returns what says so in the arguments of a call.
func put[T any](w *twins, i, offset int, v T) pointer {
	linux, metal := w.space(i)
	*(*T)(unsafe.Pointer(&linux[offset])), *(*T)(unsafe.Pointer(&metal[offset])) = v, v
	return pointer(offset)
}

// pointer is an argument of a call: an offset in the space of its thread.
type pointer uintptr

// addresses makes numbers of arguments, for Linux or for metal.
func (w *twins) addresses(system, i int, args []any) (numbers []uintptr) {
	for _, a := range args {
		switch v := a.(type) {
		case pointer:
			numbers = append(numbers, uintptr(unsafe.Pointer(&twinMemory[system][i*twinSpace+int(v)])))
		case uintptr:
			numbers = append(numbers, v)
		case int:
			numbers = append(numbers, uintptr(v))
		}
	}
	return numbers
}

// call makes a call that does not wait, and compares results and memory.
func (w *twins) call(i int, number uint64, args ...any) uint64 {
	w.Helper()
	want := onLinux(number, w.addresses(0, i, args)...)
	got, waits := makeCall(w.threads[i], number, w.addresses(1, i, args)...)
	if waits {
		w.Fatalf("call %d, %d %v waits, in Linux %d", w.calls, number, args, int64(want))
	}
	w.compare(i, number, got, want, args)
	return got
}

// compare looks whether a call has returned and stored the same in both.
func (w *twins) compare(i int, number, got, want uint64, args any) {
	w.Helper()
	w.calls++
	if got != want {
		w.Fatalf("call %d, %d %v: %d, in Linux %d", w.calls, number, args, int64(got), int64(want))
	}
	linux, metal := w.space(i)
	if number == sysEpollPwait && int64(got) > 0 { // in any order
		sortEvents(linux[:12*got])
		sortEvents(metal[:12*got])
	}
	if !bytes.Equal(linux, metal) {
		for at := range linux {
			if linux[at] != metal[at] {
				w.Fatalf("call %d, %d %v: byte %d of memory is %#x, in Linux %#x", w.calls, number, args, at, metal[at:][:16], linux[at:][:16])
			}
		}
	}
}

func sortEvents(b []byte) {
	events := unsafe.Slice((*epollEvent)(unsafe.Pointer(&b[0])), len(b)/12)
	slices.SortFunc(events, func(a, b epollEvent) int { return int(a.dataLow) - int(b.dataLow) })
}

// mayWait makes a call that waits for a time, or until something has happened; without is the same call with no time to wait.
func (w *twins) mayWait(i int, number uint64, args, without []any, time int64, uses ...uintptr) {
	w.Helper()
	c := twinCall{thread: i, number: number, args: w.addresses(0, i, without), uses: uses, time: time}
	linux, _ := w.space(i)
	c.memory = bytes.Clone(linux)
	want := onLinux(number, c.args...)
	before := nanotime()
	got, waits := makeCall(w.threads[i], number, w.addresses(1, i, args)...)
	if waits != c.isNothing(want) {
		w.Fatalf("call %d, %d %v: waits %v, returns %d; in Linux %d", w.calls, number, args, waits, int64(got), int64(want))
	}
	if !waits {
		w.compare(i, number, got, want, args)
		return
	}
	if d := w.threads[i].deadline; time == never && d != never || time != never && (d < before+time || d > nanotime()+time) {
		w.Fatalf("call %d, %d %v waits until %d, not for %d from %d on", w.calls, number, args, d, time, before)
	}
	w.waiting = append(w.waiting, c)
}

// isNothing says whether the result of a call that did not wait means that it has to.
func (c *twinCall) isNothing(result uint64) bool {
	return result == 0 && c.number != sysRead && c.number != sysWrite || result == errno(eagain)
}

// serve looks which calls have ended: in Linux those that return something now, or whose time is over. Of reads and writes
// one may end another.
func (w *twins) serve(over bool) {
	w.Helper()
	for _, numbers := range [][]uint64{{sysRead, sysWrite}, {sysEpollPwait}, {sysPoll, sysPpoll, sysSelect, sysPselect6}} {
		for again := true; again; {
			again = false
			w.waiting = slices.DeleteFunc(w.waiting, func(c twinCall) bool {
				if !slices.Contains(numbers, c.number) {
					return false
				}
				t, linux := w.threads[c.thread], twinMemory[0][c.thread*twinSpace:][:twinSpace]
				copy(linux, c.memory)
				want := onLinux(c.number, c.args...)
				ends := !c.isNothing(want) || over && c.time != never
				if ends != (t.state == stateRunnable) {
					w.Fatalf("call %d, %d %#x of thread %d is in state %d; in Linux it returns %d", w.calls, c.number, c.args, c.thread, t.state, int64(want))
				}
				if ends {
					run(t)
					w.compare(c.thread, c.number, t.result(), want, "that waited")
					again = numbers[0] == sysRead
					w.woken++
				}
				return ends
			})
		}
	}
	if readyCount != 0 || deadlineCount > uintptr(len(w.waiting)) {
		w.Fatalf("after call %d %d threads more are ready, %d have a deadline", w.calls, readyCount, deadlineCount)
	}
}

// isUsed says whether a call waits for a descriptor.
func (w *twins) isUsed(fd uintptr) bool {
	return slices.ContainsFunc(w.waiting, func(c twinCall) bool { return slices.Contains(c.uses, fd) })
}

// place gives Linux's descriptor the number that metal has given it.
func (w *twins) place(linux, metal uint64) uintptr {
	if int64(metal) < twinBase {
		w.Fatalf("a new descriptor: %d, in Linux %d", int64(metal), int64(linux))
	}
	if err := unix.Dup3(int(linux), int(metal), unix.O_CLOEXEC); err != nil {
		w.Fatal(err)
	}
	unix.Close(int(linux))
	return uintptr(metal)
}

// open opens one more.
func (w *twins) open() {
	switch w.random.IntN(3) {
	case 0:
		initial := []uintptr{0, 1, 7, 1<<32 - 1, 1<<40 + 3}[w.random.IntN(5)]
		linux := onLinux(sysEventfd2, initial, nonBlocking|closeOnExec)
		metal, _ := makeCall(w.threads[0], sysEventfd2, initial, uintptr(w.random.IntN(2)*nonBlocking|w.random.IntN(2)*closeOnExec))
		w.events = append(w.events, w.place(linux, metal))
	case 1:
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_NONBLOCK); err != nil {
			w.Fatal(err)
		}
		if _, _, e := unix.Syscall(unix.SYS_FCNTL, uintptr(fds[0]), unix.F_SETPIPE_SZ, pipeSize); e != 0 {
			w.Fatal(e)
		}
		_, metal := w.space(0)
		if got, _ := makeCall(w.threads[0], sysPipe2, address(&metal[0]), oNonblock|closeOnExec); got != 0 {
			w.Fatalf("pipe2: %d", int64(got))
		}
		p := *(*[2]int32)(unsafe.Pointer(&metal[0]))
		r, wr := w.place(uint64(fds[0]), uint64(p[0])), w.place(uint64(fds[1]), uint64(p[1]))
		put(w, 0, 0, p)
		w.readers, w.writers = append(w.readers, r), append(w.writers, wr)
		w.begun[r] = false
	case 2:
		linux := onLinux(sysEpollCreate1, 0)
		metal, _ := makeCall(w.threads[0], sysEpollCreate1, uintptr(w.random.IntN(2)*closeOnExec))
		w.sets = append(w.sets, w.place(linux, metal))
	}
}

// some picks a descriptor of some kinds, now and then one that is closed.
func (w *twins) some(kinds ...[]uintptr) uintptr {
	all := slices.Concat(kinds...)
	if len(all) == 0 || w.random.IntN(20) == 0 {
		return twinBase + 100
	}
	return all[w.random.IntN(len(all))]
}

// reader is the one of the pipe that a descriptor is the writer of; 0 if it is closed.
func (w *twins) reader(writer uintptr) uintptr {
	for _, r := range w.readers {
		if files[r].count == files[writer].count {
			return r
		}
	}
	return 0
}

// close closes one, but none that a call waits for.
func (w *twins) close() {
	list := []*[]uintptr{&w.events, &w.readers, &w.writers, &w.sets}[w.random.IntN(4)]
	fd := w.some(*list)
	if w.isUsed(fd) {
		return
	}
	*list = slices.DeleteFunc(*list, func(open uintptr) bool { return open == fd })
	w.call(0, sysClose, fd)
}

// transfer reads or writes.
func (w *twins) transfer(i int) {
	number, fd := uint64(sysRead), w.some(w.events, w.readers, w.writers, w.sets)
	if i > 0 {
		fd = w.some(w.readers, w.writers)
	}
	n := []int{0, 1, 7, 8, 9, 100, 1000, 4000, pipeSize - 1, pipeSize, 2 * pipeSize}[w.random.IntN(11)]
	if w.random.IntN(2) == 0 {
		number = sysWrite
	}
	values := []uint64{0, 1, 2, 1 << 40, largestEvent - 1, largestEvent, 1<<64 - 1}
	put(w, i, 0, values[w.random.IntN(len(values))])
	if slices.Contains(w.events, fd) && number == sysWrite {
		n = min(n, 8) // more is wrong in some versions of Linux
	}
	if slices.Contains(w.writers, fd) && number == sysWrite {
		if r := w.reader(fd); r != 0 && w.begun[r] {
			return
		}
	}
	isReader := slices.Contains(w.readers, fd) && number == sysRead
	if isReader && n < pipeSize && n > 0 {
		if i > 0 || slices.ContainsFunc(w.waiting, func(c twinCall) bool { return c.number == sysWrite }) {
			n = pipeSize
		} else {
			w.begun[fd] = true
		}
	}
	args := []any{fd, pointer(0), n}
	if i == 0 {
		w.call(i, number, args...)
	} else if isPipe(fd) && n > 0 {
		files[fd].flags &^= oNonblock
		w.mayWait(i, number, args, args, never, fd)
		files[fd].flags |= oNonblock
	}
	if isReader {
		p := &pipes[files[fd].count]
		w.begun[fd] = w.begun[fd] && p.head != p.end
	}
}

// control changes a set. With EPOLLET it asks events for input only: Linux tells with each change what else can be done.
func (w *twins) control() {
	ep, fd := w.some(w.sets), w.some(w.events, w.readers, w.writers, []uintptr{w.file})
	op := w.random.IntN(3) + epollAdd
	event := epollEvent{[]uint32{0, epollIn, epollOut, epollIn | epollOut, epollIn | epollHup}[w.random.IntN(5)], uint32(fd), w.random.Uint32()}
	if w.random.IntN(4) == 0 {
		event.events |= epollOneShot
	}
	switch r := w.random.IntN(40); {
	case r == 0:
		op = 4 + w.random.IntN(3)*5
	case r == 1:
		ep = w.file
	case r == 2:
		ep = w.some(w.events)
	case r == 3:
		fd = ep
	case r < 15 && slices.Contains(w.events, fd):
		event.events = event.events&^epollOut | epollEdge
	case r < 15:
		event.events |= epollEdge
	}
	w.call(0, sysEpollCtl, ep|uintptr(w.random.IntN(2))<<32, op, fd|uintptr(w.random.IntN(2))<<32, put(w, 0, 0, event))
}

// waitForSet is epoll_pwait.
func (w *twins) waitForSet(i int) {
	ep := w.some(w.sets, w.sets, w.events)
	if w.isUsed(ep) {
		return
	}
	limit := []int{64, 64, 64, 64, 0, -1, -1 << 31}[w.random.IntN(7)]
	if i == 0 {
		w.call(i, sysEpollPwait, ep|uintptr(w.random.IntN(2))<<32, pointer(0), limit, 0, 0, 0)
		return
	}
	milliseconds, time := w.milliseconds()
	w.mayWait(i, sysEpollPwait, []any{ep, pointer(0), limit, milliseconds, 0, 0}, []any{ep, pointer(0), limit, 0, 0, 0}, time, ep)
}

// milliseconds are a time to wait, or -1 for ever, with anything in the upper half.
func (w *twins) milliseconds() (argument any, time int64) {
	n := []int64{-1, -7, 1e6, 1e7 + 1, 1<<31 - 1}[w.random.IntN(5)] // none that may pass meanwhile
	argument = uintptr(uint32(n)) | uintptr(w.random.Uint32())<<32
	if n < 0 {
		return argument, never
	}
	return argument, n * 1e6
}

// timeout stores a time to wait, with ns or µs in its second word, or none at all.
func (w *twins) timeout(i int, unit int64) (argument any, time int64) {
	if w.random.IntN(4) == 0 {
		return 0, never
	}
	at := put(w, i, timeSpace+16, timespec{1000 + int64(w.random.IntN(3)), w.random.Int64N(1e9/unit-1) + 1})
	v := *(*timespec)(unsafe.Pointer(&twinMemory[1][i*twinSpace+int(at)]))
	return at, v.sec*1e9 + v.nsec*unit
}

// noTime is now and then a time that there is not, else none, which is no time. A timeval may have more than a million of µs.
func (w *twins) noTime(number uint64, none any) any {
	wrong := []timespec{{-1, 0}, {0, -1}, {5, -1}, {-1 << 63, 5}, {-1, 999_999}, {-1, 1e9}}
	if number == sysPoll || w.random.IntN(8) > 0 {
		return none
	} else if number == sysSelect {
		wrong = append(wrong[:5], timespec{-1, 1e6}, timespec{-3, 3e6})
	} else {
		wrong = append(wrong, timespec{0, 1e9}, timespec{0, 1<<63 - 1})
	}
	return put(w, 0, timeSpace, wrong[w.random.IntN(len(wrong))])
}

// poll is poll or ppoll.
func (w *twins) poll(i int) {
	var fds [12]pollfd
	n := w.random.IntN(len(fds))
	if i > 0 {
		n %= 3
	}
	var uses []uintptr
	for k := range fds {
		fd := w.some(w.events, w.readers, w.writers, []uintptr{w.file})
		if k < n {
			uses = append(uses, fd)
		}
		fds[k] = pollfd{int32(fd), uint16([]uint32{0, epollIn, epollOut, epollIn | epollOut, epollHup}[w.random.IntN(5)]), 0xFFFF}
		if w.random.IntN(10) == 0 {
			fds[k].fd = -int32(w.random.IntN(3))*1000 - 1
		}
	}
	p := put(w, i, 0, fds)
	number, none, time := uint64(sysPoll), any(0), never
	var some any
	if w.random.IntN(2) == 0 {
		number, none = sysPpoll, put(w, i, timeSpace, timespec{})
		some, time = w.timeout(i, 1)
	} else {
		some, time = w.milliseconds()
	}
	if i == 0 {
		w.call(i, number, p, n, w.noTime(number, none), 0, 8)
	} else {
		w.mayWait(i, number, []any{p, n, some, 0, 8}, []any{p, n, none, 0, 8}, time, uses...)
	}
}

// choose is select or pselect6, with any of the three sets.
func (w *twins) choose(i int) {
	var sets [3][16]uint64 // of 1024 descriptors
	last := uintptr(0)
	var uses []uintptr
	for range w.random.IntN(6) {
		fd := w.some(w.events, w.readers, w.writers, []uintptr{w.file})
		sets[w.random.IntN(3)][fd/64] |= 1 << (fd % 64)
		last = max(last, fd)
		uses = append(uses, fd)
	}
	args := []any{int(last) + 1} // what is behind it in the same word Linux clears
	switch w.random.IntN(20) {
	case 0:
		args[0] = -1 - w.random.IntN(2)<<30
	case 1:
		args[0] = 1024
	case 2:
		args[0] = 640
	}
	for k, set := range sets {
		p := put(w, i, k*128, set)
		if set == ([16]uint64{}) && w.random.IntN(2) == 0 {
			args = append(args, 0)
		} else {
			args = append(args, p)
		}
	}
	number, unit := uint64(sysSelect), int64(1000)
	if w.random.IntN(2) == 0 {
		number, unit = sysPselect6, 1
	}
	none := put(w, i, timeSpace, timespec{})
	if i == 0 {
		w.call(i, number, append(args, w.noTime(number, none), 0)...)
		return
	}
	some, time := w.timeout(i, unit)
	w.mayWait(i, number, append(slices.Clone(args), some, 0), append(args, none, 0), time, uses...)
}

// TestEventsAsLinux makes calls with events, pipes, epoll sets, poll and select in a random order, in metal and in this
// machine's Linux: they return and store the same, and those that wait end at the same time.
func TestEventsAsLinux(t *testing.T) {
	const threads, seeds, calls = 8, 3, 4000
	withThreads(t, threads)
	defer func(rate uint64) { ticksPerSecond = rate }(ticksPerSecond)
	ticksPerSecond = 1e9
	w := &twins{T: t, random: rand.New(rand.NewPCG(1, 2))}
	for range threads {
		n := newThread()
		n.state = stateRunning
		w.threads = append(w.threads, n)
	}
	for range seeds {
		w.run(calls)
	}
	if w.woken < 300 {
		t.Errorf("of %d calls %d waited", w.calls, w.woken)
	}
}

// interrupt ends all waits.
func (w *twins) interrupt() {
	for _, c := range w.waiting {
		wake(w.threads[c.thread], errno(eintr))
		run(w.threads[c.thread])
	}
	w.waiting = nil
	twinMemory[0] = twinMemory[1]
}

// run makes n calls, with descriptors of its own.
func (w *twins) run(n int) {
	for fd := range twinBase {
		files[fd].kind = kindFile
	}
	w.begun = map[uintptr]bool{}
	regular, err := unix.Open("/proc/self/exe", unix.O_RDONLY, 0)
	if err != nil {
		w.Fatal(err)
	}
	w.file = w.place(uint64(regular), newEventFile(file{kind: kindFile}))
	for range n {
		i := w.random.IntN(len(w.threads))
		if slices.ContainsFunc(w.waiting, func(c twinCall) bool { return c.thread == i }) {
			i = 0
		}
		switch r := w.random.IntN(100); {
		case r < 6 && len(w.events) < 4 && len(w.readers) < 4 && len(w.sets) < 4:
			w.open()
		case r < 9:
			w.close()
		case r < 12:
			w.interrupt()
		case r < 17:
			endExpiredWaits(nanotime() + 1e18)
			w.serve(true)
		case r < 45:
			w.transfer(i)
		case r < 60:
			w.control()
		case r < 75:
			w.waitForSet(i)
		case r < 88:
			w.poll(i)
		default:
			w.choose(i)
		}
		w.serve(false)
	}
	w.interrupt()
	for _, list := range []*[]uintptr{&w.events, &w.readers, &w.writers, &w.sets, {w.file}} {
		for _, fd := range *list {
			w.call(0, sysClose, fd)
		}
		*list = nil
	}
	for i := range pipes {
		if pipes[i].used {
			w.Errorf("pipe %d is in use, and has no descriptor", i)
		}
	}
	for i := range watches {
		if watches[i].epoll != 0 {
			w.Errorf("watch %d is in use, and has no descriptor", i)
		}
	}
	clear(files[:])
	lowestFree = 0
}

var watchedFor epollEvent

// TestManyWatches: an epoll set has room for so many descriptors, and again when one has left it.
func TestManyWatches(t *testing.T) {
	withThreads(t, 1)
	program := newThread()
	defer func() { clear(files[:]); clear(watches[:]); lowestFree, watchLimit, ticksPerSecond = 0, 0, 0 }()
	ticksPerSecond = 1e9
	call := func(number uint64, args ...uintptr) uint64 {
		result, _ := makeCall(program, number, args...)
		return result
	}
	put := func(ep, op, fd uintptr) uint64 {
		watchedFor = epollEvent{events: epollIn}
		return call(sysEpollCtl, ep, op, fd, address(&watchedFor))
	}
	ep := uintptr(call(sysEpollCreate1))
	for fd := ep + 1; fd <= maxWatches+ep; fd++ {
		if got := call(sysEventfd2, 0, 0); got != uint64(fd) || put(ep, epollAdd, fd) != 0 {
			t.Fatalf("event %d of the set is %d", fd-ep, int64(got))
		}
	}
	last := uintptr(call(sysEventfd2, 1, 0))
	if got := put(ep, epollAdd, last); got != errno(enospc) {
		t.Errorf("one more than there is room for: %d", int64(got))
	}
	if put(ep, epollDelete, 17) != 0 || put(ep, epollAdd, last) != 0 || watchLimit != maxWatches {
		t.Errorf("one in place of another: %d are looked at", watchLimit)
	}
	if got := call(sysClose, ep); got != 0 || newWatch() != &watches[0] {
		t.Errorf("a set that is closed, %d, leaves what was in it", int64(got))
	}
	for _, fd := range []uintptr{maxFiles - 1, maxFiles, 1 << 32, ^uintptr(0)} {
		for _, args := range [][]uintptr{{sysRead, fd}, {sysWrite, fd}, {sysClose, fd}, {sysEpollCtl, last, epollAdd, fd}, {sysEpollCtl, fd, epollAdd, last}, {sysEpollPwait, fd, 0, 1}} {
			if args[0] >= sysEpollCtl && fd == 1<<32 {
				continue // the upper half does not count
			}
			if got := call(uint64(args[0]), args[1:]...); got != errno(ebadf) {
				t.Errorf("call %d%#x: %d", args[0], args[1:], int64(got))
			}
		}
	}
	// As many as there may be descriptors can be waited for.
	fds := make([]pollfd, maxFiles)
	for i := range fds {
		fds[i].fd = maxFiles - 1
	}
	if got := call(sysPoll, address(&fds[0]), maxFiles, 0); got != maxFiles || fds[maxFiles-1].returned != pollInvalid {
		t.Errorf("poll of %d: %d", maxFiles, int64(got))
	}
	if got := call(sysPoll, address(&fds[0]), maxFiles+1, 0); got != errno(einval) {
		t.Errorf("poll of one more: %d", int64(got))
	}
	set := make([]uint64, maxFiles/64+1)
	files[maxFiles-1].kind, set[maxFiles/64-1], set[maxFiles/64] = kindEvent, 1<<63, ^uint64(0)
	if got := call(sysSelect, 1<<30, 0, address(&set[0]), 0, address(&fds[0])); got != 1 || set[maxFiles/64-1] != 1<<63 || set[maxFiles/64] != ^uint64(0) {
		t.Errorf("select of more descriptors than there are: %d, %#x", int64(got), set[maxFiles/64-1:])
	}
	for i := range files {
		files[i].kind = kindEvent
	}
	for number, want := range map[uint64]uint64{sysEventfd2: errno(emfile), sysEpollCreate1: errno(emfile), sysPipe2: errno(emfile)} {
		if got := call(number); got != want {
			t.Errorf("call %d with all descriptors open: %d", number, int64(got))
		}
	}
	for _, wrong := range [][]uintptr{{sysEventfd2, 0, 8}, {sysEventfd2, 0, closeOnExec << 1}, {sysEpollCreate1, nonBlocking}, {sysPipe2, 0, 1}, {sysPipe2, 0, 2 * closeOnExec}} {
		if got, linux := call(uint64(wrong[0]), wrong[1:]...), onLinux(uint64(wrong[0]), wrong[1:]...); got != errno(einval) || got != linux {
			t.Errorf("call %d: %d, in Linux %d", wrong, int64(got), int64(linux))
		}
	}
}
