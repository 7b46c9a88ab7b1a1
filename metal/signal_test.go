//go:build linux && amd64

package metal

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// signalMemory is where calls of Linux and of metal read and store.
var signalMemory [2]struct {
	new, old   [8]uint64
	stack, was altStack
}

// savedSignals are the settings of the test's thread.
var savedSignals struct {
	all, mask uint64
	stack     altStack
	action    sigaction
}

// TestSignalCallsAsLinux makes calls about signals in metal and in a thread of this machine's Linux: they return and store the
// same.
func TestSignalCallsAsLinux(t *testing.T) {
	withThreads(t, 1)
	defer clear(actions[:])
	program := newThread()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	random := rand.New(rand.NewPCG(1, 2))
	linux, metal := &signalMemory[0], &signalMemory[1]
	both := func(number uint64, args func(system int) []uintptr) {
		t.Helper()
		want := onLinux(number, args(0)...)
		if got, _ := makeCall(program, number, args(1)...); got != want {
			t.Fatalf("%d%#x: %d, in Linux %d", number, args(1), int64(got), int64(want))
		}
		if *linux != *metal {
			t.Fatalf("%d%#x stored %+v, Linux %+v", number, args(1), *metal, *linux)
		}
	}

	// All signals are blocked while the stack for them is another one, so that none is handled there.
	saved := &savedSignals
	saved.all = ^uint64(0)
	onLinux(sysRtSigprocmask, unix.SIG_SETMASK, address(&saved.all), address(&saved.mask), 8)
	onLinux(sysSigaltstack, 0, address(&saved.stack))
	linux.stack, metal.stack = altStack{flags: 2}, altStack{flags: 2}
	both(sysSigaltstack, func(i int) []uintptr { return []uintptr{address(&signalMemory[i].stack), 0} })
	for range 500 {
		linux.stack = altStack{sp: random.Uint64(), flags: []uint32{0, 0, 1, 2, 3, 4, 1 << 30}[random.IntN(7)], size: []uint64{0, 1, 2047, 2048, 2049, 1 << 16}[random.IntN(6)]}
		metal.stack = linux.stack
		some := [2]uintptr{uintptr(random.IntN(2)), uintptr(random.IntN(2))}
		both(sysSigaltstack, func(i int) []uintptr {
			return []uintptr{some[0] * address(&signalMemory[i].stack), some[1] * address(&signalMemory[i].was)}
		})
	}
	onLinux(sysSigaltstack, address(&saved.stack), 0)
	for i := range 500 {
		linux.new[0] = random.Uint64()
		how, size, some := uintptr(random.IntN(4)), uintptr([]int{8, 8, 8, 8, 7, 9, 0}[random.IntN(7)]), [2]uintptr{uintptr(random.IntN(4)), uintptr(random.IntN(2))}
		if i == 0 { // from here on the masks are the same
			how, size, some = unix.SIG_SETMASK, 8, [2]uintptr{1, 0}
		}
		metal.new = linux.new
		both(sysRtSigprocmask, func(i int) []uintptr {
			return []uintptr{how, min(some[0], 1) * address(&signalMemory[i].new), some[1] * address(&signalMemory[i].old), size}
		})
	}
	onLinux(sysRtSigprocmask, unix.SIG_SETMASK, address(&saved.mask), 0, 8)
	// SIGUSR2's action is changed and restored; those of others are only read, which Go's runtime has set.
	onLinux(sysRtSigaction, uintptr(unix.SIGUSR2), 0, address(&saved.action), 8)
	for signal := range uintptr(67) {
		for _, size := range []uintptr{7, 8, 9} {
			for _, set := range []uintptr{0, 1} {
				for i := range signalMemory {
					*at[sigaction](address(&signalMemory[i].new)) = sigaction{handler: ignoreAction, flags: saRestart | saNoDefer, mask: ^uint64(0)}
				}
				if signal != uintptr(unix.SIGUSR2) && signal != 9 && signal != 19 && set == 1 {
					if got, want := sigactionCall(signal, address(&metal.new), 0, size), onLinux(sysRtSigaction, signal, 0, 0, size); got != want {
						t.Errorf("sigaction of %d, %d bytes: %d, in Linux %d", signal, size, int64(got), int64(want))
					}
					continue
				}
				want := onLinux(sysRtSigaction, signal, set*address(&linux.new), address(&linux.old), size)
				got := sigactionCall(signal, set*address(&metal.new), address(&metal.old), size)
				if got != want {
					t.Errorf("sigaction of %d, %d, %d bytes: %d, in Linux %d", signal, set, size, int64(got), int64(want))
				}
			}
		}
		if signal == uintptr(unix.SIGUSR2) {
			onLinux(sysRtSigaction, signal, 0, address(&linux.old), 8)
			sigactionCall(signal, 0, address(&metal.old), 8)
			onLinux(sysRtSigaction, signal, address(&saved.action), 0, 8)
			if got, want := *at[sigaction](address(&metal.old)), *at[sigaction](address(&linux.old)); got.handler != want.handler || got.mask != want.mask || got.flags != want.flags {
				t.Errorf("an action is %+v, in Linux %+v", got, want)
			}
		}
	}
}

// handlerStack is a stack for signals.
var handlerStack [8192]byte

// withHandler gives all signals a handler, and a thread a stack for them.
func withHandler(n *thread) {
	for i := range actions {
		actions[i] = sigaction{handler: 0x1000 + uint64(i), restorer: 0x77, mask: 1 << 40}
	}
	n.signalStack, n.signalStackSize, n.mask = uint64(address(&handlerStack)), uint64(len(handlerStack)), 0
	n.ip, n.sp, n.flags, n.vectors = 5, 6, 7, 0
}

// TestSendSignal: a thread that sends itself a signal which it does not block continues in the handler, with the result of its
// call in the frame; another signal waits until a thread can take it. The runtime's SIGURG for another thread is dropped.
func TestSendSignal(t *testing.T) {
	withThreads(t, 3)
	defer func() { clear(actions[:]); pendingSignals = 0 }()
	self, other := newThread(), newThread()
	other.state = stateRunning
	const usr1, rtmax = uint64(unix.SIGUSR1), 64
	for _, c := range []struct {
		name    string
		number  uint64
		args    []uintptr
		mask    uint64
		want    uint64
		handled uint64 // the signal
		pending uint64
	}{
		{"tgkill itself", sysTgkill, []uintptr{1, 1, uintptr(usr1)}, 0, 0, usr1, 0},
		{"tkill itself", sysTkill, []uintptr{1, uintptr(usr1)}, ^uint64(0) &^ (1 << (usr1 - 1)), 0, usr1, 0},
		{"kill", sysKill, []uintptr{1, 1}, ^uint64(1), 0, 1, 0},
		{"the last signal", sysKill, []uintptr{1, rtmax}, 1<<63 - 1, 0, rtmax, 0},
		{"no signal", sysKill, []uintptr{1, 65}, 0, errno(einval), 0, 0},
		{"to see", sysTgkill, []uintptr{1, 1, 0}, 0, 0, 0, 0},
		{"to see another", sysTkill, []uintptr{2, 0}, 0, 0, 0, 0},
		{"what it blocks", sysTkill, []uintptr{1, uintptr(usr1)}, 1 << (usr1 - 1), 0, 0, 1 << (usr1 - 1)},
		{"the last signal, blocked", sysTkill, []uintptr{1, rtmax}, 1 << 63, 0, 0, 1 << 63},
		{"another thread", sysTkill, []uintptr{2, 1}, 0, 0, 0, 1},
		{"another thread's SIGURG", sysTkill, []uintptr{2, sigURG}, 0, 0, 0, 0},
		{"its own SIGURG", sysTkill, []uintptr{1, sigURG}, 0, 0, sigURG, 0},
		{"nobody", sysTkill, []uintptr{3, 1}, 0, errno(esrch), 0, 0},
		{"no thread", sysTkill, []uintptr{0, 1}, 0, errno(esrch), 0, 0},
		{"behind all threads", sysTkill, []uintptr{4, 1}, 0, errno(esrch), 0, 0},
	} {
		withHandler(self)
		self.mask, pendingSignals = c.mask, 0
		got, _ := makeCall(self, c.number, c.args...)
		if c.handled == 0 {
			if got != c.want || self.ip != 5 || pendingSignals != c.pending {
				t.Errorf("%s: %d, at %#x, pending %#x", c.name, int64(got), self.ip, pendingSignals)
			}
			continue
		}
		info := at[signalFrame](uintptr(self.sp)).info
		x := at[signalFrame](uintptr(self.sp)).context
		if self.ip != 0x1000+c.handled || self.di != c.handled || uint64(info.signo) != c.handled || info.code != -6 || info.addr != 0 || x.ax != 0 ||
			x.err != 0 || x.trapno != 0 || pendingSignals != 0 {
			t.Errorf("%s: handler %#x of %d, %+v, result %d", c.name, self.ip, self.di, info, int64(x.ax))
		}
	}
	// Without a handler: ignored, by the program's wish or by default.
	for _, signal := range []uint64{sigCHLD, sigCONT, sigURG, sigWINCH, usr1} {
		withHandler(self)
		actions[signal].handler = 0
		if signal == usr1 {
			actions[signal].handler = ignoreAction
		}
		if got, _ := makeCall(self, sysTkill, 1, uintptr(signal)); got != 0 || self.ip != 5 || pendingSignals != 0 {
			t.Errorf("signal %d, ignored: %d, at %#x", signal, int64(got), self.ip)
		}
	}
	// Those that are pending come one after the other, each as if in the handler of the one before.
	withHandler(self)
	self.mask = 1 << (usr1 - 1)
	pendingSignals = 1<<63 | 1<<(usr1-1) | 1<<1 | 1
	deliverPending(self)
	if self.ip != 0x1000+64 || self.mask != 1<<63|1<<(usr1-1)|1<<1|1|1<<40 || pendingSignals != 1<<(usr1-1) || at[signalFrame](uintptr(self.sp)).info.code != siKernel {
		t.Errorf("handler %#x, mask %#x, pending %#x", self.ip, self.mask, pendingSignals)
	}
	for _, want := range []uint64{0x1002, 0x1001, 5} {
		self.sp += 8 // the RET of the handler
		if sigreturn(self); self.ip != want {
			t.Errorf("back at %#x, want %#x", self.ip, want)
		}
	}
	if self.mask != 1<<(usr1-1) || self.sp != 6 {
		t.Errorf("then the mask is %#x, the stack %#x", self.mask, self.sp)
	}
}

// TestSignalEndsWait: a signal for the process ends the wait of a thread that can take it, unless another that can will soon
// look; a read goes on where the action says so.
func TestSignalEndsWait(t *testing.T) {
	withThreads(t, 4)
	const signal, bit = 12, uint64(1) << 11
	defer func() { clear(actions[:]); pendingSignals, bootCore.thread = 0, 0 }()
	for _, c := range []struct {
		name   string
		states [4]uint64
		change func(all []*thread)
		woken  int // 1 + the number; 0: none
		again  bool
	}{
		{"one waits", [4]uint64{stateFree, stateSleep}, func([]*thread) {}, 2, false},
		{"the last of several", [4]uint64{stateFutex, stateEpoll, stateFutex}, func([]*thread) {}, 3, false},
		{"one is ready", [4]uint64{stateFutex, stateRunnable}, func([]*thread) {}, 0, false},
		{"one that is ready blocks it", [4]uint64{stateFutex, stateRunnable}, func(all []*thread) { all[1].mask = bit }, 1, false},
		{"one that waits blocks it", [4]uint64{stateFutex, stateFutex}, func(all []*thread) { all[1].mask = bit }, 1, false},
		{"others are blocked", [4]uint64{stateFutex}, func(all []*thread) { all[0].mask = ^bit }, 1, false},
		{"on the boot processor", [4]uint64{stateFutex, stateRunning}, func(all []*thread) { bootCore.thread = address(all[1]) }, 0, false},
		{"on another core", [4]uint64{stateFutex, stateRunning}, func([]*thread) {}, 1, false},
		{"it calls the firmware", [4]uint64{stateFutex, stateBoot}, func([]*thread) {}, 1, false},
		{"without a stack for signals", [4]uint64{stateFutex, stateFutex}, func(all []*thread) { all[1].signalStackSize = 0 }, 1, false},
		{"the terminal", [4]uint64{stateConsole}, func([]*thread) { actions[signal].flags = saRestart }, 1, true},
		{"a pipe", [4]uint64{statePipe}, func([]*thread) { actions[signal].flags = saRestart }, 1, true},
		{"a pipe that is not read again", [4]uint64{statePipe}, func([]*thread) { actions[signal].flags = ^uint64(saRestart) }, 1, false},
		{"a poll is not made again", [4]uint64{statePoll}, func([]*thread) { actions[signal].flags = saRestart }, 1, false},
	} {
		clear(actions[:])
		bootCore.thread, pendingSignals = 0, 1
		var all []*thread
		for i := range c.states {
			n := threadNumber(uintptr(i))
			n.leaveList()
			n.mask, n.signalStackSize, n.state, n.ip, n.ax, n.call = 0, 2048, c.states[i], 100, 7, 9
			if n.state >= stateFutex {
				wait(n, &sleeps, n.state, 1e9)
			}
			all = append(all, n)
		}
		c.change(all)
		signalProcess(signal)
		if pendingSignals != bit|1 || kernelLock != 0 {
			t.Errorf("%s: pending %#x", c.name, pendingSignals)
		}
		for i, n := range all {
			woken := n.state == stateRunnable && c.states[i] >= stateFutex
			result, ip := errno(eintr), uint64(100)
			if c.again {
				result, ip = 9, 98 // SYSCALL has two bytes
			}
			if woken != (c.woken == i+1) || woken && (n.ax != result || n.ip != ip) {
				t.Errorf("%s: thread %d is woken %v, with %d at %d", c.name, i, woken, int64(n.ax), n.ip)
			}
			removeDeadline(n)
		}
		readyCount = 0
	}
	for i := range uintptr(4) {
		threadNumber(i).leaveList()
	}
}
