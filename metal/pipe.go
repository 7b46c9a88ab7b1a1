//go:build linux && amd64

package metal

// Pipes (pipe(7)), within the program: many programs wake a reader with one. All of it is
// under kernelLock, except that only the boot processor opens and closes descriptors.

const (
	maxPipes = 16
	pipeSize = 4096 // what a write of PIPE_BUF bytes or less needs to be in one piece
)

// pipe is a ring, with positions that never go back. The descriptors of its ends have the
// number of the pipe in count.
type pipe struct {
	used, read, written bool // in use; its ends are open
	head, end           uint32
	data                [pipeSize]byte
}

var pipes [maxPipes]pipe

// pipe2 opens a pipe. As Linux it returns EMFILE when there is no more.
func pipe2(p, flags uintptr) uint64 {
	const closeOnExec = 0x80000
	if flags&^(oNonblock|closeOnExec) != 0 {
		return errno(einval)
	}
	number := uint64(0)
	for number < maxPipes && pipes[number].used {
		number++
	}
	if number == maxPipes {
		return errno(emfile)
	}
	in := newEventFile(file{kind: kindPipe, flags: flags & oNonblock, count: number})
	if int64(in) < 0 {
		return in
	}
	out := newEventFile(file{kind: kindPipe, flags: flags&oNonblock | 1, count: number}) // O_WRONLY
	if int64(out) < 0 {
		closeFile(uintptr(in))
		return out
	}
	acquire(&kernelLock)
	pipes[number].used, pipes[number].read, pipes[number].written = true, true, true
	pipes[number].head, pipes[number].end = 0, 0
	release(&kernelLock)
	*at[[2]int32](p) = [2]int32{int32(in), int32(out)}
	return 0
}

func isPipe(fd uintptr) bool { return fd < maxFiles && files[fd].kind == kindPipe }

// closePipe closes one end.
func closePipe(f *file) {
	acquire(&kernelLock)
	p := &pipes[f.count]
	if f.flags&oAccess == 0 {
		p.read = false
	} else {
		p.written = false
	}
	p.used = p.read || p.written
	servePipes(f.count, epollHup|epollErr)
	release(&kernelLock)
}

// pipeEvents is readyEvents for an end of a pipe.
func pipeEvents(f *file) (events uint32) {
	p := &pipes[f.count]
	if f.flags&oAccess != 0 {
		if p.end == p.head {
			events = epollOut
		}
		if !p.read {
			events |= epollErr
		}
		return events
	}
	if p.end != p.head {
		events = epollIn
	}
	if !p.written {
		events |= epollHup
	}
	return events
}

// pipeCall reads or writes a pipe, or makes the thread wait.
func pipeCall(t *thread) uint64 {
	fd, _, _, _, _ := t.arguments()
	result, done := transferPipe(t)
	switch {
	case !done && files[fd].flags&oNonblock != 0:
		return errno(eagain)
	case !done:
		wait(t, &pipeWaits, statePipe, never)
	case int64(result) > 0:
		servePipes(files[fd].count, otherEnd(t))
	}
	return result
}

// transferPipe does what a read or write can do now; done is false if it has to wait. A write
// of more than fits takes a part.
func transferPipe(t *thread) (result uint64, done bool) {
	fd, buffer, n, _, _ := t.arguments()
	f := &files[fd]
	if f.kind != kindPipe {
		return errno(ebadf), true // closed meanwhile
	}
	p := &pipes[f.count]
	out := t.call == sysWrite
	there := uintptr(p.end - p.head)
	switch {
	case out != (f.flags&oAccess != 0):
		return errno(ebadf), true
	case n == 0:
		return 0, true
	case out && !p.read: // without SIGPIPE, which Go ignores for pipes
		return errno(epipe), true
	case out && pipeSize-there < min(n, pipeSize):
		return 0, false
	case out:
		n = min(n, pipeSize)
		for i := range n {
			p.data[p.end%pipeSize] = *at[byte](buffer + i)
			p.end++
		}
		return uint64(n), true
	case there == 0:
		return 0, !p.written
	}
	n = min(n, there)
	for i := range n {
		*at[byte](buffer + i) = p.data[p.head%pipeSize]
		p.head++
	}
	return uint64(n), true
}

// otherEnd is the event at the other end of a pipe when a thread has read or written.
func otherEnd(t *thread) uint32 {
	if t.call == sysWrite {
		return epollIn
	}
	return epollOut
}

// servePipes goes on with the waits that a change of a pipe has ended.
func servePipes(number uint64, events uint32) {
	for changed := true; changed; {
		changed = false
		for next := pipeWaits.first; next != 0; {
			t := at[thread](next)
			next = t.next
			if result, done := transferPipe(t); done {
				wake(t, result)
				events |= otherEnd(t)
				changed = true
			}
		}
	}
	eventOn(kindPipe, uintptr(number), events)
}
