//go:build linux && amd64

package metal

// Waiting for descriptors: epoll, poll and select, and eventfd. What can be waited for are
// events, pipes and the terminal; the rest is always ready for poll and select, and EPERM for epoll,
// as Linux says for regular files. All of it is under kernelLock.

const (
	epollIn      = 0x1
	epollOut     = 0x4
	epollErr     = 0x8
	epollHup     = 0x10
	epollOneShot = 1 << 30
	epollEdge    = 1 << 31 // EPOLLET

	epollAdd    = 1
	epollDelete = 2
	epollModify = 3

	pollInvalid = 0x20 // POLLNVAL

	maxWatches = 256
)

// A watch is a descriptor in an epoll set.
type watch struct {
	epoll   uint32 // 1 + descriptor of the set; 0: the watch is free
	fd      uint32
	pending uint32 // of an edge-triggered one: what has not been reported since it happened
	events  epollEvent
}

var (
	watches    [maxWatches]watch
	watchLimit int // watches from there on are free
)

func epollCreate(flags uintptr) uint64 {
	if flags&^closeOnExec != 0 {
		return errno(einval)
	}
	return newEventFile(file{kind: kindEpoll})
}

// Flags of epoll_create1 and eventfd2. There is no exec, and events are all as if O_NONBLOCK.
const (
	closeOnExec = 0o2000000
	nonBlocking = 0o4000
)

// newEventFile opens a descriptor that other cores use, too. Only the boot processor opens
// descriptors: one that openat has chosen must stay free until the firmware has opened
// the file.
func newEventFile(f file) uint64 {
	fd := freeFile()
	if fd == maxFiles {
		return errno(emfile)
	}
	acquire(&kernelLock)
	files[fd] = f
	release(&kernelLock)
	return uint64(fd)
}

func eventfd(initial, flags uintptr) uint64 {
	if flags&^(closeOnExec|nonBlocking) != 0 { // a semaphore (1) there is not
		return errno(einval)
	}
	return newEventFile(file{kind: kindEvent, count: uint64(uint32(initial))})
}

// readyEvents says what can be done with an open file without waiting.
func readyEvents(f *file) (events uint32) {
	events = epollOut
	switch f.kind {
	case kindEvent:
		if f.count == largestEvent {
			events = 0
		}
		if f.count != 0 {
			events |= epollIn
		}
	case kindConsole:
		if inputReady {
			events |= epollIn
		}
	case kindPipe:
		events = pipeEvents(f)
	default:
		events |= epollIn
	}
	return events
}

// findWatch finds a descriptor in an epoll set; nil if it is not there.
func findWatch(ep, fd uintptr) *watch {
	for i := range watchLimit {
		if w := &watches[i]; w.epoll == uint32(ep)+1 && w.fd == uint32(fd) {
			return w
		}
	}
	return nil
}

// newWatch finds a free one; nil if there is none.
func newWatch() *watch {
	for i := range watches {
		if w := &watches[i]; w.epoll == 0 {
			watchLimit = max(watchLimit, i+1)
			return w
		}
	}
	return nil
}

// forgetWatches takes a descriptor that is closed out of all sets, or a set with all of its.
func forgetWatches(fd uintptr) {
	acquire(&kernelLock)
	for i := range watchLimit {
		if w := &watches[i]; w.fd == uint32(fd) || w.epoll == uint32(fd)+1 {
			w.epoll = 0
		}
	}
	release(&kernelLock)
}

func epollCtl(ep, op, fd, event uintptr) uint64 {
	ep, fd = uintptr(uint32(ep)), uintptr(uint32(fd))
	if !isOpen(ep) || !isOpen(fd) {
		return errno(ebadf)
	}
	switch kind := files[fd].kind; {
	case kind != kindEvent && kind != kindConsole && kind != kindPipe && kind != kindEpoll:
		return errno(eperm)
	case files[ep].kind != kindEpoll || ep == fd:
		return errno(einval)
	case kind == kindEpoll: // no sets of sets
		return errno(eperm)
	}
	w := findWatch(ep, fd)
	switch {
	case op == epollAdd && w != nil:
		return errno(eexist)
	case op == epollAdd:
		if w = newWatch(); w == nil {
			return errno(enospc)
		}
	case op != epollModify && op != epollDelete:
		return errno(einval)
	case w == nil:
		return errno(enoent)
	}
	if op == epollDelete {
		w.epoll = 0
		return 0
	}
	*w = watch{epoll: uint32(ep) + 1, fd: uint32(fd), pending: ^uint32(0), events: *at[epollEvent](event)}
	w.events.events |= epollErr | epollHup
	serveWaits()
	return 0
}

// collectEvents stores what has happened in an epoll set, and returns how many events it is.
func collectEvents(ep, events, limit uintptr) (n uint64) {
	for i := range watchLimit {
		w := &watches[i]
		if w.epoll != uint32(ep)+1 || n == uint64(limit) {
			continue
		}
		happened := readyEvents(&files[w.fd]) & w.events.events
		if w.events.events&epollEdge != 0 {
			happened &= w.pending
		}
		if happened == 0 {
			continue
		}
		e := at[epollEvent](events + uintptr(n)*12)
		*e = w.events
		e.events = happened
		n++
		w.pending &^= happened
		if w.events.events&epollOneShot != 0 {
			w.events.events = 0
		}
	}
	return n
}

// epollWait is epoll_pwait(2); like the other waits here it leaves the signal mask alone.
func epollWait(t *thread, ep, events, limit, milliseconds uintptr) uint64 {
	ep = uintptr(uint32(ep))
	if !isOpen(ep) {
		return errno(ebadf)
	}
	if int32(limit) <= 0 || files[ep].kind != kindEpoll {
		return errno(einval)
	}
	if n := collectEvents(ep, events, limit); n > 0 {
		return n
	}
	if deadline, any := pollDeadline(milliseconds); any {
		wait(t, &epollWaits, stateEpoll, deadline)
	}
	return 0
}

// pollDeadline is the end of a wait of some milliseconds; any is false if there is none.
func pollDeadline(milliseconds uintptr) (deadline int64, any bool) {
	timeout := int64(int32(milliseconds))
	if timeout < 0 {
		return never, true
	}
	return nanotime() + timeout*1e6, timeout > 0
}

// eventOn is called when the event of a descriptor, the pipe of a number, or the terminal can be used in a way in which it
// could not, or has got more of what can be read.
func eventOn(kind uint64, number uintptr, events uint32) {
	for i := range watchLimit {
		w := &watches[i]
		if w.epoll == 0 || files[w.fd].kind != kind {
			continue
		}
		if kind == kindConsole || kind == kindEvent && uintptr(w.fd) == number || kind == kindPipe && uintptr(files[w.fd].count) == number {
			w.pending |= readyEvents(&files[w.fd]) & events
		}
	}
	serveWaits()
}

// serveWaits ends the waits for which something has happened.
func serveWaits() {
	for next := epollWaits.first; next != 0; {
		t := at[thread](next)
		next = t.next
		ep, events, limit, _, _ := t.arguments()
		if n := collectEvents(uintptr(uint32(ep)), events, limit); n > 0 {
			wake(t, n)
		}
	}
	for next := pollWaits.first; next != 0; {
		t := at[thread](next)
		next = t.next
		if n := pollNow(t, false); n != 0 {
			wake(t, n)
		}
	}
}

// pollCall is poll, ppoll, select or pselect6, whose time ends at deadline.
func pollCall(t *thread, deadline int64) uint64 {
	n := pollNow(t, deadline <= nanotime())
	if n == 0 && deadline > nanotime() {
		wait(t, &pollWaits, statePoll, deadline)
	}
	return n
}

// pollUntil is pollCall with a time of a timespec, or with microseconds of a timeval; for ever if it has none.
func pollUntil(t *thread, p uintptr, unit int64) uint64 {
	if p == 0 {
		return pollCall(t, never)
	}
	seconds, parts := at[timespec](p).sec, at[timespec](p).nsec
	if unit > 1 { // a timeval may have more than a second of them
		seconds, parts = seconds+parts/(1e9/unit), parts%(1e9/unit)
	}
	switch {
	case seconds < 0 || parts < 0 || parts >= 1e9:
		return errno(einval)
	case seconds > 1e9:
		return pollCall(t, never)
	}
	return pollCall(t, nanotime()+seconds*1e9+parts*unit)
}

// pollNow makes the answer to a poll or select as of now; 0 if it has to wait. If its time is
// over, that is the answer.
func pollNow(t *thread, over bool) uint64 {
	a, b, c, d, _ := t.arguments()
	if t.call == sysPoll || t.call == sysPpoll {
		return pollDescriptors(a, b)
	}
	return selectDescriptors(a, b, c, d, over)
}

// pollfd is struct pollfd.
type pollfd struct {
	fd               int32
	events, returned uint16
}

func pollDescriptors(fds, n uintptr) (count uint64) {
	if n > maxFiles {
		return errno(einval)
	}
	for i := range n {
		p := at[pollfd](fds + i*8)
		p.returned = 0
		switch fd := uintptr(p.fd); {
		case p.fd < 0:
		case !isOpen(fd):
			p.returned = pollInvalid
		default:
			p.returned = uint16(readyEvents(&files[fd])) & (p.events | epollErr | epollHup)
		}
		if p.returned != 0 {
			count++
		}
	}
	return count
}

// selectDescriptors looks at the sets of a select, and overwrites them if there is an answer.
func selectDescriptors(n, in, out, exceptional uintptr, over bool) (count uint64) {
	if int32(n) < 0 {
		return errno(einval)
	}
	n = min(n, maxFiles)
	for store := false; ; store = true {
		count = 0
		for fd := range n {
			asked := isInSet(in, fd) || isInSet(out, fd) || isInSet(exceptional, fd)
			if !asked {
				continue
			}
			if !isOpen(fd) {
				return errno(ebadf)
			}
			events := readyEvents(&files[fd])
			count += selectBit(in, fd, events&(epollIn|epollHup|epollErr) != 0, store)
			count += selectBit(out, fd, events&(epollOut|epollErr) != 0, store)
			count += selectBit(exceptional, fd, false, store)
		}
		if store || count == 0 && !over {
			return count
		}
	}
}

func isInSet(set, fd uintptr) bool { return set != 0 && *at[byte](set + fd/8)>>(fd%8)&1 != 0 }

// selectBit counts a descriptor that is in a set and ready and, to store the answer, takes one
// out that is not ready.
func selectBit(set, fd uintptr, isReady, store bool) uint64 {
	if !isInSet(set, fd) {
		return 0
	}
	if isReady {
		return 1
	}
	if store {
		*at[byte](set + fd/8) &^= 1 << (fd % 8)
	}
	return 0
}

func readEvent(fd, p, n uintptr) uint64 {
	f := &files[fd]
	if n < 8 {
		return errno(einval)
	}
	if f.count == 0 {
		return errno(eagain) // as if O_NONBLOCK, which Go always sets
	}
	full := f.count == largestEvent
	*at[uint64](p) = f.count
	f.count = 0
	if full {
		eventOn(kindEvent, fd, epollOut)
	}
	return 8
}

// largestEvent is the largest value of an eventfd, which nothing can be added to.
const largestEvent = 1<<64 - 2

func writeEvent(fd, p, n uintptr) uint64 {
	if n < 8 {
		return errno(einval)
	}
	v := *at[uint64](p)
	if v > largestEvent {
		return errno(einval)
	}
	if v > largestEvent-files[fd].count {
		return errno(eagain) // as if O_NONBLOCK
	}
	files[fd].count += v
	eventOn(kindEvent, fd, epollIn)
	return 8
}
