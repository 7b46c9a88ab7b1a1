//go:build linux && amd64

package metal

// Which thread runs on which core. Only the boot processor can call the firmware. So
// thread 1 runs there and nowhere else: a program that reads and writes much locks its
// main goroutine to that thread. The other threads prefer the other cores; they run on
// the boot processor when no other core is free and thread 1 waits. No core is idle while
// a thread that it may run is ready. An idle core polls memory for a while, since the
// next thread is mostly ready soon, and then halts.

// Values of core.idle.
const (
	idleNo       = iota // the core has a thread, or chooses one
	idlePolling         // it has none, and reads core.idle again and again
	idleHalted          // it has none, and only an interrupt wakes it
	idleNotified        // another core has made a thread ready for it
)

const (
	timeSlice    = int64(10e6) // ns that a thread may run while another is ready
	pollTime     = int64(50e3) // ns that an idle core polls before it halts
	notifyLimit  = int64(1e6)  // ns after which the boot processor runs a thread that a notified core has not taken
	firmwareTick = int64(10e6) // ns between EDK2's timer interrupts: the resolution of its timers

	maxBootCalls = 32 // calls that wait for the boot processor from which on limitBootCalls limits them
)

// All of these are changed under kernelLock. They may be read without it: each is a word.
var (
	readyCount       int     // threads in stateRunnable
	earliestDeadline = never // no deadline of a wait is before this
	clockWatcher     uintptr // *core, idle, that polls the clock for all; 0: none does
	bootCallCount    int     // threads in stateBoot
	pendingSignals   uint64  // signals for the process, bit n-1 for signal n
	bootInterrupted  int64   // when the boot processor was interrupted last
	othersRanLast    bool    // the boot processor, one of several cores, has run another thread than thread 1
)

// mayContinue says whether the thread on a core may go on without a look at the others.
func mayContinue(c *core, now int64) bool {
	if ending != 0 || pendingSignals != 0 || now >= earliestDeadline || readyCount > 0 && now-c.sliceStart > timeSlice {
		return false
	}
	return !c.isBoot() || bootCallCount == 0 && queuedSize == 0 && now-lastKeyPoll <= keyPollInterval &&
		(thread1().state != stateRunnable || coreCount == 1)
}

// schedule chooses the thread that runs next on this core: the current one as long as it
// is not waiting and its time slice lasts, else the next in turn. If there is none, the
// core is idle until there is one. The caller holds kernelLock; schedule releases it.
func schedule(c *core, yield bool) {
	for overdue := false; ; {
		if c.thread != 0 && at[thread](c.thread).state != stateRunning {
			c.thread = 0
		}
		if c.isBoot() {
			release(&kernelLock)
			workForOthers()
			acquire(&kernelLock)
		}
		if ending != 0 {
			stop()
		}
		now := ticktime()
		interruptBoot(c, now)
		endExpiredWaits(now)
		if chooseThread(c, now, yield, overdue) {
			if pendingSignals != 0 && at[thread](c.thread).mayTakeSignal() {
				deliverPending(at[thread](c.thread))
			}
			appointClockWatcher()
			release(&kernelLock)
			return
		}
		overdue = idle(c)
	}
}

// interruptBoot interrupts the boot processor, if what runs there makes no system calls and
// keeps thread 1 from running, or others from the calls and the output that only it can do.
// The scheduler cannot foresee that: another core may have been free when a loop began there,
// or may be free soon. Every core that chooses a thread, or polls, looks; while the boot
// processor is busy one polls, if one is idle (appointClockWatcher), and if none is, all run
// threads, which end or make calls. When all of them are such loops, the Go runtime has no P for
// thread 1 either.
func interruptBoot(c *core, now int64) {
	if c.isBoot() || !isBootStuck(now) {
		return
	}
	bootInterrupted = now // two cores may be here: then there is one NMI more
	if bootCore.prepareInterrupt() {
		tryReachBoot()
	}
}

// isBootStuck says whether the boot processor has run a thread for too long that others wait for.
func isBootStuck(now int64) bool {
	b := &bootCore
	if b.inKernel != 0 || ending != 0 || now-max(b.sliceStart, bootInterrupted) <= timeSlice {
		return false
	}
	return bootCallCount > 0 || queuedSize > 0 || thread1().state == stateRunnable && b.thread != address(thread1())
}

// giveUpBoot is what the boot processor does when its thread was interrupted.
func giveUpBoot() {
	acquire(&kernelLock)
	schedule(getCore(), true)
}

// workForOthers does on the boot processor what the other cores have left to it: text
// that they have queued, and system calls. It looks for keys, too.
func workForOthers() {
	drainOutput()
	if now := ticktime(); now-lastKeyPoll > keyPollInterval {
		pollKeys(now)
	}
	for n := bootCallCount; n > 0; n-- {
		serveNext()
	}
	serveVCS()
}

// serveNext makes the system call of the thread that has waited longest for the boot
// processor. There is one: only the boot processor takes threads out of that list.
func serveNext() {
	acquire(&kernelLock)
	t := at[thread](bootCalls.first)
	t.leaveList()
	release(&kernelLock)
	result := bootCall(t)
	acquire(&kernelLock)
	bootCallCount--
	if t.state == stateBoot {
		wake(t, result)
	}
	release(&kernelLock)
}

// chooseThread makes the choice of schedule; false if no thread can run on this core.
func chooseThread(c *core, now int64, yield, overdue bool) bool {
	if c.thread != 0 {
		t := at[thread](c.thread)
		giveWay := c.isBoot() && t != thread1() && coreCount > 1 && (thread1().state == stateRunnable || countIdle() > 0)
		if !giveWay && (readyFor(c) == 0 || !yield && now-c.sliceStart <= timeSlice) {
			return true
		}
		c.thread = 0
		makeReady(t)
	}
	t := nextThread(c, overdue)
	if t == nil {
		return false
	}
	t.leaveList()
	readyCount--
	t.state = stateRunning
	c.thread, c.sliceStart = address(t), now
	return true
}

// readyFor counts the ready threads that may run on a core.
func readyFor(c *core) int {
	if !c.isBoot() && thread1().state == stateRunnable {
		return readyCount - 1
	}
	return readyCount
}

// nextThread picks the ready thread whose turn it is: the one that has been ready longest;
// nil if there is none. If the boot processor is one of several cores, it runs another
// thread than thread 1 only if more threads are ready than cores are idle, or one is
// overdue; thread 1, when it is ready, then has every second turn.
func nextThread(c *core, overdue bool) *thread {
	if coreCount == 1 {
		return at[thread](ready.first)
	}
	if c.isBoot() {
		n := readyCount
		if thread1().state == stateRunnable {
			n--
		}
		others := n > 0 && (overdue || n > countIdle())
		if thread1().state == stateRunnable && (!others || othersRanLast) {
			othersRanLast = false
			return thread1()
		}
		if !others {
			return nil
		}
		othersRanLast = true
	}
	t := at[thread](ready.first)
	if t == thread1() {
		t = at[thread](t.next)
	}
	return t
}

// countIdle counts the cores other than the boot processor that are idle, those included
// that have been notified.
func countIdle() (n int) {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.idle != idleNo {
			n++
		}
	}
	return n
}

// makeReady makes a thread runnable and notifies an idle core, if there is one: rather one
// that polls than one that has halted.
func makeReady(t *thread) {
	t.state = stateRunnable
	ready.add(t)
	readyCount++
	if t != thread1() {
		if c := findIdle(idlePolling); c != nil {
			notify(c)
			return
		}
		if c := findIdle(idleHalted); c != nil {
			notify(c)
			return
		}
	}
	if bootCore.idle == idlePolling {
		notify(&bootCore)
	}
}

// findIdle finds a core other than the boot processor in a given state of idle; nil if
// there is none.
func findIdle(how uint64) *core {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.idle == how {
			return c
		}
	}
	return nil
}

// notify tells an idle core to choose a thread.
func notify(c *core) {
	if swap(&c.idle, idleNotified) == idleHalted {
		sendWake(c)
	}
}

// appointClockWatcher wakes an idle core, to poll the clock, if a wait has a deadline and
// no core polls: the boot processor is busy, and the idle ones have halted.
func appointClockWatcher() {
	if !lacksClockWatcher() {
		return
	}
	if c := findIdle(idleHalted); c != nil {
		notify(c)
	}
}

// lacksClockWatcher says whether a wait has a deadline and no core polls the clock.
func lacksClockWatcher() bool {
	return earliestDeadline != never && clockWatcher == 0 && bootCore.idle == idleNo && findIdle(idlePolling) == nil
}

// idle lets a core without a thread wait until there may be something to do. It returns
// true if a ready thread is overdue: a core was notified, and has not taken it.
func idle(c *core) (overdue bool) {
	c.idle = idlePolling
	release(&kernelLock)
	if c.isBoot() {
		overdue = idleBoot(c)
	} else {
		idleOther(c)
	}
	acquire(&kernelLock)
	c.idle = idleNo
	if clockWatcher == address(c) {
		clockWatcher = 0
	}
	return overdue
}

// idleOther polls, then halts, unless it is the core that must poll the clock.
func idleOther(c *core) {
	for start := ticktime(); c.idle == idlePolling; pause() {
		now := ticktime()
		interruptBoot(c, now)
		switch {
		case ending != 0:
			stop()
		case now >= earliestDeadline:
			return
		case now-start > pollTime && (clockWatcher != address(c) || bootCore.idle != idleNo):
			acquire(&kernelLock)
			if stopPolling(c) {
				start = now
			}
			release(&kernelLock)
			for c.idle == idleHalted && ending == 0 {
				haltUntilInterrupt()
			}
		}
	}
}

// stopPolling lets a core halt that has polled for a while, unless it becomes the one that must poll the clock. It returns true
// if it was that one: the boot processor polls now, but it may soon be busy again.
func stopPolling(c *core) (again bool) {
	switch {
	case clockWatcher == address(c):
		clockWatcher = 0
		return true
	case clockWatcher == 0 && earliestDeadline != never && bootCore.idle == idleNo:
		clockWatcher = address(c)
	case c.idle == idlePolling:
		c.idle = idleHalted
	}
	return false
}

// idleBoot polls for work of the other cores, and the clock. When all other cores have
// halted, only a key or a deadline can end the wait, and the firmware halts this core,
// too.
func idleBoot(c *core) (overdue bool) {
	for start := ticktime(); ; pause() {
		now := ticktime()
		othersHalted := allHalted() // first: what they have left to do is visible below then
		switch {
		case c.idle != idlePolling || ending != 0 || bootCallCount > 0 || queuedSize > 0 || now >= earliestDeadline:
			return false
		case now-lastKeyPoll > keyPollInterval:
			return false
		case readyCount > 0 && now-start > notifyLimit:
			return true
		case othersHalted && haltTime(now) > 0:
			waitForKey(haltTime(now))
			pollKeys(ticktime())
			return false
		}
	}
}

// haltTime is for how long the firmware may halt the boot processor; 0 if it may not. It
// measures time in ticks of some 10 ms; so the last two before a deadline are spent polling
// the clock.
func haltTime(now int64) int64 {
	if left := earliestDeadline - now; left > 2*firmwareTick {
		return left - firmwareTick
	}
	return 0
}

// allHalted says whether all cores other than the boot processor have halted.
func allHalted() bool {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.idle != idleHalted {
			return false
		}
	}
	return true
}

// endExpiredWaits ends the waits whose deadline has passed.
func endExpiredWaits(now int64) {
	for now >= earliestDeadline {
		switch t := heapThread(0); t.state {
		case stateFutex:
			wake(t, errno(etimedout))
		case stateConsole: // only the boot processor reads the terminal
			t.leaveList()
			removeDeadline(t)
			t.expired, t.state = true, stateBoot
			bootCalls.add(t)
			bootCallCount++
		case statePoll:
			wake(t, pollNow(t, true))
		default:
			wake(t, 0)
		}
	}
}
