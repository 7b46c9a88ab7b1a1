//go:build linux && amd64

package metal

// What the runtime's network poller needs for its timers: one epoll set with eventfds in
// it. No other descriptor can be polled: EPERM, as Linux says for regular files.

const (
	epollIn     = 1
	epollAdd    = 1
	epollDelete = 2
	epollModify = 3
)

var eventLimit int // descriptors of events are below it; under kernelLock

func epollCreate() uint64 {
	for i := range files {
		if files[i].kind == kindEpoll {
			return errno(emfile)
		}
	}
	return newEventFile(file{kind: kindEpoll})
}

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
	eventLimit = max(eventLimit, fd+1)
	release(&kernelLock)
	return uint64(fd)
}

func eventfd(initial uintptr) uint64 {
	return newEventFile(file{kind: kindEvent, count: uint64(uint32(initial))})
}

func epollCtl(ep, op, fd, event uintptr) uint64 {
	if !isOpen(ep) || files[ep].kind != kindEpoll || !isOpen(fd) {
		return errno(ebadf)
	}
	f := &files[fd]
	if f.kind != kindEvent {
		return errno(eperm)
	}
	switch op {
	case epollAdd, epollModify:
		e := at[epollEvent](event)
		f.watched = e.events&epollIn != 0
		f.watchData = *e
	case epollDelete:
		f.watched = false
	default:
		return errno(einval)
	}
	return 0
}

// epollWait returns one event at a time, with the data that epoll_ctl gave for it.
func epollWait(t *thread, ep, events, max, milliseconds uintptr) uint64 {
	if !isOpen(ep) || files[ep].kind != kindEpoll {
		return errno(ebadf)
	}
	if int32(max) <= 0 {
		return errno(einval)
	}
	for i := range eventLimit {
		if f := &files[i]; f.kind == kindEvent && f.watched && f.count != 0 {
			storeEvent(events, f)
			return 1
		}
	}
	switch timeout := int64(int32(milliseconds)); {
	case timeout > 0:
		wait(t, &epollWaits, stateEpoll, nanotime()+timeout*1e6)
	case timeout < 0:
		wait(t, &epollWaits, stateEpoll, never)
	}
	t.buffer = events
	return 0
}

func storeEvent(p uintptr, f *file) {
	e := f.watchData
	e.events = epollIn
	*at[epollEvent](p) = e
}

func readEvent(f *file, p, n uintptr) uint64 {
	if n < 8 {
		return errno(einval)
	}
	if f.count == 0 {
		return errno(eagain) // as if O_NONBLOCK, which Go always sets
	}
	*at[uint64](p) = f.count
	f.count = 0
	return 8
}

func writeEvent(f *file, p, n uintptr) uint64 {
	if n < 8 {
		return errno(einval)
	}
	f.count += *at[uint64](p)
	for f.watched && epollWaits.first != 0 {
		t := at[thread](epollWaits.first)
		storeEvent(t.buffer, f)
		wake(t, 1)
	}
	return 8
}
