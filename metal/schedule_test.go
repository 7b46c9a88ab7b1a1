//go:build linux && amd64

package metal

import (
	"slices"
	"testing"
)

// withCores gives a test some cores that take part in scheduling, the boot processor first, and six threads that have begun. Its
// keys need not be looked at.
func withCores(t *testing.T, n int) ([]*core, []*thread) {
	t.Helper()
	withThreads(t, 6)
	others := make([]core, n)
	all := []*core{&bootCore}
	for i := 1; i < n; i++ {
		all = append(all, &others[i])
	}
	for i, c := range all {
		cores[i], c.online = address(c), 1
	}
	coreCount, coreLimit, ticksPerSecond, lastKeyPoll = uint64(n), n, 1e9, 1<<62
	t.Cleanup(func() {
		clear(cores[:])
		coreCount, coreLimit, ticksPerSecond, lastKeyPoll, ending = 0, 0, 0, 0, 0
		pendingSignals, bootCallCount, queuedSize, bootInterrupted, clockWatcher, othersRanLast = 0, 0, 0, 0, 0, false
		bootCore.thread, bootCore.idle, bootCore.sliceStart, bootCore.inKernel, bootCore.online = 0, idleNo, 0, 0, 0
		bootCalls, consoleWaits = threadList{}, threadList{}
		clear(others)
	})
	var threads []*thread
	for range 6 {
		threads = append(threads, newThread())
		threads[len(threads)-1].state = stateRunning
	}
	return all, threads
}

// TestMayContinue: a thread goes on after its call without a look at the others, unless something else is due.
func TestMayContinue(t *testing.T) {
	const start = 1000
	for _, c := range []struct {
		name   string
		onBoot bool
		now    int64
		change func()
		want   bool
	}{
		{"nothing is due", false, start, func() {}, true},
		{"the program ends", false, start, func() { ending = 1 }, false},
		{"a signal is pending", false, start, func() { pendingSignals = 1 }, false},
		{"a deadline is now", false, start, func() { earliestDeadline = start }, false},
		{"a deadline is next", false, start, func() { earliestDeadline = start + 1 }, true},
		{"one is ready, to the end of the time slice", false, start + timeSlice, func() { readyCount = 1 }, true},
		{"one is ready, and the time slice is over", false, start + timeSlice + 1, func() { readyCount = 1 }, false},
		{"none is ready", false, start + 9*timeSlice, func() {}, true},
		{"the boot processor has much to do", false, start, func() {
			bootCallCount, queuedSize, lastKeyPoll = 1, 1, -1<<40
			thread1().state = stateRunnable
		}, true},
		{"nothing is due on the boot processor", true, start, func() { lastKeyPoll = start - keyPollInterval }, true},
		{"a call waits", true, start, func() { bootCallCount = 1 }, false},
		{"text waits", true, start, func() { queuedSize = 1 }, false},
		{"keys may have come", true, start, func() { lastKeyPoll = start - keyPollInterval - 1 }, false},
		{"thread 1 is ready", true, start, func() { thread1().state = stateRunnable }, false},
		{"thread 1 is ready, on one core", true, start, func() { thread1().state, coreCount = stateRunnable, 1 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cores, _ := withCores(t, 2)
			on := cores[1]
			if c.onBoot {
				on = cores[0]
			}
			on.sliceStart = start
			c.change()
			if got := mayContinue(on, c.now); got != c.want {
				t.Errorf("%v", got)
			}
			readyCount = 0
		})
	}
}

// TestIsBootStuck: the boot processor is interrupted when it has run a program for a time slice for which something waits.
func TestIsBootStuck(t *testing.T) {
	const start = 1000
	for _, c := range []struct {
		name   string
		now    int64
		change func(threads []*thread)
		want   bool
	}{
		{"a call waits", start + timeSlice + 1, func([]*thread) { bootCallCount = 1 }, true},
		{"not yet for a time slice", start + timeSlice, func([]*thread) { bootCallCount = 1 }, false},
		{"nothing waits", start + 9*timeSlice, func([]*thread) {}, false},
		{"text waits", start + timeSlice + 1, func([]*thread) { queuedSize = 1 }, true},
		{"it was interrupted since", start + timeSlice + 1, func([]*thread) { bootCallCount, bootInterrupted = 1, start+1 }, false},
		{"that, too, was long ago", start + timeSlice + 2, func([]*thread) { bootCallCount, bootInterrupted = 1, start+1 }, true},
		{"it was interrupted before", start + timeSlice + 1, func([]*thread) { bootCallCount, bootInterrupted = 1, start-1 }, true},
		{"it is in the kernel", start + timeSlice + 1, func([]*thread) { bootCallCount, bootCore.inKernel = 1, 1 }, false},
		{"the program ends", start + timeSlice + 1, func([]*thread) { bootCallCount, ending = 1, 1 }, false},
		{"thread 1 is ready", start + timeSlice + 1, func(all []*thread) { all[0].state = stateRunnable }, true},
		{"thread 1 waits", start + timeSlice + 1, func(all []*thread) { all[0].state = stateFutex }, false},
		{"thread 1 was just made ready there", start + timeSlice + 1, func(all []*thread) { all[0].state, bootCore.thread = stateRunnable, address(all[0]) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cores, threads := withCores(t, 2)
			bootCore.sliceStart, bootCore.thread = start, address(threads[1])
			c.change(threads)
			if got := isBootStuck(c.now); got != c.want {
				t.Errorf("%v", got)
			}
			interruptBoot(cores[0], c.now) // it does not interrupt itself
			if !c.want {
				interruptBoot(cores[1], c.now)
			}
			if bootInterrupted == c.now {
				t.Error("it was interrupted")
			}
		})
	}
}

// TestChoice: who goes on, on which core (0 is the boot processor), with which threads that are ready.
func TestChoice(t *testing.T) {
	const start = 1000
	const within, over = start + timeSlice, start + timeSlice + 1
	for _, c := range []struct {
		name    string
		cores   int
		on      int
		thread  uint64 // that runs there; 0: none
		ready   []uint64
		idle    int // other cores that are idle
		now     int64
		yield   bool
		overdue bool
		want    uint64
		after   []uint64 // are ready
	}{
		{"nobody else", 2, 1, 2, nil, 0, over, true, false, 2, nil},
		{"another, later", 2, 1, 2, []uint64{3, 4}, 0, within, false, false, 2, []uint64{3, 4}},
		{"another, now", 2, 1, 2, []uint64{3, 4}, 0, over, false, false, 3, []uint64{4, 2}},
		{"it gives way", 2, 1, 2, []uint64{3, 4}, 0, start, true, false, 3, []uint64{4, 2}},
		{"thread 1 only, on another core", 2, 1, 2, []uint64{1}, 0, over, true, false, 2, []uint64{1}},
		{"thread 1 and another", 2, 1, 2, []uint64{1, 3}, 0, over, false, false, 3, []uint64{1, 2}},
		{"none runs, one is ready", 2, 1, 0, []uint64{1, 3}, 0, start, false, false, 3, []uint64{1}},
		{"none runs, thread 1 is ready", 2, 1, 0, []uint64{1}, 0, start, false, false, 0, []uint64{1}},
		{"none", 2, 1, 0, nil, 0, start, false, false, 0, nil},
		{"thread 1 comes back to the boot processor", 2, 0, 2, []uint64{1}, 0, start, false, false, 1, []uint64{2}},
		{"another stays on the boot processor while no core is free", 2, 0, 2, []uint64{3}, 0, within, false, false, 2, []uint64{3}},
		{"one core: not before its time", 1, 0, 2, []uint64{1}, 0, within, false, false, 2, []uint64{1}},
		{"one core: in turn", 1, 0, 2, []uint64{3, 1}, 0, over, false, false, 3, []uint64{1, 2}},
		{"another core takes it from the boot processor", 3, 0, 2, nil, 1, start, false, false, 0, []uint64{2}},
		{"thread 1 stays while others have cores", 3, 0, 1, []uint64{2}, 1, over, false, false, 1, []uint64{2}},
		{"thread 1 gives way to what no core is free for", 3, 0, 1, []uint64{2, 3}, 1, over, false, false, 2, []uint64{3, 1}},
		{"the boot processor leaves it to an idle core", 3, 0, 0, []uint64{2}, 1, start, false, false, 0, []uint64{2}},
		{"which does not come", 3, 0, 0, []uint64{2}, 1, start, false, true, 2, nil},
		{"one more than idle cores", 3, 0, 0, []uint64{2, 3}, 1, start, false, false, 2, []uint64{3}},
		{"thread 1 is none of them", 3, 0, 0, []uint64{1, 2}, 1, start, false, false, 1, []uint64{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cores, threads := withCores(t, c.cores)
			on := cores[c.on]
			for _, id := range c.ready {
				threads[id-1].state = stateRunnable
				ready.add(threads[id-1])
				readyCount++
			}
			for i := range c.idle {
				if i+1 != c.on {
					cores[i+1].idle = idleNotified // it has been told of others
				}
			}
			if c.thread != 0 {
				on.thread, on.sliceStart = address(threads[c.thread-1]), start
				othersRanLast = c.thread != 1
			}
			chosen := chooseThread(on, c.now, c.yield, c.overdue)
			got := uint64(0)
			if on.thread != 0 {
				got = at[thread](on.thread).id
			}
			if got != c.want || chosen != (c.want != 0) {
				t.Fatalf("thread %d goes on, %v", got, chosen)
			}
			var after []uint64
			for p := ready.first; p != 0; p = at[thread](p).next {
				after = append(after, at[thread](p).id)
				if at[thread](p).state != stateRunnable {
					t.Errorf("thread %d is in state %d", at[thread](p).id, at[thread](p).state)
				}
			}
			if !slices.Equal(after, c.after) || readyCount != len(after) || length(&ready) != readyCount {
				t.Errorf("ready are %d of %v, want %v", readyCount, after, c.after)
			}
			if got == 0 {
				return
			}
			if state := at[thread](on.thread).state; state != stateRunning {
				t.Errorf("it is in state %d", state)
			}
			if begun := c.want != c.thread || len(c.ready) == 0 && c.thread == 0; begun && on.sliceStart != c.now || c.want == c.thread && got != 1 && on.sliceStart != start {
				t.Errorf("its time slice began at %d", on.sliceStart)
			}
		})
	}
}

// TestIdleCores: which cores are idle, which one is told of a thread that is ready, and when one must poll the clock.
func TestIdleCores(t *testing.T) {
	cores, threads := withCores(t, 6)
	count := func(idle, polling, halted int, all bool) {
		t.Helper()
		index := func(c *core) int { return slices.Index(cores, c) }
		if countIdle() != idle || index(findIdle(idlePolling)) != polling || index(findIdle(idleHalted)) != halted || allHalted() != all {
			t.Errorf("%d are idle, %d polls, %d has halted, %v", countIdle(), index(findIdle(idlePolling)), index(findIdle(idleHalted)), allHalted())
		}
	}
	bootCore.idle = idleHalted // which does not count
	count(0, -1, -1, false)
	coreLimit = 1
	count(0, -1, -1, true)
	coreLimit = 5 // of the last there is no more than a number
	cores[5].idle = idlePolling
	cores[3].idle = idlePolling
	count(1, 3, -1, false)
	cores[1].idle, cores[2].idle = idleNotified, idleHalted
	count(3, 3, 2, false)
	cores[3].online = 0
	count(2, -1, 2, false)
	cores[1].idle, cores[4].idle = idleHalted, idleHalted
	count(3, -1, 1, true)
	cores[4].idle = idlePolling
	count(3, 4, 1, false)
	cores[3].online, cores[3].idle = 1, idleHalted

	bootCore.idle = idlePolling
	makeReady(threads[1])
	if cores[4].idle != idleNotified || bootCore.idle != idlePolling || cores[1].idle != idleHalted || cores[2].idle != idleHalted {
		t.Error("not the core that polls was told of a thread")
	}
	for _, c := range cores[1:] {
		c.idle = idleNo
	}
	cores[4].idle = idlePolling
	makeReady(threads[0])
	if bootCore.idle != idleNotified || cores[4].idle != idlePolling {
		t.Error("not the boot processor was told of thread 1")
	}
	bootCore.idle, cores[4].idle = idlePolling, idleNo
	makeReady(threads[2])
	if bootCore.idle != idleNotified {
		t.Error("the boot processor was not told of a thread that no other core is free for")
	}
	bootCore.idle = idleNo
	makeReady(threads[3])
	if bootCore.idle != idleNo || readyCount != 4 {
		t.Errorf("the boot processor, which is not idle, is in state %d; %d are ready", bootCore.idle, readyCount)
	}

	for _, c := range []struct {
		name          string
		deadline      int64
		watcher, boot uint64
		other         uint64
		want          bool
	}{
		{"none polls", 5, 0, idleNo, idleHalted, true},
		{"no wait has a deadline", never, 0, idleNo, idleHalted, false},
		{"there is one", 5, 1, idleNo, idleHalted, false},
		{"the boot processor polls", 5, 0, idlePolling, idleHalted, false},
		{"another polls", 5, 0, idleNo, idlePolling, false},
	} {
		earliestDeadline, clockWatcher, bootCore.idle, cores[4].idle = c.deadline, uintptr(c.watcher), c.boot, c.other
		if got := lacksClockWatcher(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if !c.want {
			if appointClockWatcher(); cores[4].idle != c.other {
				t.Errorf("%s: a core was woken", c.name)
			}
		}
	}
	self, other := address(cores[2]), address(cores[3])
	for _, c := range []struct {
		name       string
		watcher    uintptr
		deadline   int64
		boot, idle uint64
		again      bool
		after      uintptr
		afterIdle  uint64
	}{
		{"it halts", 0, never, idleNo, idlePolling, false, 0, idleHalted},
		{"it polls the clock from here on", 0, 5, idleNo, idlePolling, false, self, idlePolling},
		{"another does", other, 5, idleNo, idlePolling, false, other, idleHalted},
		{"the boot processor does", 0, 5, idlePolling, idlePolling, false, 0, idleHalted},
		{"it was told of a thread", 0, never, idleNo, idleNotified, false, 0, idleNotified},
		{"it did", self, 5, idlePolling, idlePolling, true, 0, idlePolling},
	} {
		clockWatcher, earliestDeadline, bootCore.idle, cores[2].idle = c.watcher, c.deadline, c.boot, c.idle
		if got := stopPolling(cores[2]); got != c.again || clockWatcher != c.after || cores[2].idle != c.afterIdle {
			t.Errorf("%s: %v, idle %d, the clock is polled by %#x", c.name, got, cores[2].idle, clockWatcher)
		}
	}
}

// TestIdleEnds: what lets an idle core look for a thread again.
func TestIdleEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(c *core)
		overdue bool
	}{
		{"a thread is ready", func(*core) { bootCore.idle = idleNotified }, false},
		{"a call waits", func(*core) { bootCallCount = 1 }, false},
		{"text waits", func(*core) { queuedSize = 1 }, false},
		{"a deadline has passed", func(*core) { earliestDeadline = 0 }, false},
		{"keys may have come", func(*core) { lastKeyPoll = ticktime() - keyPollInterval - 1 }, false},
		{"the program ends", func(*core) { ending = 1 }, false},
		{"no core takes a thread", func(*core) { readyCount = 1 }, true},
	} {
		cores, _ := withCores(t, 3)
		cores[1].idle, cores[2].idle = idleNotified, idleHalted
		bootCore.idle = idlePolling
		c.change(cores[0])
		if got := idleBoot(cores[0]); got != c.overdue {
			t.Errorf("%s: overdue %v", c.name, got)
		}
		ending, lastKeyPoll, bootCallCount, queuedSize = 0, 1<<62, 0, 0
		// Others look at the clock only.
		if c.name != "a deadline has passed" && c.name != "no core takes a thread" {
			continue
		}
		for i, core := range cores[:2] {
			acquire(&kernelLock)
			clockWatcher, bootCore.inKernel = address(core), 1
			if i == 1 {
				earliestDeadline = 0
			}
			if got := idle(core); got != (c.overdue && i == 0) || core.idle != idleNo || clockWatcher != 0 || kernelLock != 1 {
				t.Errorf("core %d, %s: overdue %v, idle %d, the clock is polled by %#x", i, c.name, got, core.idle, clockWatcher)
			}
			release(&kernelLock)
		}
		clockWatcher, earliestDeadline = 7, 0
		acquire(&kernelLock)
		if idle(cores[1]); clockWatcher != 7 {
			t.Error("another core does not poll the clock any more")
		}
		release(&kernelLock)
		readyCount, bootCore.inKernel = 0, 0
	}
}

// TestHaltTime: the firmware, whose timers tick every 10 ms, halts the boot processor up to a tick before the next deadline, if
// that is more than a tick away.
func TestHaltTime(t *testing.T) {
	defer func() { earliestDeadline = never }()
	const now, tick = 5000, 10e6
	for left, want := range map[int64]int64{0: 0, tick: 0, 2 * tick: 0, 2*tick + 1: tick + 1, 1e9: 1e9 - tick, never - now: never - now - tick} {
		earliestDeadline = now + left
		if got := haltTime(now); got != want {
			t.Errorf("%d ns before a deadline it may halt for %d, want %d", left, got, want)
		}
	}
}

// TestCarryOut makes a call of a thread on the boot processor and on another core, and looks who runs there then.
func TestCarryOut(t *testing.T) {
	for _, c := range []struct {
		name   string
		number uint64
		args   [3]uintptr
		change func(c *core, self *thread)
		onBoot int    // the state of the thread then if it ran on the boot processor
		other  int    // the same on another core
		result uint64 // if it does not wait
	}{
		{"its own", sysGettid, [3]uintptr{}, nil, stateRunning, stateRunning, 2},
		{"its own, at the end of its time", sysGettid, [3]uintptr{}, func(c *core, _ *thread) { c.sliceStart = -timeSlice }, stateRunnable, stateRunnable, 2},
		{"shared", sysRtSigprocmask, [3]uintptr{9, 1, 0}, nil, stateRunning, stateRunning, errno(einval)},
		{"it gives way", sysSchedYield, [3]uintptr{}, nil, stateRunnable, stateRunnable, 0},
		{"it waits", sysNanosleep, [3]uintptr{address(&timeMemory.time)}, nil, stateSleep, stateSleep, 0},
		{"it ends", sysExit, [3]uintptr{}, nil, stateFree, stateFree, 0},
		{"of the boot processor", sysGetppid, [3]uintptr{}, nil, stateRunning, stateBoot, 0},
		{"unknown", 333, [3]uintptr{}, nil, stateRunning, stateBoot, errno(enosys)},
		{"text", sysWrite, [3]uintptr{stdout, address(&timeMemory), 5}, nil, -1, stateRunning, 5},
		{"long text", sysWrite, [3]uintptr{stdout, address(&outputQueue), uintptr(len(outputQueue) - outputHeader + 1)}, nil, -1, stateBoot, 0},
		{"text for what is no terminal", sysWrite, [3]uintptr{3, address(&timeMemory), 5}, nil, -1, stateBoot, 0},
	} {
		for i, want := range []int{c.onBoot, c.other} {
			if want < 0 {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				cores, threads := withCores(t, 2)
				defer func() { clear(files[:]) }()
				files[stdout].kind = kindConsole
				timeMemory.time = timespec{1000, 0}
				bootCore.inKernel = 1
				on, self := cores[i], threads[1]
				threads[0].state = stateFutex
				on.thread, on.sliceStart = address(self), 1<<62
				ready.add(threads[2])
				threads[2].state, readyCount = stateRunnable, 1
				self.ax, self.di, self.si, self.dx, self.r10 = c.number, uint64(c.args[0]), uint64(c.args[1]), uint64(c.args[2]), 7
				if c.change != nil {
					c.change(on, self)
				}
				firstTick = counter()
				carryOut(on)
				firstTick = 0
				next := self
				if want != stateRunning {
					next = threads[2]
				}
				if self.state != uint64(want) || on.thread != address(next) || kernelLock != 0 {
					t.Fatalf("it is in state %d, want %d, and thread %d runs; the lock is %d", self.state, want, at[thread](on.thread).id, kernelLock)
				}
				if self.call != c.number || want == stateRunning && self.result() != c.result {
					t.Errorf("call %d returned %d", self.call, int64(self.result()))
				}
				switch {
				case want != stateBoot:
					if bootCallCount != 0 || bootCalls.first != 0 {
						t.Errorf("%d calls wait", bootCallCount)
					}
				case bootCallCount != 1 || bootCalls.first != address(self):
					t.Errorf("%d calls wait", bootCallCount)
				case c.number != sysWrite: // then the boot processor makes it
					workForOthers()
					if bootCallCount != 0 || bootCalls.first != 0 || self.state != stateRunnable || self.result() != c.result || kernelLock != 0 {
						t.Errorf("then it returned %d in state %d", int64(self.result()), self.state)
					}
				}
				if wrote := c.name == "text"; wrote != (queuedSize == outputHeader+5) || wrote && (outputQueue[0] != stdout || outputQueue[1] != 5) {
					t.Errorf("%d bytes of text wait", queuedSize)
				}
				removeDeadline(self)
				readyCount = 0
			})
		}
	}
}

// TestBeforeAThreadGoesOn: waits whose time is over end, and a pending signal is delivered, but not where an interrupt has saved
// vector registers, which a handler would change.
func TestBeforeAThreadGoesOn(t *testing.T) {
	cores, threads := withCores(t, 2)
	defer clear(actions[:])
	self, on := threads[1], cores[1]
	withHandler(self)
	bootCore.inKernel, on.thread, on.sliceStart, threads[0].state = 1, address(self), 1<<62, stateFutex
	wait(threads[2], &sleeps, stateSleep, 0)
	pendingSignals, self.vectors, self.ax = 1<<11, 1, sysGettid
	if carryOut(on); self.ip != 5 || pendingSignals != 1<<11 || threads[2].state != stateRunnable || kernelLock != 0 {
		t.Errorf("at %#x, pending %#x, another in state %d", self.ip, pendingSignals, threads[2].state)
	}
	self.vectors, self.ax = 0, sysGettid
	if carryOut(on); self.ip != 0x1000+12 || pendingSignals != 0 || self.mask != 1<<11|1<<40 || kernelLock != 0 {
		t.Errorf("at %#x, pending %#x, mask %#x", self.ip, pendingSignals, self.mask)
	}
	self.sp, self.ax = self.sp+8, sysRtSigreturn
	if carryOut(on); self.ip != 5 || self.ax != self.id || self.mask != 0 || on.thread != address(self) || kernelLock != 0 {
		t.Errorf("back at %#x with %d, mask %#x", self.ip, self.ax, self.mask)
	}
	self.call, readyCount = 0, 0
	threads[2].leaveList()
}

// TestReadOfTheTerminalExpires: when the time of a read of the terminal is over, the boot processor makes it once more.
func TestReadOfTheTerminalExpires(t *testing.T) {
	_, threads := withCores(t, 1)
	reader := threads[1]
	wait(reader, &consoleWaits, stateConsole, 100)
	if endExpiredWaits(99); reader.state != stateConsole || reader.expired {
		t.Errorf("it ended too early, in state %d", reader.state)
	}
	endExpiredWaits(100)
	if reader.state != stateBoot || !reader.expired || bootCallCount != 1 || bootCalls.first != address(reader) || consoleWaits.first != 0 || earliestDeadline != never || readyCount != 0 {
		t.Errorf("state %d, expired %v, %d calls wait", reader.state, reader.expired, bootCallCount)
	}
	reader.leaveList()
}
