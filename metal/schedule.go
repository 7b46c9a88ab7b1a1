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
)

// All of these are changed under kernelLock. They may be read without it: each is a word.
var (
	readyCount       int     // threads in stateRunnable
	earliestDeadline = never // no deadline of a wait is before this
	clockWatcher     uintptr // *core, idle, that polls the clock for all; 0: none does
	bootCallCount    int     // threads in stateBoot
	lastTicket       uint64  // the number that the last of them has drawn
	pendingSignals   uint64  // signals for the process, bit n-1 for signal n
)

// mayContinue says whether the thread on a core may go on without a look at the others.
func mayContinue(c *core, now int64) bool {
	if ending != 0 || pendingSignals != 0 || now >= earliestDeadline || readyCount > 0 && now-c.sliceStart > timeSlice {
		return false
	}
	return !c.isBoot() || bootCallCount == 0 && queuedSize == 0 && now-lastKeyPoll <= keyPollInterval &&
		(threads[0].state != stateRunnable || coreCount == 1)
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
		endExpiredWaits(now)
		if chooseThread(c, now, yield, overdue) {
			if pendingSignals != 0 {
				deliverPending(at[thread](c.thread))
			}
			appointClockWatcher()
			release(&kernelLock)
			return
		}
		overdue = idle(c)
	}
}

// workForOthers does on the boot processor what the other cores have left to it: text
// that they have queued, and system calls. It looks for keys, too.
func workForOthers() {
	drainOutput()
	if now := ticktime(); now-lastKeyPoll > keyPollInterval {
		pollKeys(now)
	}
	for last := lastTicket; bootCallCount > 0 && serveNext(last); {
	}
}

// serveNext makes the system call of the thread that has waited longest for the boot
// processor, if it drew its ticket no later than last; false if there is none.
func serveNext(last uint64) bool {
	acquire(&kernelLock)
	var t *thread
	for i := range threadCount {
		if w := &threads[i]; w.state == stateBoot && w.ticket <= last && (t == nil || w.ticket < t.ticket) {
			t = w
		}
	}
	release(&kernelLock)
	if t == nil {
		return false
	}
	result := bootCall(t)
	acquire(&kernelLock)
	bootCallCount--
	if t.state == stateBoot {
		wake(t, result)
	}
	release(&kernelLock)
	return true
}

// chooseThread makes the choice of schedule; false if no thread can run on this core.
func chooseThread(c *core, now int64, yield, overdue bool) bool {
	if c.thread != 0 {
		t := at[thread](c.thread)
		giveWay := c.isBoot() && t != &threads[0] && coreCount > 1 && (threads[0].state == stateRunnable || countIdle() > 0)
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
	readyCount--
	t.state = stateRunning
	c.thread, c.sliceStart = address(t), now
	return true
}

// readyFor counts the ready threads that may run on a core.
func readyFor(c *core) int {
	if !c.isBoot() && threads[0].state == stateRunnable {
		return readyCount - 1
	}
	return readyCount
}

// nextThread picks the ready thread whose turn it is; nil if there is none. If the boot
// processor is one of several cores, it runs another thread than thread 1 only if more
// threads are ready than cores are idle, or one is overdue; thread 1, when it is ready,
// then has every second turn.
func nextThread(c *core, overdue bool) *thread {
	first := 1
	if c.isBoot() {
		first = 0
		if coreCount > 1 {
			n := readyCount
			if threads[0].state == stateRunnable {
				n--
			}
			if n > 0 && (overdue || n > countIdle()) {
				first = 1
			}
			if threads[0].state == stateRunnable && (c.lastThread != 0 || first == 0) {
				c.lastThread = 0
				return &threads[0]
			}
			if first == 0 {
				return nil
			}
		}
	}
	for i := range threadCount {
		n := (c.lastThread + 1 + i) % threadCount
		if n >= first && threads[n].state == stateRunnable {
			c.lastThread = n
			return &threads[n]
		}
	}
	return nil
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
	readyCount++
	if t != &threads[0] {
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
	if coreCount == 1 || earliestDeadline == never || clockWatcher != 0 || bootCore.idle != idleNo || findIdle(idlePolling) != nil {
		return
	}
	if c := findIdle(idleHalted); c != nil {
		notify(c)
	}
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
		switch {
		case ending != 0:
			stop()
		case now >= earliestDeadline:
			return
		case now-start > pollTime && (clockWatcher != address(c) || bootCore.idle != idleNo):
			acquire(&kernelLock)
			switch {
			case clockWatcher == address(c): // the boot processor polls now; but it may soon be busy again
				clockWatcher, start = 0, now
			case clockWatcher == 0 && earliestDeadline != never && bootCore.idle == idleNo:
				clockWatcher = address(c)
			case c.idle == idlePolling:
				c.idle = idleHalted
			}
			release(&kernelLock)
			for c.idle == idleHalted && ending == 0 {
				haltUntilInterrupt()
			}
		}
	}
}

// idleBoot polls for work of the other cores, and the clock. When all other cores have
// halted, only a key or a deadline can end the wait, and the firmware halts this core,
// too. It measures time in ticks of some 10 ms; so the last two before a deadline are
// spent polling the clock.
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
		case othersHalted && earliestDeadline-now > 2*firmwareTick:
			waitForKey(earliestDeadline - now - firmwareTick)
			pollKeys(ticktime())
			return false
		}
	}
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
	if now < earliestDeadline {
		return
	}
	earliestDeadline = never
	for i := range threadCount {
		t := &threads[i]
		switch {
		case t.state < stateFutex:
		case t.deadline > now:
			earliestDeadline = min(earliestDeadline, t.deadline)
		case t.state == stateFutex:
			wake(t, errno(etimedout))
		default:
			wake(t, 0)
		}
	}
}
