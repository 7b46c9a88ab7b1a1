//go:build linux && amd64

package metal

// Which thread runs on which core. The boot processor alone can call the firmware, so
// thread 1, where a program that writes and reads much locks its main goroutine, runs
// there and nowhere else; the other threads prefer the other cores, and get the boot
// processor when those are taken and thread 1 waits. No core is idle while a thread
// that it may run is ready. A core without a thread watches memory for a while, since
// what comes next mostly comes soon, and then halts.

// What a core does without a thread, in core.idle.
const (
	idleNo       = iota // it has one, or looks for one
	idleWatching        // it reads core.idle again and again
	idleHalted          // it needs an interrupt
	idleNotified        // it has been told to look
)

const (
	slice        = int64(10e6) // ns a thread may run while another wants to
	watchTime    = int64(50e3) // ns that a core watches before it halts
	notifyLimit  = int64(1e6)  // ns after which the boot processor takes a thread that a called core has not
	firmwareTick = int64(10e6) // ns: EDK2's timer interrupt, the resolution of its timers
)

// All of these are under kernelLock, but may be looked at without it: each is a word.
var (
	readyCount       int     // threads that are stateRunnable
	earliestDeadline = never // no wait ends in time before this
	clockWatcher     uintptr // *core that watches the clock for all, while it idles
	bootCallCount    int     // threads that are stateBoot
	lastTicket       uint64  // given to them, in order
	pendingSignals   uint64  // signals for the process, bit n-1 for signal n
)

// undisturbed says that the thread on a core may go on without asking the scheduler.
func mayContinue(c *core, now int64) bool {
	if ending != 0 || pendingSignals != 0 || now >= earliestDeadline || readyCount > 0 && now-c.sliceStart > slice {
		return false
	}
	return !c.isBoot() || bootCallCount == 0 && queuedSize == 0 && now-lastKeyPoll <= keyPollInterval &&
		(threads[0].state != stateRunnable || coreCount == 1)
}

// schedule chooses the thread that runs next on this core: the current one while it
// wants to and its slice lasts, else the next in turn; with none, it idles until there
// is one. The lock is held when it begins, and no more when it returns.
func schedule(c *core, yield bool) {
	for impatient := false; ; {
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
		if chooseThread(c, now, yield, impatient) {
			if pendingSignals != 0 {
				deliverPending(at[thread](c.thread))
			}
			appointClockWatcher()
			release(&kernelLock)
			return
		}
		impatient = idle(c)
	}
}

// attend does what only the boot processor can do for the others.
func workForOthers() {
	drainOutput()
	if now := ticktime(); now-lastKeyPoll > keyPollInterval {
		pollKeys(now)
	}
	for last := lastTicket; bootCallCount > 0 && serveNext(last); {
	}
}

// serve makes the system call of the thread that has waited longest for it, if its
// ticket is not after last.
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

// choose decides; false if there is nothing for this core.
func chooseThread(c *core, now int64, yield, impatient bool) bool {
	if c.thread != 0 {
		t := at[thread](c.thread)
		aside := c.isBoot() && t != &threads[0] && coreCount > 1 && (threads[0].state == stateRunnable || countIdle() > 0)
		if !aside && (readyFor(c) == 0 || !yield && now-c.sliceStart <= slice) {
			return true
		}
		c.thread = 0
		makeReady(t)
	}
	t := nextThread(c, impatient)
	if t == nil {
		return false
	}
	readyCount--
	t.state = stateRunning
	c.thread, c.sliceStart = address(t), now
	return true
}

// others counts the ready threads that a core may run.
func readyFor(c *core) int {
	if !c.isBoot() && threads[0].state == stateRunnable {
		return readyCount - 1
	}
	return readyCount
}

// next picks the thread whose turn it is. On the boot processor, if there are others,
// that is thread 1 when it is ready, but for a turn of another thread after each slice
// if no other core is free for that; and another thread only in that case or when it
// has waited too long.
func nextThread(c *core, impatient bool) *thread {
	first := 1
	if c.isBoot() {
		first = 0
		if coreCount > 1 {
			n := readyCount
			if threads[0].state == stateRunnable {
				n--
			}
			if n > 0 && (impatient || n > countIdle()) {
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

// resting counts the other cores that are free or about to take a thread.
func countIdle() (n int) {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.idle != idleNo {
			n++
		}
	}
	return n
}

// makeReady lets a thread run as soon as a core may: an idle one is called, of those
// that watch rather than one that halts.
func makeReady(t *thread) {
	t.state = stateRunnable
	readyCount++
	if t != &threads[0] {
		if c := findIdle(idleWatching); c != nil {
			notify(c)
			return
		}
		if c := findIdle(idleHalted); c != nil {
			notify(c)
			return
		}
	}
	if bootCore.idle == idleWatching {
		notify(&bootCore)
	}
}

// idleCore finds another core than the boot processor that idles in a given way.
func findIdle(how uint64) *core {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.idle == how {
			return c
		}
	}
	return nil
}

func notify(c *core) {
	if swap(&c.idle, idleNotified) == idleHalted {
		sendWake(c)
	}
}

// callKeeper sees to it that somebody watches the clock when waits will end in time,
// the boot processor does not idle, and all other idle cores have halted.
func appointClockWatcher() {
	if coreCount == 1 || earliestDeadline == never || clockWatcher != 0 || bootCore.idle != idleNo || findIdle(idleWatching) != nil {
		return
	}
	if c := findIdle(idleHalted); c != nil {
		notify(c)
	}
}

// rest is a core without a thread. It returns when there may be something to do;
// impatient, when a ready thread has waited here for a core that was called for it.
func idle(c *core) (impatient bool) {
	c.idle = idleWatching
	release(&kernelLock)
	if c.isBoot() {
		impatient = idleBoot(c)
	} else {
		idleOther(c)
	}
	acquire(&kernelLock)
	c.idle = idleNo
	if clockWatcher == address(c) {
		clockWatcher = 0
	}
	return impatient
}

// restAP watches, then halts, unless the clock must be watched and nobody else does.
func idleOther(c *core) {
	for start := ticktime(); c.idle == idleWatching; pause() {
		now := ticktime()
		switch {
		case ending != 0:
			stop()
		case now >= earliestDeadline:
			return
		case now-start > watchTime && (clockWatcher != address(c) || bootCore.idle != idleNo):
			acquire(&kernelLock)
			switch {
			case clockWatcher == address(c): // no need any more; but the boot processor may be back at once
				clockWatcher, start = 0, now
			case clockWatcher == 0 && earliestDeadline != never && bootCore.idle == idleNo:
				clockWatcher = address(c)
			case c.idle == idleWatching:
				c.idle = idleHalted
			}
			release(&kernelLock)
			for c.idle == idleHalted && ending == 0 {
				haltUntilInterrupt()
			}
		}
	}
}

// restBoot watches for what the boot processor is wanted for, and the clock. Once all
// other cores have halted nothing can come but a key or a deadline, and the firmware
// halts this one, too. It counts time in ticks of some 10 ms, so the last two are spent
// looking at the clock.
func idleBoot(c *core) (impatient bool) {
	for start := ticktime(); ; pause() {
		now := ticktime()
		othersHalted := allHalted() // before the rest is looked at: what they left is there then
		switch {
		case c.idle != idleWatching || ending != 0 || bootCallCount > 0 || queuedSize > 0 || now >= earliestDeadline:
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

func allHalted() bool {
	for i := 1; i < coreLimit; i++ {
		if c := coreNumber(i); c.online != 0 && c.idle != idleHalted {
			return false
		}
	}
	return true
}

// expire ends the waits whose time has come.
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
