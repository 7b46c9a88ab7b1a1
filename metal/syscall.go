//go:build linux && amd64

package metal

// Linux error numbers (asm-generic/errno.h).
const (
	eperm        = 1
	enoent       = 2
	esrch        = 3
	eintr        = 4
	eio          = 5
	enxio        = 6
	ebadf        = 9
	eagain       = 11
	enomem       = 12
	eacces       = 13
	eexist       = 17
	enodev       = 19
	enotdir      = 20
	eisdir       = 21
	einval       = 22
	emfile       = 24
	enotty       = 25
	enospc       = 28
	espipe       = 29
	erofs        = 30
	erange       = 34
	enametoolong = 36
	enosys       = 38
	enotempty    = 39
	etimedout    = 110
)

// errno is what a failed system call returns.
func errno(e uint64) uint64 { return -e }

// syscall runs the system call that this core's thread has made, then chooses who runs
// next. What concerns nobody else goes without a lock and, mostly, straight back: the
// runtime asks for the time very often.
func syscall() {
	c := getCore()
	t := at[thread](c.thread)
	t.call = t.callNumber()
	switch {
	case t.call == sysRtSigreturn:
		sigreturn(t)
		acquire(&kernelLock)
	case ownCall(t):
		t.setResult(call(t))
		if undisturbed(c, ticktime()) {
			return
		}
		acquire(&kernelLock)
	case sharedCall(t):
		acquire(&kernelLock)
		if result := call(t); t.state == stateRunning {
			t.setResult(result)
		}
	case c.isBoot():
		if result := call(t); t.state == stateRunning {
			t.setResult(result)
		}
		acquire(&kernelLock)
	default:
		acquire(&kernelLock)
		if fd, p, n, _, _ := t.arguments(); t.call == sysWrite && isConsoleOutput(fd) && keepOutput(int(fd), p, n) {
			t.setResult(uint64(n))
			break
		}
		tickets++
		t.state, t.ticket = stateBoot, tickets
		calls++
	}
	schedule(c, t.call == sysSchedYield)
}

// ownCall says whether a system call touches nothing but its thread, or what has a lock
// of its own: any core makes it, with no lock held.
func ownCall(t *thread) bool {
	switch t.call {
	case sysClockGettime, sysMmap, sysMunmap, sysMadvise, sysPrctl, sysArchPrctl, sysGettid, sysGetpid, sysSchedGetaffinity:
		return true
	}
	return false
}

// sharedCall says whether a system call is made by any core under kernelLock. All
// others may need the firmware: only the boot processor makes them, with no lock held.
func sharedCall(t *thread) bool {
	switch t.call {
	case sysFutex, sysNanosleep, sysSchedYield, sysClone, sysExit, sysExitGroup,
		sysRtSigaction, sysRtSigprocmask, sysSigaltstack, sysTgkill, sysTkill, sysKill,
		sysEpollCtl, sysEpollPwait:
		return true
	case sysRead, sysWrite:
		fd, _, _, _, _ := t.arguments()
		return isEvent(fd)
	}
	return false
}

// call is the table of the system calls that Go's runtime and standard library make
// and that mean something here; the result counts only if the thread does not wait.
// What is not in it does not exist: ENOSYS, as on a Linux without it.
func call(t *thread) uint64 {
	a, b, c, d, e := t.arguments()
	switch t.call {
	case sysClockGettime:
		return clockGettime(a, b)
	case sysFutex:
		return futex(t, a, b, c, d)
	case sysNanosleep:
		wait(t, stateSleep, deadlineIn(a))
		return 0
	case sysSchedYield:
		return 0

	case sysMmap:
		return mmap(a, b, c, d)
	case sysMunmap:
		return munmap(a, b)
	case sysMadvise:
		return madvise(a, b, c)
	case sysPrctl: // names for mappings: not here
		return errno(einval)

	case sysClone:
		return clone(t, a, b, e)
	case sysExit:
		t.state = stateFree
		return 0
	case sysExitGroup:
		leaveProgram(uint64(a))
	case sysArchPrctl:
		return archPrctl(t, a, b)
	case sysGettid:
		return t.id
	case sysGetpid:
		return 1
	case sysGetppid, sysGetuid, sysGetgid, sysGeteuid, sysGetegid:
		return 0
	case sysSchedGetaffinity:
		if b < 8 {
			return errno(einval)
		}
		*at[uint64](c) = 1<<coreCount - 1
		return 8

	case sysRtSigaction:
		return sigactionCall(a, b, c, d)
	case sysRtSigprocmask:
		return sigprocmask(t, a, b, c)
	case sysSigaltstack:
		return sigaltstack(t, a, b)
	case sysTgkill:
		return tgkill(t, b, c)
	case sysTkill:
		return tgkill(t, a, b)
	case sysKill:
		return tgkill(t, uintptr(t.id), b)

	case sysEpollCreate1:
		return epollCreate()
	case sysEpollCtl:
		return epollCtl(a, b, c, d)
	case sysEpollPwait:
		return epollWait(t, a, b, c, d)
	case sysEventfd2:
		return eventfd(a)

	case sysRead:
		return read(t, a, b, c)
	case sysWrite:
		return write(a, b, c)
	case sysPread64:
		return pread(a, b, c, d)
	case sysPwrite64:
		return pwrite(a, b, c, d)
	case sysLseek:
		return lseek(a, b, c)
	case sysClose:
		return closeFile(a)
	case sysFstat:
		return fstat(a, b)
	case sysNewfstatat:
		return fstatat(a, b, c, d)
	case sysFcntl:
		return fcntl(a, b)
	case sysFsync:
		return fsync(a)
	case sysFtruncate:
		return ftruncate(a, b)
	case sysGetdents64:
		return getdents(a, b, c)
	case sysOpenat:
		return openat(a, b, c)
	case sysMkdirat:
		return mkdirat(a, b)
	case sysUnlinkat:
		return unlinkat(a, b, c)
	case sysRenameat:
		return renameat(a, b, c, d)
	case sysRenameat2:
		if e != 0 {
			return errno(einval)
		}
		return renameat(a, b, c, d)
	case sysGetcwd:
		if b < 2 {
			return errno(erange)
		}
		*at[[2]byte](a) = [2]byte{'/', 0}
		return 2
	case sysIoctl: // no descriptor is a terminal that can be set
		return errno(enotty)

	case sysGetrandom:
		return getrandom(a, b)
	}
	return errno(enosys)
}
