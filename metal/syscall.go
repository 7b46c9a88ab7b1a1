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
	efault       = 14
	ebusy        = 16
	eexist       = 17
	exdev        = 18
	enodev       = 19
	enotdir      = 20
	eisdir       = 21
	einval       = 22
	emfile       = 24
	enotty       = 25
	efbig        = 27
	enospc       = 28
	espipe       = 29
	erofs        = 30
	epipe        = 32
	erange       = 34
	enametoolong = 36
	enosys       = 38
	enotempty    = 39
	etimedout    = 110
)

// errno is the result of a system call that failed.
func errno(e uint64) uint64 { return -e }

// syscall is what entry_amd64.s calls.
func syscall() { carryOut(getCore()) }

// carryOut carries out the system call of a core's thread, then chooses the thread that
// runs next. There are three kinds of calls, one function each: ownCall needs no lock, and
// mostly returns straight to the program, since the runtime asks for the time very often;
// sharedCall runs on any core under kernelLock; bootCall runs on the boot processor and
// holds no lock, since it may call the firmware.
func carryOut(c *core) {
	t := at[thread](c.thread)
	t.call = t.callNumber()
	if t.call == sysRtSigreturn { // no result: all registers come from the frame
		sigreturn(t)
		acquire(&kernelLock)
		schedule(c, false)
		return
	}
	if result, made := ownCall(t); made {
		t.setResult(result)
		if mayContinue(c, ticktime()) {
			return
		}
		acquire(&kernelLock)
		schedule(c, false)
		return
	}
	acquire(&kernelLock)
	if result, made := sharedCall(t); made {
		t.setResultUnlessWaiting(result)
	} else if c.isBoot() {
		release(&kernelLock)
		t.setResultUnlessWaiting(bootCall(t))
		acquire(&kernelLock)
	} else {
		queueBootCall(c, t)
	}
	schedule(c, t.call == sysSchedYield)
}

// queueBootCall makes a thread on another core wait until the boot processor has carried
// out its system call (serveNext), unless the call writes text for the console that fits
// in the queue.
func queueBootCall(c *core, t *thread) {
	if fd, p, n, _, _ := t.arguments(); t.call == sysWrite && isConsole(fd) && queueOutput(outputStream(fd), p, n) {
		t.setResult(uint64(n))
		return
	}
	t.state = stateBoot
	bootCalls.add(t)
	bootCallCount++
	limitBootCalls(c)
}

// limitBootCalls keeps a core from taking another thread while the queue of the boot
// processor is long. Otherwise a program whose goroutines all read files would get a thread
// for each of them: the Go runtime starts one more as soon as it sees another waiting in a
// system call, and that one makes the next call. While the boot processor is in the
// program, the core waits for a time slice only: what runs there may be a loop that makes
// no calls until another thread has done something. The caller holds kernelLock, which is
// released meanwhile, and the core has no thread then.
func limitBootCalls(c *core) {
	if bootCallCount < maxBootCalls {
		return
	}
	c.thread = 0
	release(&kernelLock)
	for limit := ticktime() + timeSlice; bootCallCount >= maxBootCalls && ending == 0; pause() {
		if now := ticktime(); bootCore.inKernel != 0 {
			limit = now + timeSlice
		} else if now >= limit {
			break
		}
	}
	acquire(&kernelLock)
}

// ownCall carries out a system call that uses nothing but its thread, or what has a lock
// of its own; made is false if t.call is none of these.
func ownCall(t *thread) (result uint64, made bool) {
	a, b, c, d, _ := t.arguments()
	switch t.call {
	case sysClockGettime:
		return clockGettime(a, b), true
	case sysMmap:
		if d&mapAnonymous != 0 {
			return mmap(a, b, c, d), true
		}
	case sysMunmap:
		if !isFramebuffer(a) {
			return munmap(a, b), true
		}
	case sysMadvise:
		return madvise(a, b, c), true
	case sysSysinfo:
		return sysinfoCall(a), true
	case sysPrctl: // the runtime would give names to mappings
		return errno(einval), true
	case sysArchPrctl:
		return archPrctl(t, a, b), true
	case sysGettid:
		return t.id, true
	case sysGetpid:
		return 1, true
	case sysSchedGetaffinity:
		return schedGetaffinity(b, c), true
	}
	return 0, false
}

// sharedCall carries out a system call about threads, signals and events, under
// kernelLock; made is false if t.call is none of these. The result counts only if the
// thread does not wait.
func sharedCall(t *thread) (result uint64, made bool) {
	a, b, c, d, e := t.arguments()
	switch t.call {
	case sysFutex:
		return futex(t, a, b, c, d), true
	case sysNanosleep:
		if !isTime(a) {
			return errno(einval), true
		}
		wait(t, &sleeps, stateSleep, deadlineIn(a))
		return 0, true
	case sysSchedYield:
		return 0, true
	case sysClone:
		return clone(t, a, b, e), true
	case sysExit:
		exitThread(t)
		return 0, true
	case sysExitGroup:
		leaveProgram(uint64(a))

	case sysRtSigaction:
		return sigactionCall(a, b, c, d), true
	case sysRtSigprocmask:
		return sigprocmask(t, a, b, c, d), true
	case sysSigaltstack:
		return sigaltstack(t, a, b), true
	case sysTgkill:
		return tgkill(t, b, c), true
	case sysTkill:
		return tgkill(t, a, b), true
	case sysKill:
		return tgkill(t, uintptr(t.id), b), true

	case sysEpollCtl:
		return epollCtl(a, b, c, d), true
	case sysEpollPwait:
		return epollWait(t, a, b, c, d), true
	case sysPoll:
		if deadline, any := pollDeadline(c); any {
			return pollCall(t, deadline), true
		}
		return pollCall(t, 0), true
	case sysPpoll:
		return pollUntil(t, c, 1), true
	case sysSelect:
		return pollUntil(t, e, 1000), true
	case sysPselect6:
		return pollUntil(t, e, 1), true
	case sysRead:
		if isEvent(a) {
			return readEvent(a, b, c), true
		}
		if isPipe(a) {
			return pipeCall(t), true
		}
	case sysWrite:
		if isEvent(a) {
			return writeEvent(a, b, c), true
		}
		if isPipe(a) {
			return pipeCall(t), true
		}
	}
	return 0, false
}

// bootCall carries out any other system call, on the boot processor: one that may need the
// firmware, or that opens or uses a descriptor. The result counts only if the thread does
// not wait. A call that none of the three functions knows fails with ENOSYS, as on a Linux
// that lacks it.
func bootCall(t *thread) uint64 {
	a, b, c, d, e := t.arguments()
	switch t.call {
	case sysEpollCreate1:
		return epollCreate(a)
	case sysEventfd2:
		return eventfd(a, b)
	case sysPipe2:
		return pipe2(a, b)

	case sysRead:
		return read(t, a, b, c)
	case sysWrite:
		return write(a, b, c)
	case sysPread64:
		return pread(t, a, b, c, d)
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
		return fcntl(a, b, c)
	case sysFsync, sysFdatasync:
		return fsync(a)
	case sysSync:
		flushWritten(0)
		return 0
	case sysTruncate:
		return truncate(a, b)
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
		return renameat(a, b, c, d, 0)
	case sysRenameat2:
		return renameat(a, b, c, d, e)
	case sysLinkat:
		return linkat(a, b, c, d)
	case sysSymlinkat:
		return symlinkat(b, c)
	case sysMknodat:
		return symlinkat(a, b) // as little possible
	case sysReadlinkat:
		return readlinkat(a, b)
	case sysFaccessat, sysFaccessat2:
		return faccessat(a, b, c)
	case sysFchmod:
		return fchmod(a, b)
	case sysFchmodat, sysFchmodat2:
		return fchmodat(a, b, c)
	case sysChown, sysLchown:
		return fchownat(atFDCWD, a, b, c)
	case sysFchown:
		return fchown(a, b, c)
	case sysFchownat:
		return fchownat(a, b, c, d)
	case sysUtimensat:
		return utimensat(a, b, c, d)
	case sysStatfs:
		return statfsPath(a, b)
	case sysFstatfs:
		return fstatfs(a, b)
	case sysUmask: // what storeStat shows
		return 0o022
	case sysGetcwd:
		return getcwd(a, b)
	case sysChdir:
		return chdir(a)
	case sysFchdir:
		return fchdir(a)
	case sysMmap: // of a file
		return mmapFramebuffer(b, c, d, uintptr(uint32(e)), t.sixthArgument())
	case sysMunmap:
		return munmapFramebuffer(a, b)
	case sysIoctl:
		return ioctl(a, b, c)

	case sysReboot:
		return reboot(a, b, c)

	case sysGetrandom:
		return getrandom(a, b)
	case sysGetppid, sysGetuid, sysGetgid, sysGeteuid, sysGetegid, sysGetgroups:
		return 0
	}
	return errno(enosys)
}

// schedGetaffinity stores the mask of the cores that a thread may use, which are all, and
// returns its size: the size of a mask for all cores that the kernel knows, or less if the
// buffer has less and the mask fits.
func schedGetaffinity(size, mask uintptr) uint64 {
	if size*8 < uintptr(coreCount) || size%8 != 0 {
		return errno(einval)
	}
	size = min(size, maxCores/8)
	zero(mask, size)
	for i := range uintptr(coreCount) {
		*at[byte](mask + i/8) |= 1 << (i % 8)
	}
	return uint64(size)
}
